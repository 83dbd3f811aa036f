"""Sign-ins, tokens and calls under every reading (docs/readings.md): what Azure does not document."""

import base64
import functools
import hashlib
from urllib.parse import quote

import pytest

from apim.readings import TABLE, Readings
from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.harness import Harness, Response, Sent, reply
from tests.policies.oauth.flow import (
    FORM,
    RESOURCE,
    Flow,
    ManualClock,
    handle_of,
    service_with,
    unreachable,
)

# The other readings concern the twin's services.
SINGLE = [
    f"{question.name}={option.name}"
    for question in TABLE
    if not question.services
    for option in question.options
]


@functools.cache
def shared_harness() -> Harness:
    return Harness(service_with(), ManualClock())


@pytest.fixture(params=["strict", "lenient"])
def flow(request: pytest.FixtureRequest) -> Flow:
    """A flow under the strict readings, and a flow under the lenient readings."""
    return under(request.param)


def under(choice: str) -> Flow:
    """A flow under a preset, or under a single reading such as `query=raw`."""
    presets = {"default": Readings.default, "strict": Readings.strict, "lenient": Readings.lenient}
    readings = presets[choice]() if choice in presets else Readings.parse([choice])
    shared_harness().gateway.use(readings)
    return Flow.at(shared_harness())


def call(flow: Flow, token: str | None, query: str = "", **headers: str) -> Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return flow.harness.send("POST", "/mcp", query, body=b"{}", **headers)


@pytest.mark.parametrize("choice", ["default", "strict", "lenient", *SINGLE])
def test_a_client_signs_in_and_calls_a_tool(choice: str) -> None:
    """The redirect URI and the state have characters that are encoded in a query."""
    flow = under(choice)
    redirect = "https://app.example/back?a=%C3%BC&b=c+d"
    flow.register(redirect_uris=[redirect])
    start = flow.authorize(redirect_uri=redirect, state="a b/ü&=%41", scope="functions offline_access")
    assert start.status == 302
    at_entra = flow.consent(flow.consent_page(handle_of(start)))
    back = flow.callback(at_entra, code="0.A+b/c=d&e")
    location = back.header("Location") or ""
    assert flow.entra_request["code"] == "0.A+b/c=d&e"
    assert location.startswith(redirect + "&code=")
    assert "&state=a+b%2F%C3%BC%26%3D%2541&" in location
    answer = flow.redeem(parameters_of(location)["code"], redirect_uri=redirect).json()
    assert answer["scope"] == "functions offline_access"
    assert answer["expires_in"] == 600
    assert flow.call(answer["access_token"]).status == 200


def test_a_scope_may_be_encoded_in_any_way(flow: Flow) -> None:
    for scope in ("functions+offline_access", "functions%20offline_access", "%66unctions%20offline%5Faccess"):
        start = flow.get("/authorize", _authorization(flow, scope=scope))
        assert flow.store.documents[("transactions", _id(start))]["scope"] == "functions offline_access"


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
@pytest.mark.parametrize("value", ["%", "%zz", "%E2%28", "%u0041", "+", "%00", ""])
def test_a_malformed_escape_in_client_id_or_redirect_uri_results_in_an_error_page(
    name: str, value: str
) -> None:
    for choice in ("strict", "lenient"):
        flow = under(choice)
        answer = flow.get("/authorize", _authorization(flow, **{name: value}))
        assert (answer.status, answer.header("Location")) == (400, None)


@pytest.mark.parametrize("name", ["code_challenge", "resource", "response_type"])
@pytest.mark.parametrize("value", ["%", "%zz", "%E2%28", "%u0041", "%00"])
def test_a_malformed_escape_in_another_parameter_is_an_error_that_the_client_receives(
    name: str, value: str
) -> None:
    for choice in ("strict", "lenient"):
        flow = under(choice)
        answer = flow.get("/authorize", _authorization(flow, **{name: value}))
        assert parameters_of(answer.header("Location") or "")["error"]


def test_a_parameter_with_four_values_results_in_an_error(flow: Flow) -> None:
    """In the policies, the second value creates an array, and further values are added to it."""
    for name in ("scope", "resource", "client_id"):
        answer = flow.get("/authorize", _authorization(flow) + f"&{name}=a&{name}=b&{name}=c")
        assert answer.status in (302, 400)
        assert "error=" in (answer.header("Location") or "error=")


