"""Every page of a sign-in passes the accessibility checks of axe and fits the screen.

Each page is tested with the light and the dark color scheme, on a narrow and on a wide screen.


`DOCS_SCREENSHOTS=1` writes the screenshots of the documentation again.
"""

import functools
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.policies.engine.harness import Harness, Response
from tests.policies.oauth.flow import GATEWAY, Flow, handle_of, service_with
from tests.policies.oauth.test_metadata_documents import APP, URL, Host, document
from twin.clock import Clock

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
NOTES = {
    "name": "notes",
    "image": "ghcr.io/example/notes:1.0.0",
    "port": 8080,
    "scopes": ["notes.read", "notes.write"],
}
CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback"
Scheme = Literal["light", "dark"]


@functools.cache
def _harness() -> Harness:
    return Harness(service_with(containers=json.dumps([NOTES]), publisherLogo="docs/logo.svg"), Clock())


def _consent(flow: Flow) -> Response:
    flow.register(client_name="Visual Studio Code")
    return flow.page()


def _consent_to_everything(flow: Flow) -> Response:
    flow.register(client_name="W" * 100)
    return flow.consent_page(handle_of(flow.authorize(resource=None, scope="functions notes.write")))


def _consent_of_a_verified_client(flow: Flow) -> Response:
    Host(document(client_name="Claude")).serve(flow)
    flow.client_id = URL
    request = flow.authorize(redirect_uri=APP, resource=f"{GATEWAY}/notes-mcp")
    return flow.consent_page(handle_of(request))


def _error_with_a_link(flow: Flow) -> Response:
    flow.register(redirect_uris=[APP])
    return flow.authorize(redirect_uri=APP, response_type="token")


def _error_with_a_link_to_an_app(flow: Flow) -> Response:
    flow.register(redirect_uris=[CURSOR])
    return flow.authorize(redirect_uri=CURSOR, response_type="token")


def _signed_in_to_an_app(flow: Flow) -> Response:
    flow.register(redirect_uris=[CURSOR])
    page = flow.consent_page(handle_of(flow.authorize(redirect_uri=CURSOR)))
    return flow.callback(flow.consent(page))


def _denied_to_an_app(flow: Flow) -> Response:
    flow.register(redirect_uris=[CURSOR])
    return flow.consent(flow.consent_page(handle_of(flow.authorize(redirect_uri=CURSOR))), "deny")


def _unknown_redirect_uri(flow: Flow) -> Response:
    flow.register()
    return flow.authorize(redirect_uri="https://elsewhere.example/")


def _another_browser(flow: Flow) -> Response:
    page = flow.page()
    flow.cookies.clear()
    return flow.consent(page)


def _too_many_requests(flow: Flow) -> Response:
    return [flow.authorize() for _ in range(61)][-1]


PAGES: dict[str, Callable[[Flow], Response]] = {
    "consent": _consent,
    "consent to everything": _consent_to_everything,
    "consent of a verified client": _consent_of_a_verified_client,
    "error with a link": _error_with_a_link,
    "error with a link to an app": _error_with_a_link_to_an_app,
    "unknown client": lambda flow: flow.authorize(client_id="x"),
    "unknown redirect URI": _unknown_redirect_uri,
    "signed in": _signed_in_to_an_app,
    "not signed in": _denied_to_an_app,
    "expired": lambda flow: flow.consent_page("x"),
    "another browser": _another_browser,
    "not confirmed": lambda flow: flow.consent(flow.page(), confirm=""),
    "too many requests": _too_many_requests,
}

OPENS_AN_APP = ("signed in", "not signed in")


def response_of(name: str) -> Response:
    """The gateway's response with the page; computed in a thread without the event loop of Playwright."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: PAGES[name](Flow.at(_harness()))).result()


@pytest.fixture
def page_for(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Page]]:
    """The tab for a page, by its name.

    A page that opens an app gets a tab of its own: while Chromium asks about the app, which can be after the
    next page is loaded, the tab ignores clicks.
    """
    with ExitStack() as tabs:

        def tab(name: str) -> Page:
            if name not in OPENS_AN_APP:
                return request.getfixturevalue("page")
            context = request.getfixturevalue("chromium").new_context()
            tabs.callback(context.close)
            return context.new_page()

        yield tab


def prepare(page: Page, answer: Response, *, width: int, scheme: Scheme) -> None:
    """Lets the gateway's address return this response at `/page`; all other requests of the tab fail."""
    page.set_viewport_size({"width": width, "height": 480})
    page.emulate_media(color_scheme=scheme)

    def fulfill(route: Route) -> None:
        if urlsplit(route.request.url).path != "/page":
            route.abort()
            return
        headers = dict(answer.headers)
        route.fulfill(status=answer.status, headers=headers, body=answer.body)

    page.route("**/*", fulfill)


