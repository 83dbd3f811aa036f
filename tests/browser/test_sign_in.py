"""The pages of a sign-in in a browser."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.client import Client, parameters_of
from tests.e2e.conftest import RunningTwin


@pytest.fixture
def callback() -> Iterator[str]:
    """A redirect URI of a client, with a web server that answers at it."""

    class Landing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>Back at the app</title>")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's names
            """Logs nothing."""

    server = HTTPServer(("127.0.0.1", 0), Landing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/callback"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(twin: RunningTwin, callback: str) -> Client:
    client = twin.client(redirect_uri=callback)
    assert client.register(client_name="Kitchen Sink <b>&amp;").status_code == 201
    return client


def allow(page: Page) -> None:
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Allow").click()


def test_a_user_allows_the_client_and_returns_to_it(app: Client, page: Page, context: BrowserContext) -> None:
    page.goto(app.authorize_url())
    expect(page.get_by_role("heading")).to_contain_text("http://127.0.0.1:")
    expect(page.get_by_role("main")).to_contain_text("Kitchen Sink <b>&amp;")
    assert [cookie["name"][:8] for cookie in context.cookies()] == ["consent-"]
    allow(page)
    page.get_by_role("button", name="Ada Lovelace").click()
    expect(page).to_have_title("Back at the app")
    assert app.redeem(parameters_of(page.url)["code"]).status_code == 200
    assert not [
        cookie for cookie in context.cookies() if cookie["name"].startswith(("consent-", "callback-"))
    ]


def test_c5_a_sign_in_needs_more_than_a_single_click(app: Client, page: Page) -> None:
    """The second sign-in, in which the user has a session at Entra, needs the same clicks as the first."""
    for _ in range(2):
        page.goto(app.authorize_url())
        page.get_by_role("button", name="Allow").click()
        assert page.url.startswith(f"{app.gateway}/consent")
        allow(page)
        page.get_by_role("button", name="Ada Lovelace").click()
        expect(page).to_have_title("Back at the app")


@pytest.mark.parametrize("redirect_uri", ["http://[::1]:45321/callback", "http://localhost:45321/callback"])
@pytest.mark.parametrize("decision", ["Allow", "Deny"])
def test_the_browser_can_return_to_every_kind_of_loopback_address(
    twin: RunningTwin, page: Page, redirect_uri: str, decision: str
) -> None:
    """Chromium applies form-action to each redirect, and CSP cannot contain an IPv6 host."""
    app = twin.client(redirect_uri=redirect_uri)
    assert app.register().status_code == 201
    page.route(
        lambda url: url.startswith(redirect_uri),
        lambda route: route.fulfill(content_type="text/html", body="<title>Back at the app</title>"),
    )
    page.goto(app.authorize_url())
    if decision == "Allow":
        page.get_by_role("checkbox").check()
    page.get_by_role("button", name=decision).click()
    if decision == "Allow":
        page.get_by_role("button", name="Ada Lovelace").click()
    expect(page).to_have_title("Back at the app")


def test_a_user_denies_and_returns_to_the_client(app: Client, page: Page) -> None:
    page.goto(app.authorize_url())
    page.get_by_role("button", name="Deny").click()
    expect(page).to_have_title("Back at the app")
    assert parameters_of(page.url)["error"] == "access_denied"


def test_the_page_can_be_used_with_the_keyboard_only(app: Client, page: Page) -> None:
    page.goto(app.authorize_url())
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Deny")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Allow")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Ada Lovelace")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_fits_the_screen(app: Client, page: Page, width: int) -> None:
    app.register(client_name="W" * 100)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(app.authorize_url())
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_causes_no_errors_in_the_browser(app: Client, page: Page) -> None:
    console_messages: list[str] = []
    page.on("console", lambda message: console_messages.append(message.text))
    page.goto(app.authorize_url())
    style = page.get_by_role("button", name="Allow").evaluate(
        "button => getComputedStyle(button).borderRadius"
    )
    assert style == "9.6px", "the style is blocked"
    assert [text for text in console_messages if "favicon" not in text] == []
