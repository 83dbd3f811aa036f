"""The stand-in's keys, which sign its tokens and encrypt its state."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey, RSAKey

_ALGORITHM = "RS256"
_JWE_HEADER = {"alg": "dir", "enc": "A256GCM"}
_REGISTRY = jws.JWSRegistry(algorithms=[_ALGORITHM])
_JWE_REGISTRY = jwe.JWERegistry(algorithms=["dir", "A256GCM"])


class InvalidTokenError(Exception):
    """An invalid token; the message has the reason and never contains the token."""


class SigningKeys:
    """RSA keys of 2048 bits for signatures, and one symmetric key for state that only this stand-in reads.

    Args:
        path: the file (mode 0600) in which the keys are stored; None to keep them in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        if path is not None and path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            self._signing = [RSAKey.import_key(key) for key in stored["signing"]]
            self._state_key = OctKey.import_key(stored["sealing"])
        else:
            self._signing = [_new_key()]
            self._state_key = OctKey.generate_key(256)
            self._save()

    @property
    def jwks(self) -> dict[str, Any]:
        """The JWKS with the public keys."""
        return {"keys": [{**key.as_dict(private=False), "use": "sig"} for key in self._signing]}

    def rotate(self, *, keep_previous: bool = True) -> None:
        """Starts to sign with a new key.

        Args:
            keep_previous: continue to publish the old key, as in a normal rotation. Otherwise it is removed
                immediately and all tokens signed with it become invalid, as in an emergency.
        """
        self._signing = [_new_key(), *(self._signing[:1] if keep_previous else [])]
        self._save()

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact JWT (RS256) with `typ` and `kid` in its header."""
        key = self._signing[0]
        header = {"typ": "JWT", "alg": _ALGORITHM, "kid": key.kid}
        return jws.serialize_compact(header, json.dumps(claims), key, registry=_REGISTRY)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that was signed with a published key. The caller must check the claims.

        Raises:
            InvalidTokenError: it is not a JWT with a JSON object that this stand-in has signed.
        """
        keys = KeySet(list(self._signing))
        try:
            claims = json.loads(jws.deserialize_compact(token, keys, registry=_REGISTRY).payload)
        except (JoseError, ValueError, TypeError) as error:  # TypeError: header members of a wrong JSON type
            raise InvalidTokenError("the token is malformed or not signed by a published key") from error
        if not isinstance(claims, dict):
            raise InvalidTokenError("the token's payload is not a JSON object")
        return claims

    def encrypt(self, content: Mapping[str, Any], *, purpose: str) -> str:
        """Encrypts state that clients keep, such as a refresh token. `purpose` names the kind of state."""
        return jwe.encrypt_compact(
            {**_JWE_HEADER, "typ": purpose},
            json.dumps(content).encode(),
            self._state_key,
            registry=_JWE_REGISTRY,
        )

    def decrypt(self, text: str, *, purpose: str) -> dict[str, Any]:
        """Decrypts state that `encrypt` encrypted for the same purpose.

        Raises:
            InvalidTokenError: it was changed, or encrypted for another purpose or by another stand-in.
        """
        try:
            decrypted = jwe.decrypt_compact(text, self._state_key, registry=_JWE_REGISTRY)
            content = json.loads(decrypted.plaintext or b"")
        except (JoseError, ValueError, TypeError) as error:
            raise InvalidTokenError("not encrypted by this stand-in") from error
        if decrypted.headers().get("typ") != purpose:
            raise InvalidTokenError(f"not encrypted as {purpose}")
        return content

    def _save(self) -> None:
        if self._path is None:
            return
        stored = {
            "signing": [key.as_dict(private=True) for key in self._signing],
            "sealing": self._state_key.as_dict(private=True),
        }
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new_file = self._path.with_name(f"{self._path.name}.new")
        new_file.unlink(missing_ok=True)
        with os.fdopen(os.open(new_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(stored, file)
        new_file.replace(self._path)


def _new_key() -> RSAKey:
    kid = base64.urlsafe_b64encode(secrets.token_bytes(20)).rstrip(b"=").decode()
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": _ALGORITHM})
