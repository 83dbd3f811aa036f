"""Every header of the gateway's pages, redirects and documents, so that any change is noticed."""

import base64
import hashlib
import re
from collections.abc import Callable
from functools import partial

import pytest

from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import Flow, handle_of, unreachable

PAGE = {
    "Content-Type": "text/html; charset=utf-8",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}
PUBLIC = {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}
WELL_KNOWN = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/.well-known/oauth-protected-resource/mcp",
)


def policy(answer: Response) -> dict[str, str]:
    """The page's Content-Security-Policy, with the hash of the page's style."""
    (style,) = re.findall("<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    parts = [
        part.strip().partition(" ") for part in (answer.header("Content-Security-Policy") or "").split(";")
    ]
    values = {name: value for name, _, value in parts}
    assert values.pop("style-src") == f"'sha256-{digest}'"
    return values


def headers(answer: Response) -> dict[str, str]:
    """All headers except the body's length, the Content-Security-Policy and cookies."""
    excluded = {"Content-Length", "Content-Security-Policy", "Set-Cookie"}
    return {name: value for name, value in answer.headers if name not in excluded}


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


@pytest.mark.parametrize(
    ("redirect_uri", "action", "warned"),
    [
        ("http://127.0.0.1:8/cb", "http://127.0.0.1:8", True),
        ("http://[::1]:8/cb", "http://*:8", True),
        ("http://localhost?x", "http://localhost", True),
        ("https://app.example:8443/cb", "https://app.example:8443", False),
        ("com.example.app:/cb", "com.example.app:", True),
    ],
)
def test_the_form_of_the_consent_page_can_lead_only_to_the_gateway_entra_and_the_client(
    flow: Flow, redirect_uri: str, action: str, warned: bool
) -> None:
    flow.register(redirect_uris=[redirect_uri])
    page = flow.consent_page(handle_of(flow.authorize(redirect_uri=redirect_uri)))
    assert headers(page) == PAGE
    assert policy(page) == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": f"'self' {flow.named_value('entra-authority')} {action}",
    }
    assert (b"an app on your own computer" in page.body) == warned
    origin = re.search(r"<h1>Give <bdi>(.*?)</bdi> access", page.body.decode())
    assert origin is not None
    assert redirect_uri.startswith(origin[1])


def _from_another_site(flow: Flow) -> Response:
    return flow.harness.send("POST", "/consent", body=b"", Origin="https://evil.example")


def _consent_in_another_browser(flow: Flow) -> Response:
    page = flow.page()
    flow.cookies.clear()
    return flow.consent(page)


def _callback_in_another_browser(flow: Flow) -> Response:
    at_entra = flow.at_entra()
    flow.cookies.clear()
    return flow.callback(at_entra)


def _without_a_store(flow: Flow) -> Response:
    flow.store.failing = {0: unreachable}
    return flow.consent_page("x")


ERRORS: dict[str, tuple[Callable[[Flow], Response], int, str]] = {
    "unknown client": (lambda flow: flow.authorize(client_id="x"), 400, "This app is not registered"),
    "unknown redirect URI": (
        lambda flow: flow.authorize(redirect_uri="https://evil.example"),
        400,
        "The redirect URI is not registered",
    ),
    "unknown sign-in": (lambda flow: flow.consent_page("x"), 400, "This sign-in is no longer open"),
    "consent from another site": (_from_another_site, 403, "This answer came from another site"),
    "consent in another browser": (
        _consent_in_another_browser,
        403,
        "This sign-in belongs to another browser",
    ),
    "callback in another browser": (
        _callback_in_another_browser,
        403,
        "This sign-in belongs to another browser",
    ),
    "no store": (_without_a_store, 503, "Please try again"),
}
"""A function that causes the error, the status and the title of the page."""


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_page_has_a_title_and_no_form_and_sets_no_cookie(flow: Flow, error: str) -> None:
    cause, status, title = ERRORS[error]
    page = cause(flow)
    assert (page.status, re.findall("<h1>(.*?)</h1>", page.body.decode())) == (status, [title])
    assert headers(page) == PAGE | ({"Retry-After": "5"} if status == 503 else {})
    assert page.header("Set-Cookie") is None
    assert policy(page) == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": "'none'",
    }


def test_redirects_send_no_referrer_and_are_not_cached(flow: Flow) -> None:
    """The URLs contain values that no other party may receive and no cache may store."""
    expected = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    start = flow.authorize()
    denied = flow.consent(flow.page(), "deny")
    at_entra = flow.consent(flow.consent_page(handle_of(start)))
    end = flow.callback(at_entra)
    wrong = flow.authorize(scope='"')
    for answer, status in ((start, 302), (denied, 303), (at_entra, 303), (end, 302), (wrong, 302)):
        assert answer.status == status
        assert headers(answer) == expected | {"Location": answer.header("Location")}


def test_json_responses_are_not_cached(flow: Flow) -> None:
    code = flow.code()
    flow.store.failing = {len(flow.store.calls): unreachable}
    for answer, status, further in (
        (flow.redeem(code), 503, {"Retry-After": "5"}),
        (flow.redeem(code, grant_type="x"), 400, {}),
        (flow.redeem(code), 200, {"Pragma": "no-cache"}),
        (flow.register(redirect_uris=[]), 400, {}),
        (flow.register(), 201, {}),
    ):
        assert answer.status == status
        assert headers(answer) == JSON | CORS | further


@pytest.mark.parametrize("path", WELL_KNOWN)
def test_public_documents_may_be_cached_and_read_by_web_pages_of_any_origin(flow: Flow, path: str) -> None:
    document = flow.get(path, "")
    assert (document.status, headers(document)) == (200, PUBLIC | CORS)


def test_a_missing_document_is_not_cached(flow: Flow) -> None:
    missing = flow.get("/.well-known/oauth-protected-resource/none", "")
    assert (missing.status, headers(missing)) == (404, JSON | CORS)


@pytest.mark.parametrize("path", [*WELL_KNOWN, "/register", "/token", "/revoke", "/v0.1/servers"])
def test_a4_a_preflight_allows_web_pages_of_any_origin_to_call_an_endpoint(flow: Flow, path: str) -> None:
    expected = CORS | {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Max-Age": "600"}
    send = partial(flow.harness.send, "OPTIONS", path, Origin="https://app.example")
    for answer, allowed in ((send(), "content-type"), (send(Access_Control_Request_Headers="x-a"), "x-a")):
        assert answer.status == 204
        assert headers(answer) == expected | {"Access-Control-Allow-Headers": allowed}
