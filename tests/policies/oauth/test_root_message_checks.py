"""Messages at the gateway's root are checked like messages below the path of a server."""

import json

import pytest

from tests.e2e.client import refusal_of
from tests.policies.access.callers import bearer, harness_with
from tests.policies.engine.harness import Response, Sent, reply
from tests.policies.oauth.flow import Flow

STREAM = "azmcpcs=0123456789abcdef"


def message(flow: Flow, token: str, **headers: str) -> Response:
    """A message to an event stream of the functions server."""
    return flow.harness.send("POST", "/message", STREAM, body=b"{}", **bearer(token), **headers)


def reached(flow: Flow) -> list[Sent]:
    """The requests that the gateway forwarded to the server."""
    return [sent for sent in flow.harness.network.sent if "functions.example" in sent.url]


@pytest.fixture
def flow() -> Flow:
    flow = Flow.new()
    flow.served = lambda: reply(202, "")
    return flow


def test_e5_the_first_message_binds_its_stream_to_the_caller(flow: Flow) -> None:
    assert message(flow, flow.token()).status == 202
    assert len(list(flow.store.of("sessions"))) == 1
    flow.register()
    refused = message(flow, flow.token())
    assert (refused.status, refusal_of(refused.json())) == (404, "invalid_session")
    assert len(reached(flow)) == 1


def test_e7_messages_count_as_calls_of_their_server() -> None:
    flow = Flow.at(harness_with(callsPerMinute="3"))
    flow.served = lambda: reply(202, "")
    token = flow.token()
    assert [message(flow, token).status for _ in range(3)] == [202] * 3
    assert {message(flow, token).status, flow.call(token).status} == {429}


def test_e3_the_server_receives_the_gateways_credential_and_no_credential_of_the_client(flow: Flow) -> None:
    token = flow.token()
    assert message(flow, token, Cookie="a=b", X_Forwarded_For="1.2.3.4").status == 202
    (sent,) = reached(flow)
    assert sent.header("Authorization") == f"Bearer token-for-{flow.named_value('functions-audience')}"
    assert (sent.header("Cookie"), sent.header("X-Forwarded-For")) == (None, None)
    assert token not in json.dumps(sent.headers)


def test_e8_the_body_of_a_failed_server_is_not_forwarded(flow: Flow) -> None:
    token = flow.token()
    flow.served = lambda: reply(500, "func-internal.azurewebsites.net: stack trace")
    refused = message(flow, token)
    assert (refused.status, refusal_of(refused.json())) == (502, "server_error")
    assert b"azurewebsites" not in refused.body


def test_f7_each_message_creates_one_audit_record(flow: Flow) -> None:
    token = flow.token()
    telemetry = flow.harness.gateway.services.telemetry
    telemetry.clear()
    assert message(flow, token).status == 202
    (record,) = telemetry
    assert (record.properties["outcome"], record.properties["server"]) == ("success", "mcp")
