"""Reading traces over HTTP: the list, its filters, one request, and the pages."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.policies.engine.harness import Harness, harness_with, policies, reply
from twin.traces import trace_routes

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def harness() -> Harness:
    """A gateway with tracing, a condition, a call, and text that a page must not show as HTML."""
    harness = harness_with(
        policies(
            '<set-variable name="a" value="@(&quot;&lt;b&gt;&quot; + 1)" />'
            '<choose><when condition="@(context.Request.Headers.ContainsKey(&quot;X-Stop&quot;))">'
            '<return-response><set-status code="403" reason="No" /></return-response></when></choose>'
            f'<trace source="{HOSTILE.replace("<", "&lt;")}"><message>@("&lt;i&gt;")</message></trace>'
        )
    )
    harness.network.answer = lambda _sent: reply(200, "fine", Set_Cookie="session=abcdef")
    harness.gateway.tracing = True
    return harness


@pytest.fixture
def reader(harness: Harness) -> TestClient:
    return TestClient(Starlette(routes=trace_routes(harness.gateway)))


def test_the_list_is_newest_first_and_filtered_by_path_and_status(
    harness: Harness, reader: TestClient
) -> None:
    harness.send()
    harness.send(X_Stop="1")

    def statuses(query: str) -> list[int]:
        return [trace["status"] for trace in reader.get(f"/traces{query}").json()["traces"]]

    assert statuses("") == [403, 200]
    assert statuses("?status=403") == [403]
    assert statuses("?status=2xx") == [200]
    assert statuses("?path=/nowhere") == []
    assert len(statuses("?path=/")) == 2


@pytest.mark.parametrize("status", ["ok", "4", "4xxx", "600"])
def test_an_invalid_status_is_refused(reader: TestClient, status: str) -> None:
    for path in ("/traces", "/traces/view"):
        answer = reader.get(path, params={"status": status})
        assert answer.status_code == 400
        assert "status must be a status such as 401" in answer.text


def test_a_trace_that_is_not_kept_results_in_404(reader: TestClient) -> None:
    assert reader.get("/traces/none").status_code == 404
    assert reader.get("/traces/none/view").status_code == 404


def test_a_trace_shows_nesting_values_and_changes(harness: Harness, reader: TestClient) -> None:
    harness.send(X_Stop="1")
    (listed,) = reader.get("/traces").json()["traces"]
    trace = reader.get(f"/traces/{listed['request_id']}").json()
    executed = [
        (statement["element"], statement["depth"], statement["outcome"]) for statement in trace["statements"]
    ]
    assert executed == [
        ("set-variable", 0, "done"),
        ("choose", 0, "finished"),
        ("return-response", 1, "finished"),
    ]
    assert [expression["value"] for expression in trace["statements"][1]["expressions"]] == ["True"]
    assert trace["statements"][0]["changes"] == ["variable a = text, 4 characters"]
    assert trace["calls"] == []


def test_pages_escape_what_they_show_and_allow_no_scripts(harness: Harness, reader: TestClient) -> None:
    harness.send()
    (listed,) = reader.get("/traces").json()["traces"]
    for path in ("/traces/view", f"/traces/{listed['request_id']}/view", "/traces/none/view"):
        page = reader.get(path, params={"path": HOSTILE} if path == "/traces/view" else {})
        assert "<script" not in page.text
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
    assert "&lt;script&gt;" in reader.get("/traces/view", params={"path": HOSTILE}).text
    assert "&lt;b&gt;" in reader.get(f"/traces/{listed['request_id']}/view").text


def test_a_page_shows_a_response_cookie_by_its_length_only(harness: Harness, reader: TestClient) -> None:
    harness.send()
    (listed,) = reader.get("/traces").json()["traces"]
    page = reader.get(f"/traces/{listed['request_id']}/view").text
    assert "response header Set-Cookie = text, 14 characters" in page
    assert "abcdef" not in page


def test_a_running_request_has_no_status_yet(harness: Harness, reader: TestClient) -> None:
    during: list[tuple[object, bool]] = []

    async def answer(_sent: object):
        trace = harness.gateway.traces[-1]
        page = await asyncio.to_thread(reader.get, f"/traces/{trace.request_id}/view")
        during.append((trace.status, "no response" in page.text))
        return reply(200)

    harness.network.answer = answer
    harness.send()
    assert during == [(None, True)]
