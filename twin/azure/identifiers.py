"""Derives from a seed the values that Azure would generate: GUIDs, keys and random suffixes."""

import base64
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Seed:
    """The secret from which all generated values of a twin are derived.

    Args:
        secret: at least 16 random bytes; a twin keeps them in its state folder, tests use a fixed value.
    """

    secret: bytes = field(repr=False)

    def octets(self, purpose: str, length: int) -> bytes:
        """Pseudo-random bytes: HMAC-SHA256 of the purpose and a counter."""
        blocks = -(-length // 32)
        return b"".join(
            hmac.digest(self.secret, f"{purpose}\0{block}".encode(), "sha256") for block in range(blocks)
        )[:length]

    def guid(self, purpose: str) -> str:
        """A GUID in the format of a random (version 4) GUID."""
        return str(UUID(bytes=self.octets(purpose, 16), version=4))

    def key(self, purpose: str, length: int = 32) -> str:
        """A key in base64."""
        return base64.b64encode(self.octets(purpose, length)).decode()

    def hexadecimal(self, purpose: str, length: int) -> str:
        """Lower-case hexadecimal digits."""
        return self.octets(purpose, (length + 1) // 2).hex()[:length]

    def below(self, purpose: str, bound: int) -> Iterator[int]:
        """An infinite sequence of integers from 0 up to but not including the bound."""
        counter = 0
        while True:
            yield int.from_bytes(self.octets(f"{purpose}\0{counter}", 16), "big") % bound
            counter += 1
