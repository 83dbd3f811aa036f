"""The opaque session id that a client sends: its session, and the instance that created the session.

It has the extension's format (`AesGcmUriStateProtector`): initialization vector, ciphertext, tag and an
HMAC-SHA256 over the three, in base64url.
"""

import hashlib
import hmac
import os
import secrets
import string
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_IV_LENGTH = 12
_SIGNATURE_LENGTH = 32
_MIN_LENGTH = _IV_LENGTH + 16 + _SIGNATURE_LENGTH
_ID_CHARACTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 16


class UnreadableStateError(Exception):
    """A state was not created with this key. The extension does not catch this, so its host returns 500."""


def _new_id() -> str:
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))


@dataclass(frozen=True, slots=True)
class ClientState:
    """Encrypts and decrypts session ids; the extension calls the result client state.

    It is sent as `Mcp-Session-Id` and as `azmcpcs` in the message URL of the SSE transport.

    Args:
        key: 32 bytes; with the same key, sessions of streamable HTTP survive a restart of the host.
        instance: the name of this host. An SSE session can be continued only by the host that created it.
    """

    key: bytes = field(default_factory=lambda: AESGCM.generate_key(256), repr=False)
    instance: str = field(default_factory=_new_id)

    @staticmethod
    def new_session() -> str:
        """A new session id."""
        return _new_id()

    def encrypt(self, session: str) -> str:
        """The state that the client of a session receives."""
        vector = os.urandom(_IV_LENGTH)
        encrypted = vector + AESGCM(self.key).encrypt(vector, f"{session}|{self.instance}".encode(), None)
        return urlsafe_b64encode(encrypted + self._signature(encrypted)).rstrip(b"=").decode()

    def open(self, state: str) -> tuple[str, str] | None:
        """The session and instance in a state; None if the decrypted state does not consist of these two.

        Raises:
            UnreadableStateError: the state was not created with this key.
        """
        try:
            token = b64decode(state + "=" * (-len(state) % 4), altchars="-_", validate=True)
            if len(token) < _MIN_LENGTH:
                raise UnreadableStateError("too short")
            encrypted, signature = token[:-_SIGNATURE_LENGTH], token[-_SIGNATURE_LENGTH:]
            if not hmac.compare_digest(signature, self._signature(encrypted)):
                raise UnreadableStateError("another signature")
            text = AESGCM(self.key).decrypt(encrypted[:_IV_LENGTH], encrypted[_IV_LENGTH:], None).decode()
        except (ValueError, InvalidTag):
            raise UnreadableStateError("not base64url, or cannot be decrypted") from None
        parts = [part for part in text.split("|") if part]
        return (parts[0], parts[1]) if len(parts) == 2 else None  # noqa: PLR2004 - session and instance

    def _signature(self, encrypted: bytes) -> bytes:
        return hmac.digest(self.key, encrypted, hashlib.sha256)
