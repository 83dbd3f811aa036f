"""System-generated resource ids (`_rid`): 4 bytes for a database, 8 for a container, 16 for a document."""

import base64
import hashlib


def database_rid(name: str) -> str:
    """The `_rid` of a database, derived from its name."""
    return _text(_database(name))


def container_rid(database: str, name: str) -> str:
    """The `_rid` of a container."""
    return _text(_container(database, name))


def document_rid(database: str, container: str, number: int) -> str:
    """The `_rid` of a document; `number` is its sequence number."""
    return _text(_container(database, container) + number.to_bytes(8, "little"))


def _database(name: str) -> bytes:
    return hashlib.sha256(f"dbs/{name}".encode()).digest()[:4]


def _container(database: str, name: str) -> bytes:
    own = bytearray(hashlib.sha256(f"dbs/{database}/colls/{name}".encode()).digest()[:4])
    own[0] |= 0x80  # clients distinguish a container from a user by this bit
    return _database(database) + bytes(own)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode().replace("/", "-")
