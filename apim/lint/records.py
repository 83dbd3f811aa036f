"""Records which services had no findings, so that unchanged policies are checked once.

The record of a service is an empty file below `__pycache__`. Its name is a hash of the service, of the
sources of this engine and of the version of Python, so any change leads to a new check. Like Python's
compiled modules, a record can be trusted as much as the sources next to it. Records are not used if Python
is set not to write compiled modules.
"""

import contextlib
import hashlib
import os
import sys
from functools import cache
from pathlib import Path

from apim.findings import Finding
from apim.lint.all_rules import ServiceFacts, check
from apim.service import Service

_ENGINE = Path(__file__).resolve().parent.parent
_FOLDER = Path(__file__).parent / "__pycache__" / "without-findings"
_MAX_RECORDS = 4096


def check_once(
    service: Service, facts: ServiceFacts, folder: Path = _FOLDER, engine: Path = _ENGINE
) -> list[Finding]:
    """The result of `check`, which is not called again for a service that had no findings.

    Args:
        service: the declared service.
        facts: facts about it.
        folder: the folder of the records.
        engine: the folder of the sources on which the result depends.
    """
    record = _record(service, facts, folder, engine)
    if record is not None and os.access(record, os.F_OK):
        return []
    findings = check(service, facts)
    if record is not None and not findings:
        _write_record(record)
    return findings


def _record(service: Service, about: ServiceFacts, folder: Path, engine: Path) -> Path | None:
    if sys.dont_write_bytecode:
        return None
    # repr contains all values that the rules read. It omits source maps, which do not change findings.
    checked = (
        service,
        sorted(about.unknown),
        about.diagnostics,
        about.streams,
        about.protected,
        about.whole,
        _version(engine),
    )
    return folder / hashlib.sha256(repr(checked).encode()).hexdigest()


@cache
def _version(engine: Path) -> str:
    """A hash of the engine's sources and the version of Python; cached, because a process loads them once."""
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(engine.rglob("*")):
        if file.suffix in {".py", ".toml"}:
            digest.update(f"{file.relative_to(engine)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _write_record(record: Path) -> None:
    """Writes a record, if the folder can be written; when it is full, the old records are deleted."""
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        with os.scandir(record.parent) as entries:
            old = [entry.path for entry in entries]
        if len(old) >= _MAX_RECORDS:
            for path in old:
                Path(path).unlink(missing_ok=True)
        record.touch()
