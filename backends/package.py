"""The package that is published to a Function App: the source folder as a zip file."""

import hashlib
import io
import zipfile
from pathlib import Path

import pulumi

_REQUIRED = {
    "host.json": "the host's settings and the version of the extension bundle",
    "requirements.txt": "the packages that the remote build installs",
    "function_app.py": "the module with the functions",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def digest(source: Path) -> str:
    """SHA-256 of the names and contents of all files. It changes if and only if the package changes.

    Raises:
        pulumi.RunError: the folder lacks a file without which the app would not start.
    """
    total = hashlib.sha256()
    for name, content in _files(source):
        total.update(f"{len(name.encode())}:{name}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()


def build(source: Path) -> bytes:
    """The zip file. The same files result in the same bytes on every machine with the same zlib.

    Raises:
        pulumi.RunError: the folder lacks a file without which the app would not start.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in _files(source):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Unix, rw-r--r--: Flex Consumption mounts the package with these permissions; a host that cannot
            # read its files starts without an error and without functions.
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            package.writestr(entry, content)
    return buffer.getvalue()


def _files(source: Path) -> list[tuple[str, bytes]]:
    missing = [f"{name} ({purpose})" for name, purpose in _REQUIRED.items() if not (source / name).is_file()]
    if missing:
        raise pulumi.RunError(
            f"{source.name}/ cannot be published because these files are missing: {'; '.join(missing)}. "
            f"Restore them: git checkout {source.name}"
        )
    return [
        (path.relative_to(source).as_posix(), path.read_bytes())
        for path in sorted(source.rglob("*"), key=lambda path: path.relative_to(source).as_posix())
        if path.is_file() and _belongs(path.relative_to(source))
    ]


def _belongs(path: Path) -> bool:
    """Whether a file is part of the app: not hidden, not generated, not a developer's local settings."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.suffix != ".pyc" and not path.name.startswith("local.settings.json")
