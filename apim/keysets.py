"""Signing keys and issuers of token services, from their OpenID configuration.

A configuration is kept for an hour. For an unknown key it is fetched again, at most once in five minutes.
https://learn.microsoft.com/azure/api-management/validate-jwt-policy#elements
"""

import asyncio
import json
from dataclasses import dataclass

import jwt

from apim.clock import Clock
from apim.failure import SendError
from apim.messages import PayloadTooLargeError, buffered
from apim.network import Network
from apim.tokens import SigningKey

_LIFETIME = 3600.0
_RETRY_AFTER = 300.0
_TIMEOUT = 30.0


class KeysUnavailableError(Exception):
    """The endpoint did not return a usable configuration."""


@dataclass(frozen=True, slots=True)
class OpenIdConfiguration:
    """The configuration that an endpoint returned.

    Attributes:
        keys: by `kid`.
    """

    issuer: str
    keys: dict[str, SigningKey]


@dataclass(slots=True)
class _Known:
    configuration: OpenIdConfiguration | None = None
    fetched: float = float("-inf")
    tried: float = float("-inf")


class OpenIdConfigurations:
    """The configurations of endpoints, by URL."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self._network = network
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._lock = asyncio.Lock()

    def cached(self, url: str, kid: str | None) -> OpenIdConfiguration | None:
        """The cached configuration if no request is due, otherwise None.

        A request is due if the configuration is an hour old or lacks the key, and the last attempt was at
        least five minutes ago.
        """
        known = self._known.get(url)
        if known is None or known.configuration is None:
            return None
        now = self._clock.now()
        if kid is not None and kid not in known.configuration.keys and now - known.tried >= _RETRY_AFTER:
            return None
        if now - known.fetched >= _LIFETIME and now - known.tried >= _RETRY_AFTER:
            return None
        return known.configuration

    async def get(self, url: str, kid: str | None) -> OpenIdConfiguration:
        """The configuration, which is fetched if a request is due.

        Raises:
            KeysUnavailableError: the endpoint has never returned a usable configuration.
        """
        async with self._lock:
            configuration = self.cached(url, kid)
            if configuration is not None:
                return configuration
            known = self._known.setdefault(url, _Known())
            if known.configuration is None and self._clock.now() - known.tried < _RETRY_AFTER:
                raise KeysUnavailableError(
                    f"{url} returned no configuration; the next attempt is five minutes after the last one"
                )
            try:
                known.configuration = await self._fetch(url)
                known.tried = known.fetched = self._clock.now()
            except KeysUnavailableError:
                known.tried = self._clock.now()
                if known.configuration is None:
                    raise
            return known.configuration

    def clear(self) -> None:
        """Removes all configurations."""
        self._known.clear()

    async def _fetch(self, url: str) -> OpenIdConfiguration:
        document = await self._json(url)
        issuer, keys_url = document.get("issuer"), document.get("jwks_uri")
        if not isinstance(issuer, str) or not isinstance(keys_url, str):
            raise KeysUnavailableError(f"the document at {url} has no issuer or no jwks_uri")
        listed = (await self._json(keys_url)).get("keys")
        keys: dict[str, SigningKey] = {}
        for key in listed if isinstance(listed, list) else []:
            try:
                kid = str(key.get("kid", ""))
                keys[kid] = SigningKey(kid, jwt.PyJWK.from_dict(key))
            except (jwt.PyJWTError, AttributeError):
                continue
        return OpenIdConfiguration(issuer, keys)

    async def _json(self, url: str) -> dict[str, object]:
        try:
            reply = await self._network.send(
                "GET", url, headers=[("Accept", "application/json")], timeout=_TIMEOUT
            )
            try:
                content = await buffered(reply.chunks())
            finally:
                reply.close()
        except (SendError, PayloadTooLargeError) as error:
            raise KeysUnavailableError(str(error)) from error
        if reply.status != 200:  # noqa: PLR2004 -- OK
            raise KeysUnavailableError(f"{url} answered {reply.status}")
        try:
            document = json.loads(content)
        except ValueError as error:
            raise KeysUnavailableError(f"the document at {url} is not JSON") from error
        if not isinstance(document, dict):
            raise KeysUnavailableError(f"the document at {url} is not a JSON object")
        return document
