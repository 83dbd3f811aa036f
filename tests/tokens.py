"""An issuer of tokens for tests of token checks: it signs any claims."""

import itertools
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ISSUER = "https://login.test/tenant/v2.0"


@cache
def _signing_keys() -> tuple[RSAKey, RSAKey]:
    return RSAKey.generate_key(2048, {"kid": "first"}), RSAKey.generate_key(2048, {"kid": "second"})


class TestIssuer:
    """Publishes its current signing key at `/keys`; `fetched` counts the requests for the key."""

    __test__ = False

    def __init__(self) -> None:
        self._next = itertools.cycle(_signing_keys())
        self.fetched = 0
        self.app = Starlette(routes=[Route("/keys", self._keys)])
        self.rotate()

    def rotate(self) -> None:
        """Replaces the signing key by the other one of two keys."""
        self._key = next(self._next)

    def sign(self, claims: dict[str, Any], **header: object) -> str:
        """A compact JWT."""
        return jwt.encode({"alg": "RS256", "kid": self._key.kid} | header, claims, self._key)

    async def _keys(self, _: Request) -> JSONResponse:
        self.fetched += 1
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})
