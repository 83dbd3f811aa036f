"""ASGI middleware that requires a bearer token (RFC 6750)."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class RequireBearer:
    """Rejects requests without an accepted token with status 401.

    Args:
        app: receives requests with an accepted token.
        accepts: returns whether a token is accepted.
        challenge: value of `WWW-Authenticate`.
    """

    def __init__(self, app: ASGIApp, *, accepts: Callable[[str], bool], challenge: str) -> None:
        self._app = app
        self._accepts = accepts
        self._challenge = challenge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles an ASGI connection."""
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token and self._accepts(token):
            await self._app(scope, receive, send)
            return
        answer = JSONResponse(
            {"error": "invalid_token"}, status_code=401, headers={"WWW-Authenticate": self._challenge}
        )
        await answer(scope, receive, send)
