"""`mcp-atlassian`, the server behind the Jira backend, in a Python environment of its own.

It pins an older MCP SDK than ours. Everything comes from `requirements-mcp-atlassian.txt`, with hashes.
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
    """The environment does not exist or cannot be created; the message says what to do."""


def version(root: Path = ROOT) -> str:
    """The version that the lock pins."""
    lines = (root / LOCK).read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{_PACKAGE}==")).split("==")[1].split()[0]


def command(root: Path = ROOT) -> tuple[str, ...]:
    """The command line of the server, to which arguments are added.

    Raises:
        EnvironmentSetupError: it is not installed.
    """
    folder = root / _FOLDER
    if not _is_current(root):
        raise EnvironmentSetupError(
            f"{_PACKAGE} {version(root)} is not installed: run `python -m twin.mcp_atlassian` (make does it)"
        )
    # The script by way of the interpreter: how long its path is does not matter then.
    return (str(_python(folder)), str(folder / "bin" / _PACKAGE))


def install(root: Path = ROOT, *, tell: Callable[[str], object] = print) -> bool:
    """Installs exactly what the lock says, unless it is installed already.

    Processes that do so at the same time wait for one another.

    Args:
        root: the folder with the lock.
        tell: is called with a line about work that takes a while.

    Returns:
        Whether something was installed.

    Raises:
        EnvironmentSetupError: it failed; the message contains uv's output.
    """
    if _is_current(root):
        return False
    folder = root / _FOLDER
    # The lock is on the project's folder, because the environment's is replaced. It ends with the process.
    lock = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_current(root):
            return False
        tell(f"Installing {_PACKAGE} {version(root)} into {folder.name} (once)")
        python = str(_python(folder))
        uv = (sys.executable, "-m", "uv", "--quiet")
        _run(*uv, "venv", "--clear", "--force", "--python", sys.executable, str(folder))
        _run(*uv, "pip", "sync", "--require-hashes", "--python", python, str(root / LOCK))
        # Compiles what a start needs, so that the first one takes no longer than the others.
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
    # The Python below an environment can be removed, which leaves a link to nothing.
    return (
        _python(folder).exists()
        and stamp.is_file()
        and stamp.read_text(encoding="utf-8") == _fingerprint(root)
    )


def _fingerprint(root: Path) -> str:
    """Changes with the lock and with the Python for which packages were chosen."""
    lock = hashlib.sha256((root / LOCK).read_bytes()).hexdigest()
    return f"{lock} {sys.implementation.cache_tag}"


def _run(*argv: str) -> None:
    # uv and Python themselves, with fixed arguments.
    done = subprocess.run(  # noqa: S603
        argv,
        # All of ours: it says where packages come from and which certificates to trust.
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
