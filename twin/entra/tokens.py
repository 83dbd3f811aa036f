"""Issues and verifies the tokens of the stand-in.

Sources: learn.microsoft.com/entra/identity-platform/id-token-claims-reference and
access-token-claims-reference.
"""

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from twin.clock import Clock
from twin.entra.directory import TOKEN_EXCHANGE, Application, Directory, User
from twin.entra.errors import EntraError, unknown_resource
from twin.entra.keys import InvalidTokenError, SigningKeys

LIFETIME = 3600
"""Lifetime of ID tokens and access tokens in seconds."""

MANAGED_IDENTITY_LIFETIME = 86400
"""Lifetime of a managed identity's token in seconds, as in Azure."""

GRAPH = "00000003-0000-0000-c000-000000000000"
"""The audience of an access token for a request with OpenID scopes only."""

_SKEW = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An application that acts for itself: a managed identity or a service principal.

    Attributes:
        client_id: client id of the application.
        object_id: object id of the managed identity or service principal.
        authentication: the method of its authentication: 1 for a secret, 2 for a certificate or an assertion.
    """

    client_id: str
    object_id: str
    authentication: str = "2"


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Issues tokens for the users and applications of the directory."""

    directory: Directory
    clock: Clock
    keys: SigningKeys

    def id_token(
        self, user: User, app: Application, *, scopes: Collection[str], session: str, nonce: str | None
    ) -> str:
        """An ID token of version 2.0.

        `oid`, `name` and `preferred_username` require the scope `profile`, as Entra's documentation says for
        each of them.
        """
        claims = self._times(LIFETIME) | {
            "aud": app.client_id,
            "iss": self.directory.issuer,
            "sub": _pairwise(user.object_id, app.client_id),
            "tid": self.directory.tenant_id,
            "sid": session,
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if "profile" in scopes:
            claims |= {"name": user.name, "oid": user.object_id, "preferred_username": user.principal_name}
        if "email" in scopes:
            claims["email"] = user.principal_name
        roles = self.directory.roles(user.object_id, app)
        if roles:
            claims["roles"] = roles
        return self.keys.sign(claims)

    def user_token(self, user: User, app: Application, resource: str | None, scopes: Collection[str]) -> str:
        """A delegated access token: `app` acts for `user` at `resource` (None: Microsoft Graph)."""
        target = self._target(resource) if resource is not None else GRAPH
        claims = self._times(LIFETIME) | self._audience_claims(target, resource or GRAPH, app.client_id)
        claims |= {
            "name": user.name,
            "oid": user.object_id,
            "scp": " ".join(sorted(scopes)) or "User.Read",
            "sub": _pairwise(user.object_id, resource or GRAPH),
        }
        if isinstance(target, Application) and (roles := self.directory.roles(user.object_id, target)):
            claims["roles"] = roles
        return self.keys.sign(claims)

    def app_token(self, principal: Principal, resource: str, *, lifetime: int = LIFETIME) -> str:
        """An app-only access token for a resource: `oid` and `sub` are the object id of the principal.

        The optional claim `idtyp` has the value `app` in tokens for Microsoft's resources and for
        applications whose registration requests this claim.

        Raises:
            EntraError: AADSTS500011, if the resource does not exist; AADSTS501051, if the resource requires a
                role that the principal does not have.
        """
        target = self._target(resource)
        claims = self._times(lifetime) | self._audience_claims(
            target, resource, principal.client_id, principal.authentication
        )
        claims |= {"oid": principal.object_id, "sub": principal.object_id}
        if not isinstance(target, Application) or "idtyp" in target.access_token_claims:
            claims["idtyp"] = "app"
        if isinstance(target, Application):
            roles = self.directory.roles(principal.object_id, target)
            if not roles and target.assignment_required:
                raise EntraError(
                    501051,
                    "invalid_grant",
                    f"Application '{principal.client_id}' is not assigned to a role for the application "
                    f"'{target.client_id}' ({target.display_name}).",
                )
            if roles:
                claims["roles"] = roles
        return self.keys.sign(claims)

    def _target(self, resource: str) -> Application | str:
        target = self.directory.resource(resource)
        if target is None:
            raise unknown_resource(resource, self.directory.tenant_id)
        return target

    def _audience_claims(
        self, target: Application | str, resource: str, client_id: str, authentication: str = "2"
    ) -> dict[str, Any]:
        """The claims that depend on the token version of the resource.

        The audience of version 1 tokens is the requested resource, that of version 2 tokens the application's
        id. Tokens for token exchange are an exception: in Azure their audience is a GUID, and Azure compares
        a federated credential with the name that belongs to the GUID. Here the audience is the name.
        """
        if target == TOKEN_EXCHANGE:
            is_version_2, audience = True, TOKEN_EXCHANGE
        elif isinstance(target, Application):
            is_version_2 = target.token_version != 1
            audience = target.client_id if is_version_2 else resource
        else:
            is_version_2, audience = False, resource
        client = (
            {"azp": client_id, "azpacr": authentication}
            if is_version_2
            else {"appid": client_id, "appidacr": authentication}
        )
        return {
            "iss": self.directory.issuer if is_version_2 else self.directory.issuer_v1,
            "aud": audience,
            "tid": self.directory.tenant_id,
            "ver": "2.0" if is_version_2 else "1.0",
            **client,
        }

    def _times(self, lifetime: int) -> dict[str, Any]:
        now = int(self.clock.now())
        return {"iat": now, "nbf": now, "exp": now + lifetime}


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Verifies access tokens for a resource: signature, issuer, tenant, times, audience."""

    directory: Directory
    clock: Clock
    keys: SigningKeys

    def verify(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """The claims of a valid token for `audience`; a trailing slash of the audience is ignored.

        Raises:
            InvalidTokenError: the token is not valid; the message never contains the token.
        """
        claims = self.keys.verify(token)
        if claims.get("iss") not in {self.directory.issuer, self.directory.issuer_v1}:
            raise InvalidTokenError(f"the token's issuer is not the tenant {self.directory.tenant_id}")
        if claims.get("tid") != self.directory.tenant_id:
            raise InvalidTokenError("the token is from another tenant")
        check_times(claims, self.clock.now())
        if str(claims.get("aud")).rstrip("/") != audience.rstrip("/"):
            raise InvalidTokenError(f"the token's audience is not {audience}")
        return claims


def check_times(claims: Mapping[str, Any], now: float) -> None:
    """Checks that a token is valid at a time, with a clock skew of five minutes for `nbf`.

    Raises:
        InvalidTokenError: it has expired, is not valid yet, or `exp` or `nbf` is not a number.
    """
    expires, starts = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(starts, int | float):
        raise InvalidTokenError("the token's times are missing or not numbers")
    if now >= expires:
        raise InvalidTokenError("the token has expired")
    if now < starts - _SKEW:
        raise InvalidTokenError("the token is not valid yet")


def _pairwise(object_id: str, client_id: str) -> str:
    digest = hashlib.sha256(f"{object_id}\n{client_id}".encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
