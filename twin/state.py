"""The folder in which a twin keeps what survives a restart."""

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
    """Another twin runs on the same folder."""


class StateError(Exception):
    """The folder cannot be used; the message says why and what to give instead."""


class StateFolder:
    """A twin's state: the seed of its ids and keys, Entra's keys, Cosmos DB's documents, Azurite's blobs.

    The folder belongs to one running twin at a time and to one user of the machine (mode 0700). Use it as a
    context manager: it is locked inside.

    Args:
        path: the folder; made when it is missing.

    Attributes:
        path: the same, absolute: processes with other working directories receive paths of files in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Makes the folder and locks it.

        Raises:
            StateInUseError: another process has it.
            StateError: it is not a folder, or cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._require_own()
            self.path.chmod(0o700)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (OSError, ValueError) as error:
            raise StateError(
                f"The state folder {str(self.path)!r} cannot be used: {_reason(error)}. Name a folder that "
                "you may write, or one that does not exist yet:\n  make up ARGS='--state .twin/other'"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise StateInUseError(
                f"Another twin is using {self.path}. Stop it, or give this one ports and a folder of its own:"
                "\n  make up PORT=9000 ARGS='--state .twin/other'"
            ) from None
        return self

    def _require_own(self) -> None:
        """Makes sure that taking the folder over takes nothing away from others.

        Raises:
            StateError: it holds something that no twin wrote.
        """
        if (self.path / LOCK).exists():
            return
        # Folders of twins on other ports may be below.
        if strange := [entry.name for entry in self.path.iterdir() if not (entry / LOCK).exists()]:
            raise StateError(
                f"The folder {str(self.path)!r} contains files that are not a twin's state, such as "
                f"{min(strange)!r}. Name an empty folder, or one that does not exist yet:\n"
                "  make up ARGS='--state .twin/other'"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def opening(self, file: Path, holds: str) -> Generator[None]:
        """Says which file of the folder is damaged, what it holds, and how to do without.

        Raises:
            StateError: the code inside could not read the file.
        """
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, LookupError) as error:
            raise StateError(
                f"{str(file)!r} cannot be read ({type(error).__name__}: {error}). Is it damaged, or another "
                f"user's? It contains {holds}; without it the twin starts with an empty state:\n"
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
        """Entra's signing keys."""
        return self.path / "entra-keys.json"

    @property
    def documents(self) -> Path:
        """Cosmos DB's documents."""
        return self.path / "cosmos.sqlite"

    @property
    def blobs(self) -> Path:
        """Azurite's folder."""
        return self.path / "blobs"

    @property
    def blob_keys(self) -> Path:
        """The keys of Azurite's accounts."""
        return self.path / "blob-keys"

    @property
    def containers(self) -> Path:
        """The folders of containers' processes."""
        return self.path / "containers"

    def seed(self) -> Seed:
        """The twin's seed, made on the first run."""
        file = self.path / "seed"
        with suppress(FileNotFoundError):
            stored = file.read_bytes()
            if len(stored) == 32:  # noqa: PLR2004 - the length that is written below
                return Seed(stored)
        fresh = secrets.token_bytes(32)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(fresh)
        return Seed(fresh)


def _reason(error: OSError | ValueError) -> str:
    """What is wrong, in the system's words."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "it, or a part of its path, is a file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
