"""The page that opens an app with a private-use scheme; other clients receive a redirect."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import GATEWAY, Flow, end_of, handle_of, status
from tests.policies.oauth.test_pages import PAGE, headers, policy

APP = "cursor://anysphere.cursor-mcp/oauth/callback"


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def at_consent(flow: Flow, redirect_uri: str, **changed: str) -> Response:
    """All steps up to the consent page, for a client with this redirect URI."""
    flow.register(redirect_uris=[redirect_uri])
    return flow.consent_page(handle_of(flow.authorize(redirect_uri=redirect_uri, **changed)))


def signed_in(flow: Flow, redirect_uri: str, **changed: str) -> Response:
    """The response to the callback, at the end of a sign-in."""
    return flow.callback(flow.consent(at_consent(flow, redirect_uri, **changed)))


def link_of(page: Response) -> str:
    """The target of the page's link, which the page also opens automatically."""
    html = page.body.decode()
    (link,) = re.findall(r'<a class="go" href="([^"]*)">', html)
    assert unescape(link) == end_of(page)
    return unescape(link)


@pytest.mark.parametrize("redirect_uri", [APP, "com.example.app:/cb", "httpx.example:/cb"])
def test_c8_a_page_opens_a_private_use_scheme_and_stays_open(flow: Flow, redirect_uri: str) -> None:
    page = signed_in(flow, redirect_uri)
    assert page.status == 200
    assert headers(page) == PAGE
    assert policy(page) == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": "'none'",
    }
    assert "<h1>You are signed in</h1>" in page.body.decode()
    link = link_of(page)
    assert link.startswith(f"{redirect_uri}?code=")
    assert parameters_of(link) == {"code": parameters_of(link)["code"], "state": "s", "iss": GATEWAY}
    assert not [name for name in flow.cookies if "callback" in name]
    answer = flow.redeem(parameters_of(link)["code"], redirect_uri=redirect_uri)
    assert answer.status == 200


@pytest.mark.parametrize("redirect_uri", [CALLBACK, "http://localhost:1/cb", "https://app.example/cb"])
def test_c8_other_clients_receive_a_redirect_and_no_page(flow: Flow, redirect_uri: str) -> None:
    answer = signed_in(flow, redirect_uri)
    assert (answer.status, answer.body) == (302, b"")
    assert (answer.header("Location") or "").startswith(f"{redirect_uri}?code=")
    assert not [name for name in flow.cookies if "callback" in name]


@pytest.mark.parametrize(
    "state", ['"><script>alert(1)</script>', "'; url=https://evil.example", "{{key}} &amp; ü"]
)
def test_c3_the_state_is_encoded_in_the_link_of_the_page(flow: Flow, state: str) -> None:
    page = signed_in(flow, APP, state=state)
    assert parameters_of(link_of(page))["state"] == state
    html = page.body.decode()
    assert "<script" not in html
    assert html.count("<meta http-equiv") == html.count("<a ") == 1


def _denied(flow: Flow) -> Response:
    return flow.consent(at_consent(flow, APP), "deny")


def _refused_by_entra(flow: Flow) -> Response:
    flow.entra = status(400, '{"error": "invalid_grant"}')
    return signed_in(flow, APP)


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (_denied, "access_denied"),
        (_refused_by_entra, "access_denied"),
    ],
)
def test_c2_an_app_receives_an_error_through_a_page(
    flow: Flow, cause: Callable[[Flow], Response], error: str
) -> None:
    page = cause(flow)
    assert page.status == 200
    assert headers(page) == PAGE
    assert "<h1>You are not signed in</h1>" in page.body.decode()
    parameters = parameters_of(link_of(page))
    assert parameters.pop("error_description")
    assert parameters == {"error": error, "state": "s", "iss": GATEWAY}
