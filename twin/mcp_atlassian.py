"""`mcp-atlassian`, the server of the Jira backend, in its own Python environment.

It requires an older MCP SDK than this project. All packages are in `requirements-mcp-atlassian.txt`, with
hashes.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder with the requirements; the environment is created in it."""

LOCK = "requirements-mcp-atlassian.txt"
_FOLDER = ".venv-mcp-atlassian"
_STAMP = ".installed-from"
_PACKAGE = "mcp-atlassian"


class EnvironmentSetupError(Exception):
    """The environment does not exist or cannot be created; the message has the remedy."""


def version(root: Path = ROOT) -> str:
    """The version in the lock file."""
    lines = (root / LOCK).read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{_PACKAGE}==")).split("==")[1].split()[0]


def command(root: Path = ROOT) -> tuple[str, ...]:
    """The command line of the server, without arguments.

    Raises:
        EnvironmentSetupError: it is not installed.
    """
    folder = root / _FOLDER
    if not _is_current(root):
        raise EnvironmentSetupError(
            f"{_PACKAGE} {version(root)} is not installed: run `python -m twin.mcp_atlassian` (make does it)"
        )
    # Through the interpreter, because the length of a script's first line is limited.
    return (str(_python(folder)), str(folder / "bin" / _PACKAGE))


def install(root: Path = ROOT, *, report: Callable[[str], object] = print) -> bool:
    """Installs the locked packages, unless they are installed already.

    Processes that install at the same time wait for each other.

    Args:
        root: the folder with the lock file.
        report: called with a line about work that takes some time.

    Returns:
        Whether something was installed.

    Raises:
        EnvironmentSetupError: it failed; the message contains uv's output.
    """
    if _is_current(root):
        return False
    folder = root / _FOLDER
    # Locks the project's folder, because the environment's folder is replaced. The lock ends with the
    # process.
    lock = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_current(root):
            return False
        report(f"Installing {_PACKAGE} {version(root)} into {folder.name} (once)")
        python = str(_python(folder))
        uv = (sys.executable, "-m", "uv", "--quiet")
        _run(*uv, "venv", "--clear", "--force", "--python", sys.executable, str(folder))
        _run(*uv, "pip", "sync", "--require-hashes", "--python", python, str(root / LOCK))
        # Compiles the modules that a start imports, so that the first start is as fast as later ones.
        _run(python, "-c", "import mcp_atlassian.servers")
        (folder / _STAMP).write_text(_fingerprint(root), encoding="utf-8")
    finally:
        os.close(lock)
    return True


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _is_current(root: Path) -> bool:
    folder = root / _FOLDER
    stamp = folder / _STAMP
    # If the Python of an environment was removed, its link is broken.
    return (
        _python(folder).exists()
        and stamp.is_file()
        and stamp.read_text(encoding="utf-8") == _fingerprint(root)
    )


def _fingerprint(root: Path) -> str:
    """A hash of the lock file and of the Python version for which packages were selected."""
    lock = hashlib.sha256((root / LOCK).read_bytes()).hexdigest()
    return f"{lock} {sys.implementation.cache_tag}"


def _run(*argv: str) -> None:
    # uv and Python themselves, with fixed arguments.
    done = subprocess.run(  # noqa: S603
        argv,
        # The whole environment, which has the package index and the trusted certificates.
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EnvironmentSetupError(
            f"{_PACKAGE} cannot be installed: `{' '.join(argv)}` ended with status {done.returncode}. "
            f"Is the package index reachable? Its output:\n{done.stdout}{done.stderr}"
        )


if __name__ == "__main__":
    install()