def test_a_repeated_parameter_is_refused_even_if_its_second_name_is_encoded(flow: Flow) -> None:
    query = _authorization(flow) + "&code_challenge%5Fmethod=S256"
    answer = flow.get("/authorize", query)
    assert parameters_of(answer.header("Location") or "")["error"] == "invalid_request"


def test_a_token_in_the_query_is_refused_also_if_the_name_of_the_parameter_is_encoded(flow: Flow) -> None:
    token = flow.token()
    for query in ("access_token=x", "access%5Ftoken=x", "a=b&access_token", f"access_token={token}"):
        for sent in (None, token):
            answer = call(flow, sent, query)
            assert answer.status == 401
            assert 'error="invalid_token"' in (answer.header("WWW-Authenticate") or "")
    assert call(flow, token, "accesstoken=x").status == 200


def test_the_response_to_a_refused_request_has_the_reason_and_is_not_500(flow: Flow) -> None:
    assert call(flow, None).status == 401
    assert call(flow, "x").status == 401
    assert flow.harness.send("GET", "/.well-known/oauth-protected-resource/nothing").status == 404
    assert flow.consent_page("x").status == 400
    assert flow.get("/oauth-callback", "state=x&code=y").status == 400
    assert flow.redeem("x").status == 400


def test_a_code_that_is_redeemed_twice_revokes_its_grant(flow: Flow) -> None:
    code = flow.code()
    token = flow.redeem(code).json()["access_token"]
    assert flow.call(token).status == 200
    assert flow.redeem(code).json()["error"] == "invalid_grant"
    assert flow.call(token).status == 401


def test_d5_a_refresh_is_repeatable_until_the_new_refresh_token_was_used(
    flow: Flow,
) -> None:
    first = flow.refresh_token()
    second, again = (flow.refresh(first).json() for _ in range(2))
    assert second["refresh_token"] == again["refresh_token"]
    assert [flow.call(tokens["access_token"]).status for tokens in (second, again)] == [200, 200]
    assert flow.refresh(second["refresh_token"]).status == 200
    assert flow.refresh(first).json()["error"] == "invalid_grant"
    assert flow.call(again["access_token"]).status == 401


def test_d6_a_revoked_token_is_refused(flow: Flow) -> None:
    response = flow.redeem(flow.code()).json()
    for token in ("x", response["access_token"], response["refresh_token"]):
        assert flow.revoke(token).status == 200
    assert flow.call(response["access_token"]).status == 401
    assert flow.refresh(response["refresh_token"]).json()["error"] == "invalid_grant"


def test_d5_entra_and_the_store_may_fail_during_a_refresh(flow: Flow) -> None:
    token = flow.refresh_token()
    flow.entra = unreachable
    assert flow.refresh(token).status == 503
    flow.entra = None
    flow.store.failing = {len(flow.store.calls) + 1: unreachable}
    assert flow.refresh(token).status == 503
    assert flow.refresh(token).status == 200


def test_a_store_that_does_not_answer_results_in_503_at_every_step(flow: Flow) -> None:
    token = flow.token()
    flow.harness.gateway.services.cache.clear()
    flow.store.failing = dict.fromkeys(range(1000), unreachable)
    answers = (flow.register(), flow.authorize(), flow.consent_page("x"), flow.call(token))
    assert [answer.status for answer in answers] == [503] * 4
    assert flow.redeem("A" * 22 + "." + "B" * 43).status == 503


@pytest.mark.parametrize("reading", ["failed-send-request=unset", "failed-send-request=null"])
def test_a_session_is_not_accepted_when_the_store_fails_after_the_grant(reading: str) -> None:
    """The failed call may leave its variable unchanged, with the response that contains the grant; the owner
    of the grant must not be taken for the owner of the session."""
    flow = under(reading)
    token = flow.token()
    session = {"Mcp-Session-Id": "0123456789abcdef"}
    flow.harness.gateway.services.cache.clear()
    flow.store.failing = {len(flow.store.calls) + 1: unreachable}
    assert call(flow, token, **session).status == 503
    flow.store.failing.clear()
    assert call(flow, token, **session).status == 404


@pytest.mark.parametrize("reading", ["failed-send-request=unset", "failed-send-request=null"])
def test_a_session_that_cannot_be_stored_does_not_begin(reading: str) -> None:
    flow = under(reading)
    token = flow.token()
    flow.served = lambda: reply(200, "{}", Mcp_Session_Id="0123456789abcdef")
    before = len(flow.store.calls)
    flow.store.failing = dict.fromkeys(range(before + 1, before + 3), unreachable)
    assert call(flow, token).status == 503


