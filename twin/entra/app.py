"""The stand-in for Entra ID, as a web application."""

import secrets

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twin.clock import Clock
from twin.entra.accounts import Accounts
from twin.entra.browser import BrowserEndpoints
from twin.entra.directory import Directory
from twin.entra.grants import Grants
from twin.entra.keys import SigningKeys
from twin.entra.managed_identity import IdentityEndpoint
from twin.entra.metadata import MetadataEndpoints
from twin.entra.pages import CONTENT_SECURITY_POLICY
from twin.entra.token_endpoint import TokenEndpoint
from twin.entra.tokens import TokenIssuer


def create_app(
    directory: Directory, clock: Clock, keys: SigningKeys, *, accounts: Accounts | None = None
) -> Starlette:
    """Creates the web application for one tenant.

    `app.state` contains `accounts` (to disable users and revoke sessions), `keys` (to rotate keys) and
    `identity_headers`: a secret for each identity host, new in each run. The host's process receives it in
    the environment variable `IDENTITY_HEADER`, and `<base_url>/twin/managed-identity/token` in
    `IDENTITY_ENDPOINT`.

    Args:
        directory: the tenant.
        clock: the clock for the times in tokens.
        keys: the keys that sign the tokens.
        accounts: the state of the users; by default all users are enabled.

    Raises:
        ValueError: two identity hosts have the same name and would share a secret.
    """
    names = [host.name for host in directory.identity_hosts]
    if len(set(names)) != len(names):
        raise ValueError(f"identity hosts need different names; the names are: {', '.join(names)}")
    accounts = accounts or Accounts(directory, clock)
    issuer = TokenIssuer(directory, clock, keys)
    grants = Grants(directory, accounts, clock, keys)
    browser = BrowserEndpoints(directory, accounts, grants, keys)
    identity_headers = {name: secrets.token_urlsafe(32) for name in names}
    tokens = TokenEndpoint(directory, clock, keys, grants, issuer)
    identities = IdentityEndpoint(directory, clock, issuer, identity_headers)
    metadata = MetadataEndpoints(directory, clock, keys)
    app = Starlette(
        routes=[
            Route("/twin/managed-identity/token", identities.token),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", metadata.configuration),
            Route("/{tenant}/discovery/v2.0/keys", metadata.keys),
            Route("/{tenant}/oauth2/v2.0/authorize", browser.authorize),
            Route("/{tenant}/oauth2/v2.0/token", tokens.token, methods=["POST"]),
            Route("/{tenant}/oauth2/v2.0/logout", browser.logout),
            Route("/{tenant}/login", browser.login, methods=["POST"]),
        ]
    )
    app.add_middleware(SecureHeaders)
    app.state.accounts = accounts
    app.state.keys = keys
    app.state.identity_headers = identity_headers
    return app


class SecureHeaders:
    """Adds security headers and the `Server` header to each response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles an ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("cache-control", "no-store")
                headers["content-security-policy"] = CONTENT_SECURITY_POLICY
                headers["x-content-type-options"] = "nosniff"
                headers["x-frame-options"] = "DENY"
                # With `no-referrer`, browsers would send `Origin: null` with the sign-in form.
                headers["referrer-policy"] = "same-origin"
                headers["server"] = "Entra ID stand-in (twin)"
            await send(message)

        await self._app(scope, receive, send_with_headers)
