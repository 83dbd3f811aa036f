"""The Pulumi CLI that the tests run: the one that `make test-engine` built, or the one on PATH."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".tools" / "bin" / "pulumi"


def pinned_version() -> str:
    """The version in the Go module that pins the CLI as a tool."""
    module = (ROOT / "tools" / "pulumi" / "go.mod").read_text(encoding="utf-8")
    (version,) = re.findall(r"^\s*github\.com/pulumi/pulumi/pkg/v3 v(\S+)", module, re.MULTILINE)
    return version


def path() -> Path:
    """The CLI; skips the test where there is none, and fails it in CI."""
    if BUILT.is_file():
        return BUILT
    if (found := shutil.which("pulumi")) and _version(found) >= _numbers(pinned_version()):
        return Path(found)
    reason = f"needs the Pulumi CLI {pinned_version()}: `make test-engine` builds it where Go is installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _version(path: str) -> tuple[int, ...]:
    printed = subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout
    return _numbers(printed)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
