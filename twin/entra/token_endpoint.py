"""The token endpoint for codes, refresh tokens and client credentials.

Sources: v2-oauth2-auth-code-flow and v2-oauth2-client-creds-grant-flow under
learn.microsoft.com/entra/identity-platform.
"""

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from twin.clock import Clock
from twin.entra.assertion import authenticate
from twin.entra.authorization import OPENID_SCOPES, read_scopes
from twin.entra.directory import Application, Directory
from twin.entra.errors import EntraError, missing_parameter, unknown_tenant
from twin.entra.form import read_form
from twin.entra.grants import Grant, Grants
from twin.entra.keys import SigningKeys
from twin.entra.tokens import LIFETIME, Principal, TokenIssuer

_LOG = logging.getLogger("twin.entra")


class TokenEndpoint:
    """`POST /<tenant>/oauth2/v2.0/token`."""

    def __init__(
        self, directory: Directory, clock: Clock, keys: SigningKeys, grants: Grants, issuer: TokenIssuer
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._keys = keys
        self._grants = grants
        self._issuer = issuer
        self._grant_types = {
            "authorization_code": self._authorization_code,
            "refresh_token": self._refresh,
            "client_credentials": self._client_credentials,
        }

    async def token(self, http: Request) -> Response:
        """Serves a token request; errors have Entra's JSON format."""
        try:
            tenant = http.path_params["tenant"]
            if tenant.lower() != self._directory.tenant_id.lower():
                raise unknown_tenant(tenant)
            return JSONResponse(self._token_response(await read_form(http)))
        except EntraError as error:
            _LOG.info("token request rejected: AADSTS%d", error.code)
            return error.response(self._clock.now())

    def _token_response(self, form: dict[str, str]) -> dict[str, object]:
        grant_type = form.get("grant_type", "")
        if not grant_type:
            raise missing_parameter("grant_type")
        if grant_type not in self._grant_types:
            raise EntraError(
                70003,
                "unsupported_grant_type",
                f"The app requested an unsupported grant type '{grant_type}'.",
            )
        app = authenticate(form, directory=self._directory, keys=self._keys, clock=self._clock)
        return self._grant_types[grant_type](form, app)

    def _authorization_code(self, form: dict[str, str], app: Application) -> dict[str, object]:
        code = form.get("code", "")
        if not code:
            raise missing_parameter("code")
        if "scope" in form or "resource" in form:
            read_scopes({"scope": "openid"} | form, app, self._directory)
        grant = self._grants.redeem_code(
            app, code, redirect_uri=form.get("redirect_uri", ""), verifier=form.get("code_verifier")
        )
        return self._delegated(grant, app, grant.scopes)

    def _refresh(self, form: dict[str, str], app: Application) -> dict[str, object]:
        token = form.get("refresh_token", "")
        if not token:
            raise missing_parameter("refresh_token")
        grant = self._grants.redeem_refresh_token(app, token)
        scopes = grant.scopes
        if "scope" in form or "resource" in form:
            requested, _ = read_scopes({"scope": " ".join(grant.scopes)} | form, app, self._directory)
            missing = [scope for scope in requested if scope not in grant.scopes]
            if missing:
                raise EntraError(
                    65001,
                    "invalid_grant",
                    f"The user or administrator has not consented to {' '.join(missing)} for the "
                    "application.",
                )
            scopes = requested
        return self._delegated(grant, app, scopes)

    def _client_credentials(self, form: dict[str, str], app: Application) -> dict[str, object]:
        scope = form.get("scope", "")
        if not scope:
            raise missing_parameter("scope")
        resource = scope.removesuffix("/.default")
        if resource == scope or " " in scope:
            raise EntraError(
                1002012,
                "invalid_scope",
                f"The provided value for scope {scope} is not valid. Client credential flows must have a "
                "scope value with /.default suffixed to the resource identifier (application ID URI).",
            )
        read_scopes(form, app, self._directory)
        if not app.has_service_principal:
            raise EntraError(
                7000229,
                "unauthorized_client",
                f"The client application '{app.client_id}' is missing service principal in the tenant "
                f"'{self._directory.tenant_id}'.",
            )
        authentication = "2" if form.get("client_assertion") else "1"
        principal = Principal(client_id=app.client_id, object_id=app.object_id, authentication=authentication)
        return _bearer(self._issuer.app_token(principal, resource))

    def _delegated(self, grant: Grant, app: Application, scopes: tuple[str, ...]) -> dict[str, object]:
        permissions = [scope.rpartition("/")[2] for scope in scopes if scope not in OPENID_SCOPES]
        resource = grant.resource if permissions else None
        answer = _bearer(self._issuer.user_token(grant.user, app, resource, permissions))
        answer["scope"] = " ".join(scopes)
        if "openid" in scopes:
            answer["id_token"] = self._issuer.id_token(
                grant.user, app, scopes=scopes, session=grant.session, nonce=grant.nonce
            )
        if "offline_access" in scopes:
            answer["refresh_token"] = self._grants.issue_refresh_token(app, grant)
        return answer


def _bearer(access_token: str) -> dict[str, object]:
    return {
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "ext_expires_in": LIFETIME,
        "access_token": access_token,
    }
