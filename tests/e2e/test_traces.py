"""The traces of a whole sign-in in a running twin, and the values that they must not contain."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.e2e.client import Client, challenge_of, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person

_SECRET_LIKE = re.compile(r"[\w\-.~+/=|%]{12,}")


class ExchangedValues:
    """Every exchanged value that could be a secret."""

    def __init__(self) -> None:
        self.values: set[str] = set()

    def request(self, request: httpx.Request) -> None:
        self._query(request.url.query.decode())
        if "urlencoded" in request.headers.get("content-type", ""):
            self._query(request.content.decode())
        self._note(request.headers.get("authorization", "").removeprefix("Bearer "))

    def response(self, response: httpx.Response) -> None:
        for line in response.headers.get_list("set-cookie"):
            self._note(line.partition(";")[0].partition("=")[2])
        location = urlsplit(response.headers.get("location", ""))
        self._query(location.query)
        self._query(location.fragment)

    def _query(self, query: str) -> None:
        for _name, value in parse_qsl(query):
            self._note(value)

    def _note(self, value: str) -> None:
        if _SECRET_LIKE.fullmatch(value) and any(letter.isdigit() for letter in value):
            self.values.add(value)


@pytest.fixture
def traced(twin: RunningTwin) -> Iterator[RunningTwin]:
    """The twin while it records traces."""
    twin.control.post("/tracing", json={"on": True}).raise_for_status()
    yield twin
    twin.control.post("/tracing", json={"on": False}).raise_for_status()


@pytest.fixture
def exchanged(twin: RunningTwin) -> Iterator[ExchangedValues]:
    """The values in all requests and responses."""
    exchanged = ExchangedValues()
    twin.http.event_hooks = {"request": [exchanged.request], "response": [exchanged.response]}
    yield exchanged
    twin.http.event_hooks = {"request": [], "response": []}


def recorded(twin: RunningTwin, **filters: str) -> list[dict[str, Any]]:
    listed = twin.control.get("/traces", params=filters).raise_for_status().json()["traces"]
    return [
        twin.control.get(f"/traces/{summary['request_id']}").raise_for_status().json() for summary in listed
    ]


def test_the_traces_of_a_sign_in_contain_no_code_token_cookie_verifier_state_or_key(
    traced: RunningTwin, exchanged: ExchangedValues, ada: Person, client: Client, deployment: Deployment
) -> None:
    code = parameters_of(ada.sign_in(client.authorize_url()))["code"]
    token = client.redeem(code).json()["access_token"]
    assert client.call(token).status_code == 200
    traces = recorded(traced)
    pages = [traced.control.get(f"/traces/{trace['request_id']}/view").text for trace in traces]
    shown = json.dumps(traces) + "".join(pages) + traced.control.get("/traces/view").text

    cookies = [value for jar in ada.cookies.values() for value in jar.values()]
    keys = [named_value.value for named_value in deployment.service().named_values if named_value.secret]
    stored = [document["id"] for document in deployment.documents() if document["id"] != client.client_id]
    secrets = {code, token, client.verifier, challenge_of(client.verifier), client.state, *cookies, *keys}
    assert len(keys) >= 2
    assert code in exchanged.values
    assert len(exchanged.values) > 10
    assert {"/register", "/authorize", "/consent", "/oauth-callback", "/token", "/mcp"} <= {
        trace["path"] for trace in traces
    }
    assert [secret for secret in secrets | exchanged.values | set(stored) if secret in shown] == []


def test_the_trace_of_a_call_has_policies_expressions_changes_and_sent_requests(
    traced: RunningTwin, client: Client, token: str
) -> None:
    client.call(token).raise_for_status()
    (call,) = recorded(traced, path="/mcp", status="200")
    statements = call["statements"]
    sent = {(request["service"], request["method"], request["status"]) for request in call["calls"]}
    assert (call["method"], call["path"], call["status"]) == ("POST", "/mcp", 200)
    assert ("functions", "POST", 200) in sent
    assert [statement["section"] for statement in statements] == sorted(
        (statement["section"] for statement in statements), key=["inbound", "backend", "outbound"].index
    )
    assert {statement["scope"] for statement in statements} == {"api"}
    assert {"fragment mcp-token", "fragment mcp-answer"} <= {
        statement["document"] for statement in statements
    }
    assert max(statement["depth"] for statement in statements) >= 1
    assert [
        statement["written"] for statement in statements if not statement["written"].startswith("policies/")
    ] == []
    values = {
        (expression["source"], expression["value"])
        for statement in statements
        for expression in statement["expressions"]
    }
    assert ('@(context.Request.Method == "OPTIONS")', "False") in values
    assert any(
        change.startswith("variable claims = ") for statement in statements for change in statement["changes"]
    )
    assert all(
        statements[request["by"]]["milliseconds"] >= request["milliseconds"] for request in call["calls"]
    )


def test_nothing_is_recorded_until_tracing_is_enabled(twin: RunningTwin, client: Client) -> None:
    client.call(None)
    assert recorded(twin) == []
