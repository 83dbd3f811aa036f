"""Reading audit records over HTTP: the list, its filters and the page."""

from collections import deque

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from apim.services import TraceTelemetry
from twin.audit import audit_routes

HOSTILE = "<script>alert(1)</script>"


def sent(message: str, **properties: str) -> TraceTelemetry:
    return TraceTelemetry(
        at=0.0,
        operation_id="0af7651916cd43dd8448eb211c80319c",
        source="audit",
        severity="information",
        message=message,
        properties=dict.fromkeys(
            ("subject", "client", "tool", "toolSource", "milliseconds", "requestId"), "-"
        )
        | properties,
    )


@pytest.fixture
def reader() -> TestClient:
    telemetry = deque(
        [
            sent("audit", event="token", outcome="success", server="mcp", error="-"),
            sent("something else", event="token"),
            sent(
                "audit",
                event="tool-call",
                outcome="refused",
                server="slack-mcp",
                error=HOSTILE,
                tool="x",
                toolSource="header",
            ),
        ]
    )
    return TestClient(Starlette(routes=audit_routes(telemetry)))


def test_records_are_listed_newest_first_and_filtered(reader: TestClient) -> None:
    def events(query: str) -> list[str]:
        return [record["event"] for record in reader.get(f"/audit{query}").json()["records"]]

    assert events("") == ["tool-call", "token"]
    assert events("?outcome=refused") == ["tool-call"]
    assert events("?event=token&server=mcp") == ["token"]
    assert events("?event=token&server=slack-mcp") == []
    assert len(events("?operationId=0af7651916cd43dd8448eb211c80319c")) == 2


def test_the_page_shows_records_as_text(reader: TestClient) -> None:
    page = reader.get("/audit/view", params={"event": "tool-call"})
    assert page.status_code == 200
    assert "&lt;script&gt;" in page.text
    assert 'x <span class="soft">(header)</span>' in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "None of the 2 records matches." in reader.get("/audit/view?subject=x").text
