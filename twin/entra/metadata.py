"""The endpoints of the discovery document and of the signing keys."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from twin.clock import Clock
from twin.entra.authorization import OPENID_SCOPES
from twin.entra.directory import Directory
from twin.entra.errors import unknown_tenant
from twin.entra.keys import SigningKeys


class MetadataEndpoints:
    """The endpoints of the two public documents."""

    def __init__(self, directory: Directory, clock: Clock, keys: SigningKeys) -> None:
        self._directory = directory
        self._clock = clock
        self._keys = keys

    async def configuration(self, http: Request) -> Response:
        """The document of OpenID Connect Discovery 1.0, with only the features of this stand-in."""
        return self._public(http, _configuration(self._directory))

    async def keys(self, http: Request) -> Response:
        """The JSON Web Key Set (RFC 7517)."""
        return self._public(http, self._keys.jwks)

    def _public(self, http: Request, document: dict[str, object]) -> Response:
        if http.path_params["tenant"].lower() != self._directory.tenant_id.lower():
            return unknown_tenant(http.path_params["tenant"]).response(self._clock.now())
        headers = {"access-control-allow-origin": "*", "cache-control": "max-age=86400, private"}
        return JSONResponse(document, headers=headers)


def _configuration(directory: Directory) -> dict[str, object]:
    return {
        "issuer": directory.issuer,
        "authorization_endpoint": f"{directory.authority}/oauth2/v2.0/authorize",
        "token_endpoint": f"{directory.authority}/oauth2/v2.0/token",
        "end_session_endpoint": f"{directory.authority}/oauth2/v2.0/logout",
        "jwks_uri": f"{directory.authority}/discovery/v2.0/keys",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"],
        "code_challenge_methods_supported": ["S256", "plain"],
        "scopes_supported": list(OPENID_SCOPES),
        "claims_supported": [
            *("sub", "iss", "aud", "exp", "iat", "nbf", "tid", "ver", "nonce", "sid", "uti"),
            *("oid", "name", "preferred_username", "email", "roles"),
        ],
        "request_uri_parameter_supported": False,
    }
