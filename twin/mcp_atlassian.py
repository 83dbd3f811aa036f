"""Installs `mcp-atlassian`, the server of the Jira backend, into a separate Python environment.

The server requires an older MCP SDK than this project. All packages are in `requirements-mcp-atlassian.txt`,
with hashes.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder with the lock file, in which the environment is created."""

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
        EnvironmentSetupError: the server is not installed.
    """
    folder = root / _FOLDER
    if not _is_current(root):
        raise EnvironmentSetupError(
            f"{_PACKAGE} {version(root)} is not installed: run `python -m twin.mcp_atlassian` (make does it)"
        )
    # The script is run through the interpreter, because Linux limits the length of its first line, which has
    # the path of the interpreter.
    return (str(_python(folder)), str(folder / "bin" / _PACKAGE))


def install(root: Path = ROOT, *, report: Callable[[str], object] = print) -> bool:
    """Installs the locked packages, unless they are installed already.

    Processes that install at the same time wait for each other.

    Args:
        root: the folder with the lock file.
        report: called with a line of text before the installation.

    Returns:
        Whether something was installed.

    Raises:
        EnvironmentSetupError: the installation failed; the message contains the output of uv.
    """
    if _is_current(root):
        return False
    folder = root / _FOLDER
    # Locks the folder of the project, because the folder of the environment is replaced. The operating system
    # releases the lock when the process ends.
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
        # Creates the bytecode of the modules, so that the first start of the server is as fast as later
        # starts.
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
    # The programs are uv and Python, with fixed arguments.
    done = subprocess.run(  # noqa: S603
        argv,
        # All environment variables, because they may configure the package index and the trusted
        # certificates.
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
