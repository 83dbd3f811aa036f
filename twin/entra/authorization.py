"""The authorization request at `/authorize`; its checks have the same order as in Entra.

Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from twin.entra.directory import Application, Directory
from twin.entra.errors import (
    EntraError,
    missing_parameter,
    unknown_application,
    unknown_resource,
)

OPENID_SCOPES = ("openid", "profile", "email", "offline_access")
_PROMPTS = frozenset({"login", "none", "consent", "select_account"})
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A valid authorization request.

    `state` and `nonce` are values that the client chose; they are returned to it unchanged.

    Attributes:
        scopes: OpenID scopes, and permissions of at most one resource.
        resource: the resource of these permissions; None if all scopes are OpenID scopes.
        challenge: the PKCE challenge, or None.
        challenge_method: `S256` or `plain`.
        prompt: `login`, `none`, `consent`, `select_account` or None.
        login_hint: a principal name, or None.
    """

    client_id: str
    client_name: str
    redirect_uri: str
    scopes: tuple[str, ...]
    resource: str | None
    state: str | None
    nonce: str | None
    challenge: str | None
    challenge_method: str
    prompt: str | None
    login_hint: str | None

    def accepts_verifier(self, verifier: str | None) -> bool:
        """Whether a code verifier matches the challenge (RFC 7636); True if there is no challenge."""
        if self.challenge is None:
            return True
        if not verifier or not verifier.isascii():
            return False
        if self.challenge_method == "plain":
            return hmac.compare_digest(verifier, self.challenge)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return hmac.compare_digest(digest, self.challenge)


class RedirectError(Exception):
    """An error that is sent to the client in a redirect; the client and its redirect URI are valid."""

    def __init__(self, error: EntraError, redirect_uri: str, state: str | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.redirect_uri = redirect_uri
        self.state = state


def read_request(query: Mapping[str, str], directory: Directory) -> AuthorizationRequest:
    """Reads the authorization request in a query.

    Raises:
        EntraError: the client (AADSTS700016) or the redirect URI (AADSTS50011) is unknown. The error must be
            shown to the user: with a redirect, the authorization server would be an open redirector.
        RedirectError: another error, which must be sent to the client.
    """
    client_id = query.get("client_id", "")
    if not client_id:
        raise missing_parameter("client_id")
    app = directory.application(client_id)
    if app is None:
        raise unknown_application(client_id, directory.tenant_id)
    redirect_uri = query.get("redirect_uri", "")
    if not redirect_uri:
        raise missing_parameter("redirect_uri")
    if redirect_uri not in app.redirect_uris:
        raise EntraError(
            50011,
            "invalid_request",
            f"The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs "
            f"configured for the application '{app.client_id}'. Make sure the redirect URI sent in the "
            "request matches one added to your application.",
        )
    try:
        return _check_parameters(query, app, redirect_uri, directory)
    except EntraError as error:
        raise RedirectError(error, redirect_uri, query.get("state")) from error


def _check_parameters(
    query: Mapping[str, str], app: Application, redirect_uri: str, directory: Directory
) -> AuthorizationRequest:
    response_type = query.get("response_type", "")
    if not response_type:
        raise missing_parameter("response_type")
    if response_type != "code":
        raise EntraError(
            700051,
            "unsupported_response_type",
            f"response_type '{response_type}' is not enabled for the application.",
        )
    mode = query.get("response_mode", "query")
    if mode != "query":
        raise EntraError(
            70007,
            "invalid_request",
            f"'{mode}' is not a supported value of 'response_mode' in this stand-in.",
        )
    prompt = query.get("prompt") or None
    if prompt is not None and prompt not in _PROMPTS:
        raise EntraError(90023, "invalid_request", f"Unsupported 'prompt' value '{prompt}'.")
    method, challenge = query.get("code_challenge_method", "plain"), query.get("code_challenge") or None
    if challenge is None and "code_challenge_method" in query:
        raise missing_parameter("code_challenge")
    if method not in {"S256", "plain"} or (challenge is not None and not _CHALLENGE.match(challenge)):
        raise EntraError(
            501491,
            "invalid_request",
            "The code challenge must be 43 to 128 characters, its method S256 or plain.",
        )
    scopes, resource = read_scopes(query, app, directory)
    return AuthorizationRequest(
        client_id=app.client_id,
        client_name=app.display_name,
        redirect_uri=redirect_uri,
        scopes=scopes,
        resource=resource,
        state=query.get("state"),
        nonce=query.get("nonce"),
        challenge=challenge,
        challenge_method=method,
        prompt=prompt,
        login_hint=query.get("login_hint") or None,
    )


def read_scopes(
    parameters: Mapping[str, str], app: Application, directory: Directory
) -> tuple[tuple[str, ...], str | None]:
    """The scopes of a request, in the order of the request, and the resource to which they belong.

    Raises:
        EntraError: there is no scope, an unknown scope (AADSTS650053), two resources (AADSTS28000), or a
            `resource` parameter that does not match the scopes (AADSTS9010010).
    """
    scopes = tuple(dict.fromkeys(parameters.get("scope", "").split()))
    if not scopes:
        raise missing_parameter("scope")
    resources: set[str] = set()
    for scope in scopes:
        if scope in OPENID_SCOPES:
            continue
        resource, slash, _ = scope.rpartition("/")
        if not slash:
            raise EntraError(
                650053,
                "invalid_client",
                f"The application '{app.display_name}' asked for scope '{scope}' that doesn't exist on the "
                "resource '00000003-0000-0000-c000-000000000000'. Contact the app vendor.",
            )
        if directory.resource(resource) is None:
            raise unknown_resource(resource, directory.tenant_id)
        resources.add(resource)
    if len(resources) > 1:
        raise EntraError(
            28000,
            "invalid_request",
            "Provided value for the input parameter scope is not valid because it contains more than one "
            "resource.",
        )
    indicated = parameters.get("resource")
    if indicated is not None and resources != {indicated}:
        raise EntraError(
            9010010,
            "invalid_target",
            "The resource parameter provided in the request doesn't match with the requested scopes.",
        )
    return scopes, next(iter(resources), None)
