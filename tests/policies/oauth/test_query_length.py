"""Queries that are longer than the gateway accepts.

API Management accepts 2,048 bytes in the v2 tiers and more in the classic ones. If the platform accepts a
longer query, the policies refuse it, and no URL that they create exceeds the limit.
"""

import functools

import pytest

from tests.e2e.client import CALLBACK, challenge_of, parameters_of, refusal_of
from tests.policies.engine.harness import Harness
from tests.policies.oauth.flow import GATEWAY, RESOURCE, VERIFIER, Flow, ManualClock, handle_of, service_with

LONGEST = 2048


@functools.cache
def shared_harness() -> Harness:
    return Harness(service_with(sku="Developer"), ManualClock())


@pytest.fixture
def flow() -> Flow:
    return Flow.at(shared_harness())


@pytest.mark.parametrize("path", ["/authorize", "/consent", "/oauth-callback"])
def test_a_query_that_is_too_long_results_in_a_page_with_its_length_and_the_limit(
    flow: Flow, path: str
) -> None:
    longest, longer = (flow.get(path, "state=" + "x" * (length - 6)) for length in (LONGEST, LONGEST + 1))
    assert b"too long" not in longest.body
    assert (longer.status, longer.header("Location")) == (400, None)
    assert b"<h1>The address of this page is too long</h1>" in longer.body
    assert b"2049 bytes" in longer.body
    assert b"at most 2048" in longer.body


@pytest.mark.parametrize("token", [True, False])
def test_a_server_is_not_called_with_a_query_that_is_too_long(flow: Flow, token: bool) -> None:
    headers = {"Authorization": f"Bearer {flow.token()}"} if token else {}
    flow.harness.network.sent.clear()
    answer = flow.harness.send("POST", "/mcp", "a=" + "x" * (LONGEST - 1), body=b"{}", **headers)
    assert (answer.status, refusal_of(answer.json())) == (400, "invalid_request")
    assert answer.json()["error"]["message"] == "The query has 2049 bytes; at most 2048 are allowed."
    assert flow.harness.network.sent == []


def test_a_redirect_uri_must_leave_space_for_the_other_parameters_of_the_query(flow: Flow) -> None:
    fits = "https://app.example/aa" + "%41" * 254
    answer = flow.register(redirect_uris=[fits, fits + "a"])
    assert (answer.status, answer.json()["error"]) == (400, "invalid_redirect_uri")
    assert "1300" in answer.json()["error_description"]
    assert "2048" in answer.json()["error_description"]
    assert flow.register(redirect_uris=[fits]).status == 201
    state = "x" * 348
    assert flow.authorize(redirect_uri=fits, state=state).status == 302


def test_a_long_state_of_the_client_is_not_in_the_gateways_own_urls(flow: Flow) -> None:
    """Entra adds a code and a session state to the callback URL, which must stay below the limit."""
    start = flow.authorize(state="x" * 1400)
    at_entra = flow.consent(flow.consent_page(handle_of(start)))
    consent = (start.header("Location") or "").partition("?")[2]
    assert len(consent) < 60
    assert len(parameters_of(at_entra.header("Location") or "")["state"]) < 100


def test_a_state_that_is_too_long_is_returned_with_the_error(flow: Flow) -> None:
    query = {
        "response_type": "code",
        "client_id": flow.client_id,
        "redirect_uri": CALLBACK,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "resource": RESOURCE,
        "state": "x" * 1501,
    }
    answer = flow.get("/authorize", "&".join(f"{name}={value}" for name, value in query.items()))
    parameters = parameters_of(answer.header("Location") or "")
    assert (parameters["error"], parameters["state"], parameters["iss"]) == (
        "invalid_request",
        "x" * 1501,
        GATEWAY,
    )