def test_connection_headers_of_a_server_have_no_effect_and_other_headers_are_removed(flow: Flow) -> None:
    flow.served = lambda: reply(
        200, "{}", Content_Type="application/json", Connection="keep-alive", Keep_Alive="timeout=5", X_Own="1"
    )
    answer = flow.call(flow.token())
    assert (answer.status, answer.header("X-Own")) == (200, None)


def test_connection_headers_of_a_client_have_no_effect_and_other_headers_are_removed(flow: Flow) -> None:
    token = flow.token()
    connection = {"Connection": "keep-alive, te", "Keep-Alive": "timeout=5", "Transfer-Encoding": "chunked"}
    more = {"TE": "trailers", "Expect": "100-continue", "Upgrade": "h2c", "Trailer": "x", "X-Own": "1"}
    answer = call(flow, token, **connection, **more)
    assert answer.status == 200
    forwarded = _forwarded(flow)
    assert forwarded
    assert forwarded.header("X-Own") is None


@pytest.mark.parametrize("named", ["authorization", "close, AUTHORIZATION ", "mcp-session-id", "accept"])
def test_a_client_cannot_remove_the_gateways_credential_with_a_connection_header(
    flow: Flow, named: str
) -> None:
    """A proxy removes the headers that `Connection` names (RFC 9110, section 7.6.1)."""
    token = flow.token()
    answer = call(flow, token, Connection=named, Accept="application/json")
    assert answer.status in (200, 400, 401)
    if answer.status == 200:
        forwarded = _forwarded(flow)
        assert forwarded
        assert (
            forwarded.header("Authorization") == f"Bearer token-for-{flow.named_value('functions-audience')}"
        )
    else:
        assert _forwarded(flow) is None


@pytest.mark.parametrize("named", ["authorization", "close, AUTHORIZATION ", "mcp-session-id", "accept"])
def test_a_connection_header_that_policies_see_must_not_name_a_needed_header(named: str) -> None:
    flow = under("hop-by-hop=visible")
    answer = call(flow, flow.token(), Connection=named, Accept="application/json")
    assert answer.status == 400
    assert _forwarded(flow) is None


@pytest.mark.parametrize("path", ["/register", "/token", "/revoke", "/.well-known/openid-configuration"])
def test_web_pages_of_any_origin_can_call_an_endpoint_and_read_its_response(flow: Flow, path: str) -> None:
    origin = {"Origin": "https://app.example"}
    preflight_headers = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-a",
    }
    preflight = flow.harness.send("OPTIONS", path, body=None, **origin, **preflight_headers)
    assert preflight.status in (200, 204)
    assert preflight.header("Access-Control-Allow-Origin") == "*"
    assert preflight.header("Access-Control-Allow-Headers") == "content-type,x-a"
    method = "GET" if "well-known" in path else "POST"
    answer = flow.harness.send(method, path, body=None, **origin)
    assert answer.header("Access-Control-Allow-Origin") == "*"


def test_a_web_page_can_read_the_metadata_of_a_server_and_the_reason_for_a_404(flow: Flow) -> None:
    for path, status in (("mcp", 200), ("nothing", 404)):
        url = f"/.well-known/oauth-protected-resource/{path}"
        preflight_headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
        assert (
            flow.harness.send("OPTIONS", url, body=None, **preflight_headers).header(
                "Access-Control-Allow-Origin"
            )
            == "*"
        )
        answer = flow.harness.send("GET", url, body=None, Origin="https://app.example")
        assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (status, "*")


def test_a_web_page_can_read_a_429_and_its_retry_after(flow: Flow) -> None:
    for _ in range(610):
        answer = flow.post("/token", "", content_type=FORM)
    assert answer.status == 429
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("Retry-After")


def _authorization(flow: Flow, **raw: str) -> str:
    """The query of an authorization request; `raw` has parameters that are already encoded."""
    parameters = {
        "response_type": "code",
        "client_id": flow.client_id,
        "redirect_uri": quote(CALLBACK, safe=""),
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
        "resource": quote(RESOURCE, safe=""),
        **raw,
    }
    return "&".join(f"{name}={value}" for name, value in parameters.items())


def _forwarded(flow: Flow) -> Sent | None:
    """The request that reached the MCP server, or None."""
    others = (flow.named_value("cosmos-url"), flow.named_value("entra-authority"))
    return next((sent for sent in flow.harness.network.sent if not sent.url.startswith(others)), None)


def _id(start: Response) -> str:
    """The id of the transaction that an authorization request created."""
    digest = hashlib.sha256(handle_of(start).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
