"""Creates, updates or rebuilds `.venv`, the environment of the program, the twin and the tests.

    python scripts/environment.py [--is-intact]

It runs before anything is installed, so it uses only the standard library. `.venv` uses the Python that runs
this script. `.venv/.installed` is written when an installation is complete; it contains the version of
Python, the folder and the hash of the requirements. If they do not match, `.venv` is rebuilt or updated.

`pulumi up` also creates `.venv`, with the packages that `requirements.txt` pins. Such an environment has no
`.venv/.installed`; it is checked and then completed. If `.venv/.installing` exists, this script was
interrupted.
"""

import csv
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = "requirements-dev.txt"
STAMP = ".installed"
UNFINISHED = ".installing"


class InstallationError(Exception):
    """The packages could not be installed; the message has the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The Python, folder and requirements of an installed environment.

    Attributes:
        python: its version, as `3.11`.
        folder: where the environment is; its scripts contain this path.
        requirements: SHA-256 of the file with the pinned requirements.
    """

    python: str
    folder: str
    requirements: str

    @classmethod
    def read(cls, folder: Path) -> "Stamp | None":
        """The stamp of an environment; None if its installation did not finish."""
        try:
            lines = (folder / STAMP).read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        return cls(*lines) if len(lines) == 3 else None  # noqa: PLR2004 -- one line per attribute

    @classmethod
    def expected(cls, root: Path) -> "Stamp":
        """The stamp of an up-to-date environment of this Python in a project's folder."""
        requirements = hashlib.sha256((root / REQUIREMENTS).read_bytes()).hexdigest()
        return cls(_minor(sys.version_info[:2]), str((root / ".venv").resolve()), requirements)

    def write(self) -> None:
        """Records that the installation is complete."""
        content = "".join(f"{line}\n" for line in (self.python, self.folder, self.requirements))
        (Path(self.folder) / STAMP).write_text(content, encoding="utf-8")
        (Path(self.folder) / UNFINISHED).unlink(missing_ok=True)


def reason_to_rebuild(root: Path) -> str | None:
    """Why an existing `.venv` cannot be used or updated; None if it can."""
    folder = root / ".venv"
    stamp, expected = Stamp.read(folder), Stamp.expected(root)
    if (folder / UNFINISHED).exists() or (stamp is None and (folder / STAMP).exists()):
        return "its installation did not finish"
    created_in = stamp.folder if stamp else _created_in(folder)
    if created_in != expected.folder:
        return (
            f"it was copied or moved from {created_in}" if created_in else "it is not a virtual environment"
        )
    python = _version_of(folder / "bin" / "python")
    if python is None:
        return "its Python no longer runs"
    if stamp and python != stamp.python:
        return f"it was created for Python {stamp.python}, and its Python is now {python}"
    if python != expected.python:
        return f"it uses Python {python} instead of Python {expected.python}"
    return None if stamp else _incomplete(folder)


def _created_in(folder: Path) -> str | None:
    """The folder for which `python -m venv` created an environment; its scripts contain this path."""
    try:
        lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    # `command = /usr/bin/python3 -m venv /home/me/project/.venv`
    commands = [line.partition("=")[2] for line in lines if line.partition("=")[0].strip() == "command"]
    # The folder may contain spaces; options may precede it.
    match = re.search(r" -m venv (?:-\S+ )*(.+)$", commands[0]) if commands else None
    return str(Path(match[1]).resolve()) if match else None


def _incomplete(folder: Path) -> str | None:
    """What is missing in an environment that another program created; None if it is complete."""
    folders = list(folder.glob("lib/python*/site-packages"))
    if len(folders) != 1:
        return "it has no packages, or those of several versions of Python"
    distributions = list(metadata.distributions(path=[str(folders[0])]))
    for distribution in distributions:
        # pip writes this list last. From Python 3.12 on `distribution.files` omits files that do not exist.
        # Compiled files may be missing.
        listed = csv.reader((distribution.read_text("RECORD") or "").splitlines())
        files = [name for name, *_ in listed if not name.endswith(".pyc")]
        if not files or not all((folders[0] / name).exists() for name in files):
            return f"its package {distribution.name} is incomplete"
    return None if any(distribution.name == "pip" for distribution in distributions) else "it has no pip"


def ensure(root: Path) -> bool:
    """Makes `.venv` complete and up to date.

    Returns:
        Whether something was installed.

    Raises:
        InstallationError: it failed; an incomplete `.venv` was removed.
    """
    folder = root / ".venv"
    with _one_at_a_time(root):
        reason = reason_to_rebuild(root) if os.path.lexists(folder) else None
        if reason:
            print(f"Rebuilding .venv: {reason}", flush=True)
            _remove(folder)
        if not folder.exists():
            print("Installing Python packages into .venv (once)", flush=True)
            try:
                _run(_base_python(), "-m", "venv", str(folder))
                _install(root)
            except BaseException:
                _remove(folder)
                raise
        elif Stamp.read(folder) is None:
            print("Adding Python packages to .venv, which `pulumi` created", flush=True)
            _install(root)
        elif Stamp.read(folder) != Stamp.expected(root):
            print(f"Updating Python packages in .venv: {REQUIREMENTS} changed", flush=True)
            _install(root)
        else:
            return False
        return True


def _install(root: Path) -> None:
    """Installs exactly what the requirements pin."""
    folder = root / ".venv"
    python, uv = folder / "bin" / "python", folder / "bin" / "uv"
    # Marks the environment, which the next run rebuilds if this installation is interrupted.
    (folder / UNFINISHED).touch()
    (folder / STAMP).unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as pinned:
        pinned.writelines(_pin_of("uv", root / REQUIREMENTS))
        pinned.flush()
        pip = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install")
        _run(str(python), *pip, "--no-deps", "--require-hashes", "--requirement", pinned.name)
    sync = ("pip", "sync", "--quiet", "--require-hashes", "--python", str(python))
    _run(str(uv), *sync, str(root / REQUIREMENTS))
    Stamp.expected(root).write()


def _pin_of(package: str, requirements: Path) -> list[str]:
    """The lines of a requirements file that pin one package: its version and its hashes."""
    lines = requirements.read_text(encoding="utf-8").splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{package}=="))
    end = next(number for number in range(start, len(lines)) if not lines[number].endswith("\\\n"))
    return lines[start : end + 1]


def _base_python() -> str:
    """The Python that runs this script; in a virtual environment its base, as `.venv` may be removed."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return str(Path(sys.base_prefix) / "bin" / f"python{_minor(sys.version_info[:2])}")


def _minor(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _version_of(python: Path) -> str | None:
    """The version of an interpreter, as `3.11`; None if it does not run."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(  # noqa: S603 -- the environment's own Python
            [str(python), "-I", "-S", "-c", script], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _remove(folder: Path) -> None:
    """Removes an environment; if it is a symbolic link, removes the link."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _one_at_a_time(root: Path) -> Generator[None]:
    """Keeps two calls of make from installing at the same time. The lock ends with the process."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make that installs packages", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _run(*command: str) -> None:
    done = subprocess.run(  # noqa: S603 -- Python and uv with fixed arguments
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InstallationError(
            f"`{' '.join(command)}` ended with status {done.returncode}. Check that the package index can be "
            f"reached, then run make again. It printed:\n{(done.stdout + done.stderr).strip()}"
        )


def main() -> None:
    """Runs the command line."""
    if sys.argv[1:] == ["--is-intact"]:
        sys.exit(reason_to_rebuild(ROOT) is not None)
    try:
        ensure(ROOT)
    except InstallationError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
