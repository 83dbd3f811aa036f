"""The endpoints for browsers: `authorize`, the sign-in form, and `logout`."""

import hmac
import secrets
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from twin.entra.accounts import Accounts
from twin.entra.authorization import AuthorizationRequest, RedirectError, read_request
from twin.entra.directory import Directory
from twin.entra.errors import EntraError, disabled_account, unknown_tenant
from twin.entra.form import read_form, unique_parameters
from twin.entra.grants import SESSION_LIFETIME, Grants, SignIn
from twin.entra.keys import InvalidTokenError, SigningKeys
from twin.entra.pages import error_page, sign_in_page, signed_out_page

_SESSION_COOKIE = "twin-entra-session"
_FORM_COOKIE = "twin-entra-form"


class BrowserEndpoints:
    """The sign-in and sign-out of users in a browser."""

    def __init__(self, directory: Directory, accounts: Accounts, grants: Grants, keys: SigningKeys) -> None:
        self._directory = directory
        self._accounts = accounts
        self._grants = grants
        self._keys = keys

    async def authorize(self, http: Request) -> Response:
        """`GET /<tenant>/oauth2/v2.0/authorize`: a code for a signed-in user, or the sign-in page."""
        try:
            self._check_tenant(http)
            query = unique_parameters(http.query_params.multi_items())
            request = read_request(query, self._directory)
        except EntraError as error:
            return error_page(error, self._directory)
        except RedirectError as refused:
            return _redirect_to_client(refused.redirect_uri, _error_parameters(refused.error, refused.state))
        sign_in = self._grants.session(http.cookies.get(_SESSION_COOKIE))
        if (
            sign_in is not None
            and request.prompt in {None, "none", "consent"}
            and _matches_login_hint(request, sign_in)
        ):
            return self._redirect_with_code(request, sign_in)
        if request.prompt == "none":
            error = EntraError(
                50058,
                "login_required",
                "Session information is not sufficient for single-sign-on.",
            )
            return _redirect_to_client(request.redirect_uri, _error_parameters(error, request.state))
        browser = http.cookies.get(_FORM_COOKIE) or secrets.token_urlsafe(32)
        return self._page(
            request, self._keys.encrypt({"query": query, "browser": browser}, purpose="form"), browser
        )

    async def login(self, http: Request) -> Response:
        """`POST /<tenant>/login`: handles the submitted form, with a user or a cancellation."""
        try:
            self._check_tenant(http)
            form = await read_form(http)
            flow = form.get("flow", "")
            request = read_request(self._query_of_form(http, flow), self._directory)
        except EntraError as error:
            return error_page(error, self._directory)
        except RedirectError as refused:
            return _redirect_to_client(refused.redirect_uri, _error_parameters(refused.error, refused.state))
        if "cancel" in form:
            cancelled = EntraError(65004, "access_denied", "User declined to sign in.", subcode="cancel")
            return _redirect_to_client(request.redirect_uri, _error_parameters(cancelled, request.state))
        user = self._directory.user(form.get("user", ""))
        browser = http.cookies[_FORM_COOKIE]
        if user is None:
            return self._page(request, flow, browser, problem="Choose one of the accounts.", status=400)
        if self._accounts.is_disabled(user):
            return self._page(request, flow, browser, problem=str(disabled_account()), status=403)
        sign_in, cookie = self._grants.begin_session(user)
        response = self._redirect_with_code(request, sign_in)
        response.set_cookie(_SESSION_COOKIE, cookie, max_age=SESSION_LIFETIME, httponly=True, samesite="lax")
        return response

    async def logout(self, http: Request) -> Response:
        """`GET /<tenant>/oauth2/v2.0/logout`: ends the session; redirects only to registered URIs."""
        try:
            self._check_tenant(http)
        except EntraError as error:
            return error_page(error, self._directory)
        target = http.query_params.get("post_logout_redirect_uri")
        known = {uri for app in self._directory.applications for uri in app.redirect_uris}
        response = (
            RedirectResponse(target, 302) if target in known and target else signed_out_page(self._directory)
        )
        response.delete_cookie(_SESSION_COOKIE, httponly=True, samesite="lax")
        return response

    def _check_tenant(self, http: Request) -> None:
        tenant = http.path_params["tenant"]
        if tenant.lower() != self._directory.tenant_id.lower():
            raise unknown_tenant(tenant)

    def _page(
        self,
        request: AuthorizationRequest,
        flow: str,
        browser: str,
        *,
        problem: str | None = None,
        status: int = 200,
    ) -> Response:
        """The sign-in page. Its form has the encrypted request `flow` and works only in this browser."""
        response = sign_in_page(
            request,
            self._directory,
            flow=flow,
            hinted=self._directory.user(request.login_hint or ""),
            problem=problem,
            status=status,
        )
        response.set_cookie(_FORM_COOKIE, browser, httponly=True, samesite="lax")
        return response

    def _query_of_form(self, http: Request, flow: str) -> dict[str, str]:
        """The authorization request for which this browser received the form.

        Raises:
            EntraError: the form comes from another site, another browser or another sign-in page.
        """
        origin = http.headers.get("origin")
        if origin is not None and origin != self._directory.base_url:
            raise _rejected_form("The form was sent from another site.")
        try:
            content = self._keys.decrypt(flow, purpose="form")
        except InvalidTokenError as error:
            raise _rejected_form("The form is not from this sign-in page.") from error
        if not hmac.compare_digest(http.cookies.get(_FORM_COOKIE, "").encode(), content["browser"].encode()):
            raise _rejected_form("The form is from another browser, or the browser did not send its cookie.")
        return content["query"]

    def _redirect_with_code(self, request: AuthorizationRequest, sign_in: SignIn) -> Response:
        parameters = {"code": self._grants.issue_code(request, sign_in)}
        if request.state is not None:
            parameters["state"] = request.state
        return _redirect_to_client(request.redirect_uri, parameters | {"session_state": sign_in.session})


def _rejected_form(message: str) -> EntraError:
    return EntraError(165000, "invalid_request", message, status=403)


def _error_parameters(error: EntraError, state: str | None) -> dict[str, str]:
    parameters = {"error": error.error, "error_description": str(error)}
    if error.subcode is not None:
        parameters["error_subcode"] = error.subcode
    return parameters if state is None else parameters | {"state": state}


def _redirect_to_client(redirect_uri: str, parameters: dict[str, str]) -> RedirectResponse:
    separator = "&" if urlsplit(redirect_uri).query else "?"
    response = RedirectResponse("/", 302)
    # Set here, because RedirectResponse would percent-encode the registered URI again.
    response.headers["location"] = f"{redirect_uri}{separator}{urlencode(parameters)}"
    return response


def _matches_login_hint(request: AuthorizationRequest, sign_in: SignIn) -> bool:
    hint = request.login_hint
    return hint is None or hint.lower() in {
        sign_in.user.principal_name.lower(),
        sign_in.user.object_id.lower(),
    }
