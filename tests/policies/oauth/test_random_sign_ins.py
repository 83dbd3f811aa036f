"""Random requests to the endpoints of a sign-in result in no 5xx and reveal no internal name.

`HYPOTHESIS_PROFILE=thorough` tries 10,000 inputs for each test.
"""

import functools
import json
import string
from typing import Any
from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from apim.network import Reply
from tests.e2e.client import CALLBACK
from tests.policies.engine.harness import Harness, Response, reply
from tests.policies.oauth.flow import FORM, GATEWAY, Flow, ManualClock, service_with
from tests.policies.oauth.test_metadata_documents import APP, URL, Host
from tests.profile import many

INTERNAL = (b"cosmos.example", b"Exception", b"Traceback", b"System.", b"{{", b"Newtonsoft")


@functools.cache
def shared() -> Flow:
    """A gateway with a registered client and limits that no test reaches."""
    limits = {"registerPerMinute": "1000", "stackRegistersPerMinute": "10000", "authorizePerMinute": "10000"}
    return Flow.at(Harness(service_with(**limits), ManualClock()))


def fresh() -> Flow:
    """The same, after the counters and the recorded requests are cleared."""
    flow = shared()
    flow.harness.gateway.services.counters.clear()
    # Removes the host of the previous input.
    flow.harness.network.answer = flow.respond
    flow.harness.network.sent.clear()
    return flow


def assert_harmless(answer: Response) -> None:
    """The response is not 5xx and contains no internal names or control characters."""
    assert answer.status < 500, answer.body
    assert not any(name in answer.body for name in INTERNAL)
    assert all(character >= " " for _, value in answer.headers for character in value)


constants = st.sampled_from(
    ["", "code", "S256", "x" * 43, "s", "functions", CALLBACK, APP, GATEWAY, f"{GATEWAY}/mcp", URL, "none"]
)
arbitrary = st.text(st.sampled_from(string.printable + "\u00e9\u202e\u0301\U0001f600\ufffd\x00"), max_size=40)
values = constants | arbitrary
names = st.sampled_from(
    [
        "client_id",
        "redirect_uri",
        "response_type",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "scope",
        "state",
        "prompt",
        "request",
        "response_mode",
        "transaction",
        "unknown",
    ]
)
raw = st.sampled_from(["%", "%zz", "%00", "%E2%28", "%u0041", "+", "&", "=", ";", "&&", "a=b=c"])
pairs = st.builds(lambda name, value: f"{name}={quote(value, safe='')}", names, values)
queries = st.lists(pairs | raw, max_size=12).map("&".join).filter(lambda query: len(query) < 4000)


@many
@given(queries)
@example(f"client_id={URL}&redirect_uri={APP}")
@example("client_id=https://a.b.c%2F..%2F&redirect_uri=%00")
def test_e8_no_authorization_request_causes_a_server_error(query: str) -> None:
    flow = fresh()
    Host({}).serve(flow)
    client = f"client_id={flow.client_id}&redirect_uri={quote(CALLBACK, safe='')}&"
    for sent_query in (query, client + query):
        answer = flow.harness.send("GET", "/authorize", sent_query)
        assert_harmless(answer)
        location = answer.header("Location") or ""
        assert not location or location.startswith((f"{GATEWAY}/consent?", CALLBACK))


@many
@given(queries)
def test_e8_no_query_of_the_consent_page_causes_a_server_error(query: str) -> None:
    answer = fresh().harness.send("GET", "/consent", query)
    assert_harmless(answer)
    assert answer.status == 400


@many
@given(st.lists(pairs | raw, max_size=8).map("&".join), st.sampled_from([FORM, "", "text/plain"]))
def test_e8_no_form_that_is_posted_to_consent_causes_a_server_error(form: str, content_type: str) -> None:
    answer = fresh().harness.send(
        "POST", "/consent", body=form.encode(), Content_Type=content_type, Origin=GATEWAY
    )
    assert_harmless(answer)
    assert answer.status == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | values,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(arbitrary, inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    [
        "redirect_uris",
        "client_name",
        "grant_types",
        "response_types",
        "token_endpoint_auth_method",
        "client_id",
        "jwks_uri",
        "client_secret",
        "token_endpoint_auth_methods_supported",
        "scope",
    ]
)
uris = st.sampled_from([CALLBACK, APP, "cursor://x/y", "https://[::1]/", "https://a..b/", "x:/"]) | arbitrary


@many
@given(st.dictionaries(members, json_values, max_size=6), st.lists(uris | json_values, max_size=4))
def test_e8_no_metadata_causes_a_server_error(metadata: dict[str, Any], redirect_uris: list[Any]) -> None:
    flow = fresh()
    for requested in (metadata, metadata | {"redirect_uris": redirect_uris}):
        body = json.dumps(requested)
        answer = flow.harness.send("POST", "/register", body=body.encode(), Content_Type="application/json")
        assert_harmless(answer)
        assert answer.status in (201, 400)
        if answer.status == 201:
            assert "client_secret" not in answer.json()
        # A metadata document with the same members must not cause a server error either.
        host = Host(requested | {"client_id": URL}, Cache_Control="no-store")
        host.serve(flow)
        assert_harmless(flow.harness.send("GET", "/authorize", f"client_id={URL}&redirect_uri={quote(APP)}"))


@many
@given(st.binary(max_size=200), st.sampled_from(["application/json", "text/html", "", "a/b; c"]))
def test_e8_no_document_of_a_clients_host_causes_a_server_error(body: bytes, content_type: str) -> None:
    flow = fresh()
    host = Host({})
    host.answer = lambda: _document(body, content_type)
    host.serve(flow)
    answer = flow.harness.send("GET", "/authorize", f"client_id={URL}&redirect_uri={quote(APP)}")
    assert_harmless(answer)
    assert answer.status == 400


def _document(body: bytes, content_type: str) -> Reply:
    return reply(200, body, Content_Type=content_type)
