"""Built-in authentication of App Service and Container Apps, which a backend uses to admit only the gateway.

It runs in front of an app and accepts bearer tokens of one Entra tenant for allowed audiences and
identities. With the stack's configuration (action `Return401`, `allowedPrincipals.identities`) it never
redirects and uses no cookies.

Source:
https://learn.microsoft.com/azure/app-service/configure-authentication-provider-aad#use-a-built-in-authorization-policy
"""

import base64
import binascii
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from twin.clock import Clock

_log = logging.getLogger(__name__)

_ALGORITHMS = ["RS256"]
_OWN_HEADERS = ("x-ms-client-principal", "x-ms-token-")
_SKEW = 300
"""Allowed clock skew in seconds."""
DENIED = "You do not have permission to view this directory or page."


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInAuth:
    """The callers that an app admits.

    Attributes:
        issuer: the required `iss`, compared exactly.
        jwks_url: the address of the issuer's keys.
        audiences: the allowed values of `aud`.
        identities: object ids (`oid`) of the admitted principals. Never empty, because in Azure an empty list
            admits the whole tenant.
        applications: client ids (`azp`) of the admitted applications; empty to admit every application.

    Raises:
        ValueError: a required value is empty.
    """

    issuer: str
    jwks_url: str
    audiences: frozenset[str]
    identities: frozenset[str]
    applications: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.issuer or not self.jwks_url:
            raise ValueError("built-in authentication needs an issuer and the address of its keys")
        if not self.audiences:
            raise ValueError(
                "built-in authentication needs an allowed audience; without one it would admit any token"
            )
        if not self.identities:
            raise ValueError(
                "built-in authentication needs an allowed identity; without one it would admit any user"
            )


@dataclass(frozen=True, slots=True)
class AdmittedCaller:
    """An admitted caller, as its token describes it."""

    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RejectedCaller:
    """A rejected caller.

    Attributes:
        status: 401 without a valid token, 403 with a valid token of another principal, 503 if the keys of the
            issuer cannot be fetched.
        reason: the reason for the log, without any part of the token.
    """

    status: Literal[401, 403, 503]
    reason: str


