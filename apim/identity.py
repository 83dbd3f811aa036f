"""Tokens of the service's managed identities."""

import base64
import binascii
import json
from typing import Protocol

from apim.clock import Clock

_RENEW_BEFORE = 300.0
_UNKNOWN_LIFE = 300.0


class IdentityError(Exception):
    """The identity platform did not issue a token."""


class IdentityTokens(Protocol):
    """Requests tokens from the identity platform."""

    async def token(self, *, resource: str, client_id: str | None) -> str:
        """Requests a token of an identity for a resource.

        Args:
            resource: the App ID URI of the resource.
            client_id: client id of a user-assigned identity; None for the system-assigned one.

        Raises:
            Exception: of any type, if there is no token.
        """
        ...


class CachedTokens:
    """Caches tokens, as API Management does, until five minutes before they expire.

    https://learn.microsoft.com/azure/api-management/authentication-managed-identity-policy
    """

    def __init__(self, source: IdentityTokens, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._tokens: dict[tuple[str, str | None], tuple[str, float]] = {}

    def cached(self, resource: str, client_id: str | None) -> str | None:
        """The cached token; None if it does not exist."""
        known = self._tokens.get((resource, client_id))
        if known is not None and known[1] > self._clock.now():
            return known[0]
        return None

    async def fetch(self, resource: str, client_id: str | None) -> str:
        """Requests a new token and caches it.

        Raises:
            IdentityError: the identity platform did not issue a token.
        """
        try:
            token = await self._source.token(resource=resource, client_id=client_id)
        except Exception as error:
            raise IdentityError(f"no token of the managed identity for {resource}: {error}") from error
        self._tokens[resource, client_id] = token, self._expiry(token) - _RENEW_BEFORE
        return token

    def clear(self) -> None:
        """Removes all tokens."""
        self._tokens.clear()

    def _expiry(self, token: str) -> float:
        try:
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            return float(claims["exp"])
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
            return self._clock.now() + _UNKNOWN_LIFE + _RENEW_BEFORE
