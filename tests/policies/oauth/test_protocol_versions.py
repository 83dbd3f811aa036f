"""Clients of each protocol version at the gateway (docs/protocol-versions.md)."""

import json
from collections.abc import Mapping

import pytest

from tests.policies.engine.harness import Response, Sent, reply
from tests.policies.oauth.flow import Flow

WITH_SESSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
STATELESS = "2026-07-28"
SESSION = "5f0c7c2a-session"
JSON = {"Content_Type": "application/json", "Accept": "application/json, text/event-stream"}


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


@pytest.fixture
def token(flow: Flow) -> str:
    return flow.token()


def versioned(version: str) -> Mapping[str, str]:
    """The headers of a request after `initialize`; 2025-03-26 has no header for the version."""
    return {} if version == "2025-03-26" else {"MCP_Protocol_Version": version}


def send(flow: Flow, token: str, method: str, body: object = None, **headers: str) -> Response:
    """Sends a request with this JSON body to the MCP server."""
    content = None if body is None else json.dumps(body).encode()
    return flow.harness.send(method, "/mcp", body=content, Authorization=f"Bearer {token}", **headers)


def arrived(flow: Flow) -> Sent:
    """The last request that the gateway forwarded to the server."""
    return [sent for sent in flow.harness.network.sent if "functions.example" in sent.url][-1]


def initialize(flow: Flow, token: str, version: str) -> Response:
    """Sends `initialize`; the server responds with a session id."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": version}}
    served_body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": version}})
    flow.served = lambda: reply(200, served_body, Mcp_Session_Id=SESSION, Content_Type="application/json")
    return send(flow, token, "POST", body, **JSON)


@pytest.mark.parametrize("version", WITH_SESSIONS)
def test_a_client_of_a_version_with_sessions_begins_uses_and_ends_a_session(
    flow: Flow, token: str, version: str
) -> None:
    initialized = initialize(flow, token, version)
    assert initialized.json()["result"] == {"protocolVersion": version}
    session = initialized.header("Mcp-Session-Id") or ""
    headers = {"Mcp_Session_Id": session, **versioned(version)}

    flow.served = lambda: reply(202, "")
    notification = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert send(flow, token, "POST", notification, **JSON, **headers).status == 202
    assert json.loads(arrived(flow).body) == notification

    event = 'event: message\ndata: {"jsonrpc":"2.0","id":2,"result":{"tools":[]}}\n\n'
    flow.served = lambda: reply(200, event, Content_Type="text/event-stream")
    answer = send(flow, token, "POST", {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, **JSON, **headers)
    assert (answer.status, answer.body.decode()) == (200, event)
    sent = arrived(flow)
    assert sent.header("Mcp-Session-Id") == SESSION
    assert sent.header("MCP-Protocol-Version") == versioned(version).get("MCP_Protocol_Version")

    resumed = send(flow, token, "GET", Accept="text/event-stream", Last_Event_ID="7", **headers)
    assert (resumed.status, arrived(flow).header("Last-Event-ID")) == (200, "7")

    flow.served = lambda: reply(204, "")
    assert send(flow, token, "DELETE", **headers).status == 204
    assert (arrived(flow).method, arrived(flow).header("Mcp-Session-Id")) == ("DELETE", SESSION)


def test_a_batch_of_2025_03_26_is_forwarded_unchanged(flow: Flow, token: str) -> None:
    batch = [{"jsonrpc": "2.0", "id": number, "method": "ping"} for number in range(2)]
    served_body = json.dumps([{"jsonrpc": "2.0", "id": number, "result": {}} for number in range(2)])
    flow.served = lambda: reply(200, served_body, Content_Type="application/json")
    answer = send(flow, token, "POST", batch, **JSON)
    assert (json.loads(arrived(flow).body), answer.body.decode()) == (batch, served_body)


@pytest.mark.parametrize("version", WITH_SESSIONS)
def test_a_message_in_a_session_that_ended_or_never_existed_results_in_404(
    flow: Flow, token: str, version: str
) -> None:
    """The server refuses the first session, the gateway the second; then the client begins a new session."""
    initialize(flow, token, version)
    flow.served = lambda: reply(404, '{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"x"}}')
    for session in (SESSION, "another"):
        answer = send(flow, token, "POST", {}, Mcp_Session_Id=session, **JSON, **versioned(version))
        assert (answer.status, answer.json()["error"]["code"]) == (404, -32001)


@pytest.mark.parametrize("version", [*WITH_SESSIONS, STATELESS])
def test_a_servers_error_for_an_unsupported_version_is_forwarded(
    flow: Flow, token: str, version: str
) -> None:
    error = {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": ["2025-06-18"]}}
    served_body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error})
    flow.served = lambda: reply(400, served_body, Content_Type="application/json")
    body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}
    answer = send(flow, token, "POST", body, **JSON, MCP_Protocol_Version=version)
    assert (answer.status, answer.body.decode()) == (400, served_body)


def test_a_client_of_2026_07_28_calls_without_a_session(flow: Flow, token: str) -> None:
    headers = {
        "MCP_Protocol_Version": STATELESS,
        "Mcp_Method": "tools/call",
        "Mcp_Name": "save_snippet",
        "Mcp_Param_Region": "eu",
    }
    meta = {"io.modelcontextprotocol/protocolVersion": STATELESS}
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "save_snippet", "_meta": meta},
    }
    served_body = '{"jsonrpc":"2.0","id":1,"result":{"content":[],"resultType":"complete"}}'
    flow.served = lambda: reply(
        200, served_body, Content_Type="application/json", MCP_Protocol_Version=STATELESS
    )
    answer = send(flow, token, "POST", body, **JSON, **headers)
    assert (answer.status, answer.body.decode()) == (200, served_body)
    assert answer.header("MCP-Protocol-Version") == STATELESS
    sent = arrived(flow)
    assert json.loads(sent.body) == body
    for name, value in headers.items():
        assert sent.header(name.replace("_", "-")) == value


def test_a_client_of_2026_07_28_receives_events_in_the_response_to_a_subscription(
    flow: Flow, token: str
) -> None:
    event = 'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
    flow.served = lambda: reply(200, event, Content_Type="text/event-stream", X_Accel_Buffering="no")
    body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}
    answer = send(flow, token, "POST", body, **JSON, MCP_Protocol_Version=STATELESS)
    assert (answer.body.decode(), answer.header("X-Accel-Buffering")) == (event, "no")


def test_a_client_that_falls_back_to_an_older_version_receives_a_session(flow: Flow, token: str) -> None:
    """The first request has the version 2026-07-28; then `initialize` has an older version and no header."""
    flow.served = lambda: reply(400, "{}", Content_Type="application/json")
    body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}
    assert send(flow, token, "POST", body, **JSON, MCP_Protocol_Version=STATELESS).status == 400
    assert initialize(flow, token, "2025-11-25").header("Mcp-Session-Id") == SESSION
