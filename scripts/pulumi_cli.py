"""Builds the Pulumi CLI for the tests with Pulumi's engine, unless one is installed.

    python scripts/pulumi_cli.py

`tools/pulumi` is a Go module that pins the CLI as a tool. The CLI is built into `.tools/bin`, where the tests
look for it. If `pulumi` on PATH is new enough, the tests use that instead. Without either of them and without
Go nothing is built, and the tests report what they need.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / ".tools" / "bin" / "pulumi"

_MODULE = ROOT / "tools" / "pulumi"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_OLDEST_GO = (1, 21, 0)  # the first version that downloads the toolchain that a module requires


def pinned_version() -> str:
    """The version that the Go module pins."""
    module = (_MODULE / "go.mod").read_text(encoding="utf-8")
    (version,) = re.findall(r"^\s*github\.com/pulumi/pulumi/pkg/v3 v(\S+)", module, re.MULTILINE)
    return version


def find() -> Path | None:
    """The CLI on PATH if it is at least as new as the pinned version, otherwise the CLI that was built."""
    path = shutil.which("pulumi")
    pinned = tuple(int(number) for number in pinned_version().split("."))
    if path and _version(path) >= pinned:
        return Path(path)
    return BUILT if BUILT.is_file() else None


def main() -> int:
    """Builds the CLI and returns the exit code."""
    path = find()
    if path not in (None, BUILT):
        print(f"Using {path}.")
        return 0
    go = shutil.which("go")
    if go is None or _version(go) < _OLDEST_GO:
        print(
            f"The tests cannot run: they need the Pulumi CLI {pinned_version()} or newer "
            "(https://www.pulumi.com/docs/install/), or Go 1.21 or newer to build it (https://go.dev/doc/install)."
        )
        return 0
    print(f"Building the Pulumi CLI {pinned_version()} (8 minutes the first time)", flush=True)
    flags = f"-s -w -X {_VERSION_VARIABLE}=v{pinned_version()}"
    return subprocess.run(  # noqa: S603 -- Go with fixed arguments
        [go, "build", "-o", str(BUILT), "-ldflags", flags, _PACKAGE],
        cwd=_MODULE,
        env={"GOTOOLCHAIN": "auto", **os.environ},
        check=False,
    ).returncode


def _version(command: str) -> tuple[int, ...]:
    printed = subprocess.run(  # noqa: S603 -- Go or Pulumi with a fixed argument
        [command, "version"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", printed)
    return tuple(int(number or 0) for number in match.groups()) if match else (0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
