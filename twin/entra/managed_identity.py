"""The endpoint for managed-identity tokens. Its protocol is that of the local endpoint in App Service.

Source: learn.microsoft.com/azure/app-service/overview-managed-identity (REST endpoint reference)
"""

import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from twin.clock import Clock
from twin.entra.directory import Directory, IdentityHost, ManagedIdentity
from twin.entra.errors import EntraError
from twin.entra.form import unique_parameters
from twin.entra.tokens import MANAGED_IDENTITY_LIFETIME, Principal, TokenIssuer

_API_VERSION = "2019-08-01"
_NOT_ASSIGNED = 700016


class IdentityEndpoint:
    """`GET /twin/managed-identity/token`.

    Args:
        directory: the tenant, with the services that have managed identities (its identity hosts).
        clock: the clock for the times in responses.
        issuer: creates the tokens.
        identity_headers: the secret of each identity host, by its name.
    """

    def __init__(
        self, directory: Directory, clock: Clock, issuer: TokenIssuer, identity_headers: dict[str, str]
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._issuer = issuer
        self._hosts = {identity_headers[host.name]: host for host in directory.identity_hosts}

    async def token(self, http: Request) -> Response:
        """Returns a token for `?api-version=2019-08-01&resource=...[&client_id=...]`.

        The header `X-IDENTITY-HEADER` must contain the secret of a service with managed identities.
        """
        host = self._host(http.headers.get("x-identity-header", ""))
        if host is None:
            return _error_response(401, "The X-IDENTITY-HEADER header is missing or wrong.")
        try:
            query = unique_parameters(http.query_params.multi_items())
            if query.get("api-version") != _API_VERSION:
                return _error_response(400, f"The api-version must be {_API_VERSION}.")
            resource = query.get("resource", "")
            if not resource:
                return _error_response(400, "The query parameter 'resource' is missing.")
            identity = self._identity(host, query)
            principal = Principal(client_id=identity.client_id, object_id=identity.principal_id)
            token = self._issuer.app_token(principal, resource, lifetime=MANAGED_IDENTITY_LIFETIME)
        except EntraError as error:
            return _error_response(error.status, error.description(self._clock.now()))
        return JSONResponse(
            {
                "access_token": token,
                "client_id": identity.client_id,
                "expires_on": str(int(self._clock.now()) + MANAGED_IDENTITY_LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def _identity(self, host: IdentityHost, query: dict[str, str]) -> ManagedIdentity:
        """The requested identity, which must be assigned to the host."""
        client_id = query.get("client_id") or host.system_assigned or ""
        assigned = {identity.lower() for identity in (*host.user_assigned, host.system_assigned) if identity}
        identity = self._directory.identity(client_id) if client_id.lower() in assigned else None
        if identity is None:
            raise EntraError(
                _NOT_ASSIGNED,
                "invalid_request",
                f"No managed identity '{client_id or 'system-assigned'}' is assigned to {host.name}.",
            )
        return identity

    def _host(self, header: str) -> IdentityHost | None:
        matching = None
        for secret, host in self._hosts.items():
            if hmac.compare_digest(secret.encode(), header.encode()):
                matching = host
        return matching


def _error_response(status: int, message: str) -> JSONResponse:
    return JSONResponse({"statusCode": status, "message": message}, status_code=status)
