"""Builds the Pulumi CLI that the tests with Pulumi's engine run, unless there is one.

    python scripts/pulumi_cli.py

`tools/pulumi` is a Go module that pins the CLI as a tool. The build goes to `.tools/bin`, from where the
tests take it; a `pulumi` on PATH that is new enough is used instead. Without that and without Go nothing is
built, and the tests say what they need.
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
_OLDEST_GO = (1, 21, 0)  # the first that downloads the toolchain that a module asks for


def pinned_version() -> str:
    """The version that the Go module pins."""
    module = (_MODULE / "go.mod").read_text(encoding="utf-8")
    (version,) = re.findall(r"^\s*github\.com/pulumi/pulumi/pkg/v3 v(\S+)", module, re.MULTILINE)
    return version


def find() -> Path | None:
    """The CLI: the one on PATH when it is at least as new as the pinned one, else the one that was built."""
    found = shutil.which("pulumi")
    pinned = tuple(int(number) for number in pinned_version().split("."))
    if found and _version(found) >= pinned:
        return Path(found)
    return BUILT if BUILT.is_file() else None


def main() -> int:
    """Builds the CLI and gives the exit code."""
    found = find()
    if found not in (None, BUILT):
        print(f"Using {found}.")
        return 0
    go = shutil.which("go")
    if go is None or _version(go) < _OLDEST_GO:
        print(
            f"Nothing to run the tests with: they need the Pulumi CLI {pinned_version()} or newer "
            "(https://www.pulumi.com/docs/install/), or Go 1.21 or newer to build it (https://go.dev/doc/install)."
        )
        return 0
    print(f"Building the Pulumi CLI {pinned_version()} (8 minutes the first time)", flush=True)
    flags = f"-s -w -X {_VERSION_VARIABLE}=v{pinned_version()}"
    return subprocess.run(  # noqa: S603 -- the commands are the project's own
        [go, "build", "-o", str(BUILT), "-ldflags", flags, _PACKAGE],
        cwd=_MODULE,
        env={"GOTOOLCHAIN": "auto", **os.environ},
        check=False,
    ).returncode


def _version(command: str) -> tuple[int, ...]:
    printed = subprocess.run(  # noqa: S603 -- likewise
        [command, "version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", printed)
    return tuple(int(number or 0) for number in found.groups()) if found else (0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
