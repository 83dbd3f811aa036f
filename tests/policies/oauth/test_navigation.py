"""Endpoints for a browser's tab refuse what a page requests in the background, and do not count it."""

import pytest

from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import FORM, GATEWAY, Flow, handle_of
from tests.policies.oauth.test_pages import PAGE, headers

# The Fetch Metadata that browsers send with `fetch(..., {mode: "no-cors"})`, `fetch`, an image, a frame, an
# object, and with a page that is loaded in advance.
BACKGROUND = [
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "empty"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "object"},
    {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "document"},
    {
        "Sec_Fetch_Site": "cross-site",
        "Sec_Fetch_Mode": "navigate",
        "Sec_Fetch_Dest": "document",
        "Sec_Purpose": "prefetch",
    },
]
ENDPOINTS = [("GET", "/authorize"), ("GET", "/consent"), ("POST", "/consent"), ("GET", "/oauth-callback")]


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_e7_requests_of_a_page_in_the_background_do_not_use_up_the_limit_of_an_address(
    flow: Flow, method: str, path: str
) -> None:
    body = b"" if method == "POST" else None
    origin = {"Origin": GATEWAY, "Content_Type": FORM} if method == "POST" else {}

    def request(**sent: str) -> Response:
        return flow.harness.send(method, path, body=body, **origin, **sent)

    flow.store.calls.clear()
    for number in range(9):
        refused = request(**BACKGROUND[number % len(BACKGROUND)])
        assert (refused.status, refused.header("Location")) == (403, None)
        assert b"This address opens in a browser tab only" in refused.body
        assert headers(refused) == PAGE
    assert flow.store.calls == []
    assert [request().status for _ in range(60)].count(429) == 0
    assert request().status == 429
    assert request(**BACKGROUND[0]).status == 403


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        # The `fetch` of Node.js, with which tools and tests follow a sign-in.
        {"Sec_Fetch_Mode": "cors"},
    ],
)
def test_c1_navigations_and_clients_without_fetch_metadata_are_not_refused(
    flow: Flow, sent: dict[str, str]
) -> None:
    handle = handle_of(flow.authorize())
    assert flow.harness.send("GET", "/consent", f"transaction={handle}", body=None, **sent).status == 200