class TokenCheck:
    """Authenticates requests by their `Authorization` header.

    The keys are fetched for the first token, and again for a token with an unknown key id, but at most
    once every few seconds.

    Args:
        settings: the callers to admit.
        clock: the clock for the expiry of tokens.
    """

    _REFETCH_AFTER = 5.0

    def __init__(self, settings: BuiltInAuth, *, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = float("-inf")
        self._fetching = anyio.Lock()

    async def authenticate(self, authorization: str | None) -> AdmittedCaller | RejectedCaller:
        """Authenticates a request.

        Args:
            authorization: the value of its `Authorization` header, or None.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return RejectedCaller(401, "no bearer token")
        key_id = _key_id(token)
        if key_id is None:
            return RejectedCaller(401, "not a signed JWT with a key id")
        try:
            keys = await self._keys_with(key_id)
        except (OSError, ValueError, JoseError) as error:
            return RejectedCaller(
                503, f"the keys at {self.settings.jwks_url} cannot be fetched: {type(error).__name__}"
            )
        try:
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError) as error:
            return RejectedCaller(401, f"invalid signature or format: {type(error).__name__}")
        return self._check_claims(claims)

    def _check_claims(self, claims: Mapping[str, Any]) -> AdmittedCaller | RejectedCaller:
        """Checks the claims of a token with a valid signature."""
        now = self._clock.now()
        expires, starts = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(expires, int | float) or now >= expires:
            return RejectedCaller(401, "expired")
        if not isinstance(starts, int | float) or now < starts - _SKEW:
            return RejectedCaller(401, "not valid yet")
        if claims.get("iss") != self.settings.issuer:
            return RejectedCaller(401, "another issuer")
        audience = claims.get("aud")
        if not isinstance(audience, str) or audience not in self.settings.audiences:
            return RejectedCaller(401, "another audience")
        identity = claims.get("oid")
        if not isinstance(identity, str) or identity not in self.settings.identities:
            return RejectedCaller(403, "not an allowed identity")
        return self._check_application(claims)

    def _check_application(self, claims: Mapping[str, Any]) -> AdmittedCaller | RejectedCaller:
        application = claims.get("azp") or claims.get("appid")
        if self.settings.applications and application not in self.settings.applications:
            return RejectedCaller(403, "not an allowed application")
        return AdmittedCaller(claims)

    async def _keys_with(self, key_id: str) -> KeySet:
        """The issuer's keys, fetched again if none has the key id."""
        async with self._fetching:
            known = self._keys is not None and any(key.kid == key_id for key in self._keys.keys)
            # The clock may have been moved in either direction in the meantime.
            may_fetch = abs(self._clock.now() - self._fetched_at) >= self._REFETCH_AFTER
            if self._keys is None or (not known and may_fetch):
                # Imported here, because an HTTP client takes a tenth of the start time of a process.
                from twin.json_document import fetch_json  # noqa: PLC0415 -- see above

                self._keys = KeySet.import_key_set(await fetch_json(self.settings.jwks_url))
                self._fetched_at = self._clock.now()
            return self._keys


class BuiltInAuthMiddleware:
    """ASGI middleware that rejects the requests that its `TokenCheck` does not admit.

    The app receives the caller's identity in `X-MS-CLIENT-PRINCIPAL*` headers; those of a client are dropped.

    Args:
        app: the app to protect.
        check: checks the token of a request.
    """

    def __init__(self, app: ASGIApp, *, check: TokenCheck) -> None:
        self._app = app
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves an ASGI request, or rejects it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        result = await self._check.authenticate(Headers(scope=scope).get("authorization"))
        if isinstance(result, RejectedCaller):
            _log.info("%s %s: %s, %s", scope.get("method"), scope["path"], result.status, result.reason)
            headers = rejection_headers(result, self._check.settings)
            refusal = PlainTextResponse(DENIED, status_code=result.status, headers=headers)
            await refusal(scope, receive, send)
            return
        sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        identified = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in with_principal(sent, result)
        ]
        await self._app({**scope, "headers": identified}, receive, send)


def with_principal(headers: Iterable[tuple[str, str]], caller: AdmittedCaller) -> list[tuple[str, str]]:
    """The headers of a request with those about the caller, which replace those that the client sent."""
    sent = [(name, value) for name, value in headers if not name.lower().startswith(_OWN_HEADERS)]
    return [*sent, *principal_headers(caller.claims).items()]


def principal_headers(claims: Mapping[str, Any]) -> dict[str, str]:
    """The headers in which an app receives the caller's identity.

    Source: https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
    """
    principal = {
        "auth_typ": "aad",
        "claims": [{"typ": name, "val": str(value)} for name, value in claims.items()],
        "name_typ": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "role_typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    }
    headers = {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(principal).encode()).decode(),
        "X-MS-CLIENT-PRINCIPAL-ID": str(claims["oid"]),
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    }
    name = claims.get("preferred_username")
    return (
        headers | {"X-MS-CLIENT-PRINCIPAL-NAME": name}
        if isinstance(name, str) and name.isascii()
        else headers
    )


def rejection_headers(result: RejectedCaller, settings: BuiltInAuth) -> dict[str, str]:
    """The headers of an error response; its body is `DENIED`."""
    challenge = f'Bearer realm="twin" authorization_uri="{settings.issuer}"'
    return {"WWW-Authenticate": challenge} if result.status == 401 else {}  # noqa: PLR2004 - an HTTP status


def _key_id(token: str) -> str | None:
    """The unverified `kid` in the header of a compact JWS, or None."""
    head, *rest = token.split(".")
    if len(rest) != 2:  # noqa: PLR2004 - header, payload and signature
        return None
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    key_id = header.get("kid") if isinstance(header, dict) else None
    return key_id if isinstance(key_id, str) else None
