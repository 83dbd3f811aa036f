"""The sign-in page of the stand-in for Entra ID in a real browser."""

import html
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Request

from tests.twin.entra_tenant import CALLBACK, TENANT, Entra


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 320, "height": 640}, has_touch=True)
    yield context.new_page()
    context.close()


def sign_in_url(entra: Entra, **changes: str | None) -> str:
    return f"{entra.authority}/oauth2/v2.0/authorize?{urlencode(entra.query(**changes))}"


def at_the_callback(request: Request) -> bool:
    return request.url.startswith(CALLBACK)


def test_a_user_can_sign_in_with_the_keyboard_only(entra: Entra, phone: Page):
    phone.goto(sign_in_url(entra))
    phone.keyboard.press("Tab")
    phone.keyboard.press("Tab")
    assert "Grace Hopper" in phone.locator(":focus").inner_text()
    with phone.expect_request(at_the_callback) as landing:
        phone.keyboard.press("Enter")
    code = parse_qs(urlsplit(landing.value.url).query)["code"][0]
    assert entra.claims(entra.redeem(code).json()["id_token"])["name"] == "Grace Hopper"


def test_a_user_can_cancel_with_a_tap(entra: Entra, phone: Page):
    phone.goto(sign_in_url(entra))
    with phone.expect_request(at_the_callback) as landing:
        phone.get_by_role("button", name="Cancel").tap()
    assert parse_qs(urlsplit(landing.value.url).query)["error"] == ["access_denied"]


def test_the_next_sign_in_shows_no_page(entra: Entra, phone: Page):
    phone.goto(sign_in_url(entra))
    with phone.expect_request(at_the_callback):
        phone.get_by_role("button", name="Ada Lovelace").tap()
    later = phone.context.new_page()
    # The callback's host does not resolve; the test checks only that the browser is sent there.
    with later.expect_request(at_the_callback) as landing, pytest.raises(Error, match="net::ERR_"):
        later.goto(sign_in_url(entra))
    assert "code" in parse_qs(urlsplit(landing.value.url).query)


def test_the_page_fits_a_phone_and_is_styled(entra: Entra, phone: Page):
    messages: list[str] = []
    phone.on("console", lambda message: messages.append(message.text))
    phone.goto(sign_in_url(entra))
    width, window = phone.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= window
    box = phone.get_by_role("button", name="Ada Lovelace").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert not messages, "the Content-Security-Policy blocks a part of the page"
    phone.goto(sign_in_url(entra, client_id="<img src=x onerror=alert(1)>" * 20))
    width, window = phone.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= window
    assert phone.get_by_role("alert").inner_text().startswith("AADSTS700016")
    assert phone.locator("img").count() == 0


def test_another_site_cannot_submit_the_page(entra: Entra, phone: Page):
    phone.goto("about:blank")
    phone.set_content(
        f'<form method="post" action="{entra.base_url}/{TENANT}/login">'
        '<input name="user" value="ada@twin.example"><button>Win a prize</button></form>'
    )
    with phone.expect_response(lambda response: response.url.endswith("/login")) as refused:
        phone.get_by_role("button").tap()
    assert refused.value.status == 403


def test_no_page_can_show_the_sign_in_page_in_a_frame(entra: Entra, phone: Page):
    """Even a page of the same origin; Chromium blocks a local URL in other sites before the request."""
    frame = f'<iframe src="{html.escape(sign_in_url(entra))}"></iframe>'
    phone.route("**/frame", lambda route: route.fulfill(content_type="text/html", body=frame))
    with phone.expect_event("requestfailed") as blocked:
        phone.goto(f"{entra.base_url}/frame")
    assert blocked.value.url == sign_in_url(entra)
    assert blocked.value.failure == "net::ERR_BLOCKED_BY_RESPONSE"