def show(page: Page, answer: Response, *, width: int, scheme: Scheme) -> None:
    """Shows the page, with all headers of the response, at the gateway's address."""
    prepare(page, answer, width=width, scheme=scheme)
    page.goto(f"{GATEWAY}/page")


BACKGROUNDS: dict[Scheme, str] = {"light": "rgb(255, 255, 255)", "dark": "rgb(28, 33, 39)"}


@pytest.mark.parametrize("name", PAGES)
def test_c4_axe_has_no_findings_on_any_page(page_for: Callable[[str], Page], name: str) -> None:
    page = page_for(name)
    console_messages: list[str] = []
    show(page, response_of(name), width=320, scheme="light")
    page.on("console", lambda message: console_messages.append(message.text))
    page.evaluate(AXE.read_text())
    for width, (scheme, background) in itertools.product((320, 1280), BACKGROUNDS.items()):
        page.set_viewport_size({"width": width, "height": 480})
        page.emulate_media(color_scheme=scheme)
        results = page.evaluate("axe.run({resultTypes: ['violations', 'incomplete']})")
        violations = [
            (finding["id"], [node["html"] for node in finding["nodes"]])
            for finding in [*results["violations"], *results["incomplete"]]
        ]
        assert (width, scheme, violations) == (width, scheme, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shown = page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor")
        assert shown == background
    # Without a click, Chromium opens only one app.
    assert [message for message in console_messages if "Not allowed to launch" not in message] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_c4_axe_has_no_findings_while_the_page_is_used(page: Page, scheme: Scheme) -> None:
    show(page, response_of("consent"), width=390, scheme=scheme)
    page.evaluate(AXE.read_text())
    page.get_by_role("checkbox").check()
    for name in ("Allow", "Deny"):
        button = page.get_by_role("button", name=name)
        for use in (button.hover, button.focus):
            use()
            assert (
                page.evaluate("axe.run().then(result => result.violations.map(violation => violation.id))")
                == []
            )


def test_c8_the_page_opens_the_app_automatically_and_stays_open(page_for: Callable[[str], Page]) -> None:
    """No app handles the scheme here, so Chromium requests its URL and the page stays in the tab."""
    page = page_for("signed in")
    prepare(page, response_of("signed in"), width=390, scheme="light")
    session = page.context.new_cdp_session(page)
    navigations: list[tuple[str, str]] = []
    session.on(
        "Page.frameRequestedNavigation", lambda event: navigations.append((event["reason"], event["url"]))
    )
    session.send("Page.enable")
    # The page starts a navigation of its own, which would interrupt a wait for the end of loading.
    page.goto(f"{GATEWAY}/page", wait_until="commit")
    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()
    link = page.get_by_role("link", name="Open the app").get_attribute("href")
    assert link is not None
    assert link.startswith(f"{CURSOR}?code=")
    deadline = time.monotonic() + 60
    while ("metaTagRefresh", link) not in navigations:
        assert time.monotonic() < deadline, navigations
        page.wait_for_timeout(20)
    assert page.url == f"{GATEWAY}/page"


def test_c4_the_page_can_be_read_by_a_screen_reader(page: Page) -> None:
    show(page, response_of("consent"), width=390, scheme="light")
    expect(page.get_by_role("heading", level=1)).to_contain_text("http://127.0.0.1:45321")
    expect(page.get_by_role("note")).to_contain_text("your own computer")
    box = page.get_by_role("checkbox", name="I started this myself")
    expect(box).not_to_be_checked()
    page.get_by_text("I want to continue to").click()
    expect(box).to_be_checked()
    for name in ("Allow", "Deny"):
        button = page.get_by_role("button", name=name)
        expect(button).to_be_visible()
        size = button.bounding_box()
        assert size is not None
        assert size["height"] >= 44


SHOTS: dict[str, tuple[str, int, Scheme]] = {
    "consent": ("consent", 480, "light"),
    "consent-dark": ("consent of a verified client", 480, "dark"),
    "error": ("error with a link", 480, "light"),
    "signed-in": ("signed in", 480, "light"),
}


@pytest.mark.parametrize("name", SHOTS)
def test_the_screenshots_of_the_documentation_can_be_taken(
    page_for: Callable[[str], Page], tmp_path: Path, name: str
) -> None:
    page_name, width, scheme = SHOTS[name]
    page = page_for(page_name)
    show(page, response_of(page_name), width=width, scheme=scheme)
    folder = ROOT / "docs" if os.environ.get("DOCS_SCREENSHOTS") else tmp_path
    target = folder / f"{name}.png"
    page.screenshot(path=target, full_page=True)
    assert target.read_bytes().startswith(b"\x89PNG")
    assert (ROOT / "docs" / f"{name}.png").is_file()
