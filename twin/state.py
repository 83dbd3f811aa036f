"""The folder for the state of a twin that survives a restart."""

import fcntl
import os
import secrets
import shlex
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from twin.azure.identifiers import Seed
from twin.clean import LOCK


class StateInUseError(Exception):
    """Another twin is using the folder."""


class StateError(Exception):
    """The folder cannot be used; the message has the reason and the remedy."""


class StateFolder:
    """The state: the seed of ids and keys, Entra's keys, the documents of Cosmos DB, the blobs of Azurite.

    Only one running twin and one user of the machine (mode 0700) can use the folder. The folder is locked
    while this context manager is active.

    Args:
        path: the folder, which is created if it does not exist.

    Attributes:
        path: the absolute path of the folder, because other processes have other working directories.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Creates and locks the folder.

        Raises:
            StateInUseError: another process is using the folder.
            StateError: it is not a folder, cannot be written, or contains files of other programs.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._require_own()
            self.path.chmod(0o700)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (OSError, ValueError) as error:
            raise StateError(
                f"The state folder {str(self.path)!r} cannot be used: {_reason(error)}. Choose a writable "
                "folder, or one that does not exist yet:\n  make up ARGS='--state .twin/other'"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise StateInUseError(
                f"Another twin is using {self.path}. Stop it, or choose other ports and another folder:"
                "\n  make up PORT=9000 ARGS='--state .twin/other'"
            ) from None
        return self

    def _require_own(self) -> None:
        """Checks that the folder contains no files of other programs.

        Raises:
            StateError: the folder contains a file that is not part of a twin's state.
        """
        if (self.path / LOCK).exists():
            return
        # The folder may contain the state folders of twins on other ports.
        if foreign := [entry.name for entry in self.path.iterdir() if not (entry / LOCK).exists()]:
            raise StateError(
                f"The folder {str(self.path)!r} contains files that are not part of a twin's state, such as "
                f"{min(foreign)!r}. Choose an empty folder, or one that does not exist yet:\n"
                "  make up ARGS='--state .twin/other'"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def explain_errors(self, file: Path, content: str) -> Generator[None]:
        """Converts errors in reading a file to an error with the command to continue without the file.

        Args:
            file: the file that is read inside the context.
            content: a description of its content for the message.

        Raises:
            StateError: the file could not be read.
        """
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, LookupError) as error:
            raise StateError(
                f"{str(file)!r} cannot be read ({type(error).__name__}: {error}). It may be damaged "
                f"or belong to another user. It contains {content}; without it the twin "
                f"starts with an empty state:\n"
                f"  mv {shlex.quote(str(file))} {shlex.quote(f'{file}.damaged')}"
            ) from error

    @property
    def clock(self) -> Path:
        """The file of the shared clock."""
        return self.path / "clock"

    @property
    def readings(self) -> Path:
        """The file of the shared readings."""
        return self.path / "readings"

    @property
    def entra_keys(self) -> Path:
        """The file with Entra's signing keys."""
        return self.path / "entra-keys.json"

    @property
    def documents(self) -> Path:
        """The database with the documents of Cosmos DB."""
        return self.path / "cosmos.sqlite"

    @property
    def blobs(self) -> Path:
        """The folder in which Azurite stores blobs."""
        return self.path / "blobs"

    @property
    def blob_keys(self) -> Path:
        """The folder with the keys of Azurite's accounts."""
        return self.path / "blob-keys"

    @property
    def containers(self) -> Path:
        """The folder with the working directories of the processes that run instead of containers."""
        return self.path / "containers"

    def seed(self) -> Seed:
        """The twin's seed, created in the first run."""
        file = self.path / "seed"
        with suppress(FileNotFoundError):
            stored = file.read_bytes()
            if len(stored) == 32:  # noqa: PLR2004 - the length that is written below
                return Seed(stored)
        new_seed = secrets.token_bytes(32)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(new_seed)
        return Seed(new_seed)


def _reason(error: OSError | ValueError) -> str:
    """The message of the operating system for an error."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "it, or a part of its path, is a file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
