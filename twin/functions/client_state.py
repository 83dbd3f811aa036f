"""The opaque state that a client carries: its session and the instance that opened it."""

import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


@dataclass(frozen=True, slots=True)
class ClientState:
    """Seals session ids into what the extension calls client state, and opens them again.

    The value travels as `Mcp-Session-Id` and as `azmcpcs` in the message URL of the SSE transport.

    Args:
        key: 32 bytes; who keeps it over a restart keeps the sessions of streamable HTTP alive.
        instance: the name of this host; another instance's SSE sessions cannot be reached here.
    """

    key: bytes = field(default_factory=lambda: AESGCM.generate_key(256), repr=False)
    instance: str = field(default_factory=lambda: secrets.token_hex(8))

    def seal(self, session: str) -> str:
        """The state to give to the client of a session."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + AESGCM(self.key).encrypt(nonce, f"{session}|{self.instance}".encode(), None)
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, state: str) -> tuple[str, str] | None:
        """The session and instance in a state, or None when it was not sealed with this key."""
        try:
            sealed = urlsafe_b64decode(state + "=" * (-len(state) % 4))
            session, instance = (
                AESGCM(self.key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode().split("|")
            )
        except (ValueError, InvalidTag):
            return None
        return session, instance
