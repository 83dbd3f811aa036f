"""Stores documents in SQLite. Each operation is one transaction, so ETags detect concurrent writes."""

import json
import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.clock import Clock
from twin.cosmos.account import Container
from twin.cosmos.documents import dump, expiry, key_of
from twin.cosmos.errors import conflict, not_found, precondition_failed

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    container TEXT NOT NULL,
    partition_key TEXT NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    etag TEXT NOT NULL,
    written INTEGER NOT NULL,
    expires REAL,
    body TEXT NOT NULL,
    PRIMARY KEY (container, partition_key, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_number ON documents (container, number);
CREATE INDEX IF NOT EXISTS by_expiry ON documents (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS writes (last INTEGER NOT NULL);
INSERT INTO writes SELECT 0 WHERE NOT EXISTS (SELECT * FROM writes);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A stored document.

    Attributes:
        number: sequence number of its creation; feeds are ordered by it.
        etag: ETag with quotes, as in headers and in `_etag`.
        written: POSIX seconds of the last write (`_ts`).
        content: the document as the client sent it.
    """

    number: int
    etag: str
    written: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAddress:
    """The address of a document.

    Attributes:
        container: path of the container, `dbs/x/colls/y`.
        key: partition key as compact JSON.
        id: id of the document.
    """

    container: str
    key: str
    id: str


class SqliteStore:
    """The documents of one account.

    All statements are short and run in the caller's thread: with SQLite's write-ahead log a write takes a
    fraction of a millisecond, so threads would not help.

    Args:
        path: the database file, created with mode 0600; None for a database in memory.
        clock: the clock for timestamps and expiry.
    """

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._clock = clock
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        # The twin uses the connection in one thread only; tests create it in one thread and use it in
        # another.
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error:
            # The file may be damaged. It is closed, because the caller cannot close it.
            self._db.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def clear(self) -> None:
        """Deletes every document."""
        with self._transaction():
            self._db.execute("DELETE FROM documents")

    @property
    def last_write(self) -> int:
        """The sequence number of the last write, which is part of session tokens."""
        return self._db.execute("SELECT last FROM writes").fetchone()[0]

    def read(self, address: DocumentAddress) -> Document:
        """The document at an address.

        Raises:
            CosmosError: 404, if it does not exist.
        """
        row = self._db.execute(
            "SELECT number, etag, written, body FROM documents"
            " WHERE container = ? AND partition_key = ? AND id = ?"
            " AND (expires IS NULL OR expires > ?)",
            (address.container, address.key, address.id, self._clock.now()),
        ).fetchone()
        if row is None:
            raise not_found()
        return _document(row)

    def create(self, address: DocumentAddress, content: dict[str, Any], container: Container) -> Document:
        """Stores a new document.

        Raises:
            CosmosError: 409, if it exists already.
        """
        with self._transaction():
            if self._current(address) is not None:
                raise conflict()
            return self._write(address, content, container, number=None)

    def upsert(
        self, address: DocumentAddress, content: dict[str, Any], container: Container, *, if_match: str | None
    ) -> tuple[Document, bool]:
        """Creates or replaces a document; returns the document and whether it is new.

        Raises:
            CosmosError: 412, if the ETag of the existing document is not `if_match`.
        """
        with self._transaction():
            current = self._current(address)
            if current is None:
                return self._write(address, content, container, number=None), True
            _check(if_match, current.etag)
            return self._write(address, content, container, number=current.number), False

    def replace(
        self, address: DocumentAddress, content: dict[str, Any], container: Container, *, if_match: str | None
    ) -> Document:
        """Replaces a document.

        Raises:
            CosmosError: 404, if it does not exist; 412, if its ETag is not `if_match`.
        """
        with self._transaction():
            current = self._current(address)
            if current is None:
                raise not_found()
            _check(if_match, current.etag)
            return self._write(address, content, container, number=current.number)

    def delete(self, address: DocumentAddress, *, if_match: str | None) -> None:
        """Deletes a document.

        Raises:
            CosmosError: 404, if it does not exist; 412, if its ETag is not `if_match`.
        """
        with self._transaction():
            current = self._current(address)
            if current is None:
                raise not_found()
            _check(if_match, current.etag)
            self._remove(address)
            self._db.execute("UPDATE writes SET last = last + 1")

    def feed(self, container: str, *, key: str | None, after: int) -> Iterator[Document]:
        """The documents with sequence numbers above `after`, in a container or in one partition of it."""
        rows = self._db.execute(
            "SELECT number, etag, written, body FROM documents WHERE container = ? AND number > ?"
            " AND (?3 IS NULL OR partition_key = ?3) AND (expires IS NULL OR expires > ?4) ORDER BY number",
            (container, after, key, self._clock.now()),
        )
        for row in rows.fetchall():
            yield _document(row)

    def _current(self, address: DocumentAddress) -> Document | None:
        """The document at an address, read within a transaction. An expired document is deleted first."""
        row = self._db.execute(
            "SELECT number, etag, written, body, expires FROM documents"
            " WHERE container = ? AND partition_key = ? AND id = ?",
            (address.container, address.key, address.id),
        ).fetchone()
        if row is None:
            return None
        *stored, expires = row
        if expires is not None and expires <= self._clock.now():
            self._remove(address)
            return None
        return _document(tuple(stored))

    def _write(
        self, address: DocumentAddress, content: dict[str, Any], container: Container, *, number: int | None
    ) -> Document:
        now = self._clock.now()
        self._db.execute("DELETE FROM documents WHERE expires <= ?", (now,))
        (write,) = self._db.execute("UPDATE writes SET last = last + 1 RETURNING last").fetchone()
        document = Document(
            number=number if number is not None else write,
            etag=f'"{write:08x}-0000-4000-0000-{int(now):012x}"',
            written=int(now),
            content=content,
        )
        self._db.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                address.container,
                key_of(content, container),
                address.id,
                document.number,
                document.etag,
                document.written,
                expiry(content, container, now),
                dump(content),
            ),
        )
        return document

    def _remove(self, address: DocumentAddress) -> None:
        self._db.execute(
            "DELETE FROM documents WHERE container = ? AND partition_key = ? AND id = ?",
            (address.container, address.key, address.id),
        )

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _check(if_match: str | None, etag: str) -> None:
    if if_match is not None and if_match not in {etag, "*"}:
        raise precondition_failed()


def _document(row: tuple[Any, ...]) -> Document:
    number, etag, written, body = row
    return Document(number=number, etag=etag, written=written, content=json.loads(body))
