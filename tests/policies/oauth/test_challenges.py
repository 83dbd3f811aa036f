"""The response to callers without a valid token at MCP paths (docs/authorization.md, A1, D3 and E1)."""

import pytest

from tests.e2e.client import refusal_of
from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import GATEWAY, Flow, status
from tests.policies.oauth.test_consent import local_harness
from tests.policies.oauth.test_settings import harness_with

METADATA = f"{GATEWAY}/.well-known/oauth-protected-resource"
METHODS = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "TRACE", "PROPFIND")
PATHS = ("/mcp", "/mcp/", "/mcp/sse", "/mcp/sse/", "/mcp/message", "/message")


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def send(
    flow: Flow, method: str, path: str, token: str | None = None, query: str = "", **headers: str
) -> Response:
    """Sends a request without a body, with this access token."""
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return flow.harness.send(method, path, query, body=None, **headers)


def reached(flow: Flow) -> list[str]:
    """The URLs of the MCP server that the gateway called."""
    return [sent.url for sent in flow.harness.network.sent if "functions.example" in sent.url]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/mcp", "/mcp"),
        ("/mcp/", "/mcp/"),
        ("/MCP", "/mcp"),
        ("/mcp/sse", "/mcp/sse"),
        ("/mcp/sse/", "/mcp/sse/"),
        ("/mcp/message", "/mcp/sse"),
        ("/message", "/mcp/sse"),
    ],
)
@pytest.mark.parametrize("audience", ["backend", "gateway"])
def test_a1_a_challenge_names_the_metadata_of_the_path_that_was_called(
    path: str, document: str, audience: str
) -> None:
    harness = harness_with(audience=audience)
    challenge = harness.send("POST", path).header("WWW-Authenticate") or ""
    assert f'resource_metadata="{METADATA}{document}"' in challenge
    metadata = harness.send("GET", f"/.well-known/oauth-protected-resource{document}").json()
    assert metadata["resource"] == GATEWAY + document


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_e1_every_method_at_an_mcp_path_is_answered_with_the_challenge(
    flow: Flow, method: str, path: str
) -> None:
    """Clients send methods that no server supports: HEAD, or POST at the path of an event stream."""
    without, bad = send(flow, method, path), send(flow, method, path, "x")
    assert (without.status, bad.status) == (401, 401)
    challenge = without.header("WWW-Authenticate") or ""
    assert challenge.startswith(f'Bearer resource_metadata="{METADATA}/mcp')
    assert bad.header("WWW-Authenticate") == challenge.replace("Bearer ", 'Bearer error="invalid_token", ')
    assert without.body == bad.body
    assert refusal_of(bad.json()) == "invalid_token"
    assert reached(flow) == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_e1_an_unsupported_method_results_in_405_with_a_valid_token(
    flow: Flow, method: str, path: str
) -> None:
    supported = {"/mcp": ("DELETE", "GET", "POST"), "/mcp/sse": ("GET",)}.get(path.rstrip("/"), ("POST",))
    answer = send(flow, method, path, flow.token())
    if method in supported:
        assert answer.status in (200, 404)
        return
    assert (answer.status, refusal_of(answer.json())) == (405, "method_not_allowed")
    assert answer.header("Allow") == ", ".join((*supported, "OPTIONS"))
    assert reached(flow) == []


def test_e1_an_unsupported_method_does_not_bypass_the_checks_of_query_and_origin(flow: Flow) -> None:
    token = flow.token()
    assert send(flow, "PUT", "/mcp", token, "access_token=x").status == 401
    assert send(flow, "PUT", "/mcp", token, Origin="https://evil.example").status == 403


@pytest.mark.parametrize(
    "path", ["/mcp/nothing", "/mcp/sse/more", "/mcpx", "/nothing", "/token", "/authorize"]
)
def test_e1_other_paths_have_no_challenge(flow: Flow, path: str) -> None:
    answer = send(flow, "PUT", path)
    assert (answer.status, answer.header("WWW-Authenticate")) == (404, None)
    if path.startswith("/mcp/"):
        assert refusal_of(answer.json()) == "not_found"


@pytest.mark.parametrize(
    ("scheme", "status"), [("bearer", 200), ("BEARER", 200), ("Digest", 401), ("Bearer:", 401)]
)
def test_e1_the_scheme_of_a_token_is_bearer_in_any_case(flow: Flow, scheme: str, status: int) -> None:
    """Scheme names ignore case (RFC 9110, section 11.1)."""
    header = f"{scheme} {flow.token()}"
    assert flow.harness.send("POST", "/mcp", body=b"{}", Authorization=header).status == status


def test_e1_the_limit_for_bad_tokens_of_an_address_does_not_affect_good_tokens(flow: Flow) -> None:
    token = flow.token()
    answers = [send(flow, "POST", "/mcp", "x") for _ in range(601)]
    assert {answer.status for answer in answers[:600]} == {401}
    refused = answers[600]
    assert (refused.status, refused.header("Retry-After")) == (429, "60")
    assert refusal_of(refused.json()) == "too_many_requests"
    assert send(flow, "POST", "/mcp", token).status == 200
    assert send(flow, "POST", "/mcp").status == 401
    assert flow.harness.send("POST", "/mcp", ip="203.0.113.8", Authorization="Bearer x").status == 401
    flow.harness.clock.advance(61)
    assert send(flow, "POST", "/mcp", "x").status == 401


def test_e1_bad_tokens_of_requests_with_unsupported_methods_are_also_limited() -> None:
    flow = Flow.at(harness_with(badTokensPerMinute="1"))
    flow.harness.clock.advance(60.5 - flow.now % 60)
    assert [send(flow, "PUT", "/mcp", "x").status for _ in range(2)] == [401, 429]
    assert send(flow, "PUT", "/mcp").status == 401
    assert send(flow, "PUT", "/mcp", flow.token()).status == 405


def test_e1_revoked_and_expired_tokens_count_as_bad_tokens(flow: Flow) -> None:
    token = flow.token()
    flow.store.one("grants")["status"] = "revoked"
    flow.harness.gateway.services.cache.clear()
    for _ in range(600):
        send(flow, "POST", "/mcp", token)
    assert send(flow, "POST", "/mcp", "x").status == 429


@pytest.mark.parametrize("changed", [{"sub": "another user"}, {"clientDocumentId": "another client's"}])
@pytest.mark.parametrize("cache", ["kept", "emptied"])
def test_d3_a_token_is_refused_if_its_grant_belongs_to_another_user_or_client(
    flow: Flow, changed: dict[str, str], cache: str
) -> None:
    token = flow.token()
    assert flow.call(token).status == 200
    flow.store.one("grants").update(changed)
    if cache == "kept":
        assert flow.call(token).status == 200
        flow.harness.clock.advance(31)
    else:
        flow.harness.gateway.services.cache.clear()
    answer = flow.call(token)
    assert answer.status == 401
    assert answer.body == flow.call("x").body


def test_d3_a_grant_without_a_user_or_client_is_refused(flow: Flow) -> None:
    token = flow.token()
    grant = flow.store.one("grants")
    del grant["sub"], grant["clientDocumentId"]
    flow.harness.gateway.services.cache.clear()
    assert flow.call(token).status == 401


def test_d3_a_token_of_a_deleted_grant_is_answered_like_any_bad_token(flow: Flow) -> None:
    token = flow.token()
    flow.store.documents = {
        key: document for key, document in flow.store.documents.items() if key[0] != "grants"
    }
    flow.harness.gateway.services.cache.clear()
    answer = flow.call(token)
    assert (answer.status, answer.body) == (401, flow.call("x").body)


def test_d3_a_grant_that_has_not_reached_this_region_is_read_again(flow: Flow) -> None:
    token = flow.token()
    flow.store.failing = {len(flow.store.calls): status(404)}
    assert [flow.call(token).status for _ in range(2)] == [401, 200]


def test_a3_forwarding_headers_change_no_challenge_and_no_metadata(flow: Flow) -> None:
    plain = flow.harness.send("POST", "/mcp")
    forged = flow.harness.send(
        "POST",
        "/mcp",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Proto="http",
        X_Original_Host="evil.example",
        Forwarded="host=evil.example",
    )
    assert forged.header("WWW-Authenticate") == plain.header("WWW-Authenticate")
    for path in ("/mcp", "/mcp/sse"):
        url = f"/.well-known/oauth-protected-resource{path}"
        metadata = flow.harness.send("GET", url, X_Forwarded_Host="evil.example").json()
        assert metadata["resource"] == GATEWAY + path


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse", "/mcp/message", "/message"])
def test_a4_mcp_paths_answer_preflights_of_allowed_origins_without_calling_the_server(
    flow: Flow, path: str
) -> None:
    preflight_headers = {"Origin": GATEWAY, "Access_Control_Request_Method": "POST"}
    answer = flow.harness.send(
        "OPTIONS", path, body=None, Access_Control_Request_Headers="authorization,x-a", **preflight_headers
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("Access-Control-Allow-Origin") == GATEWAY
    assert answer.header("Access-Control-Allow-Headers") == "authorization,x-a"
    assert flow.harness.send("OPTIONS", path, Origin="https://evil.example").status == 403
    assert reached(flow) == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:6274"])
def test_e2_a_call_from_a_page_of_a_foreign_origin_is_refused(flow: Flow, origin: str) -> None:
    answer = send(flow, "POST", "/mcp", flow.token(), Origin=origin)
    assert (answer.status, refusal_of(answer.json())) == (403, "forbidden_origin")
    assert answer.header("Access-Control-Allow-Origin") is None
    assert reached(flow) == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 204),
        ("http://127.0.0.1:5173", 204),
        ("http://[::1]:65535", 204),
        ("https://localhost", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost:6274.evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("http://127x0.0.1", 403),
        ("evil+http://localhost", 403),
    ],
)
def test_e2_a_local_stack_accepts_only_loopback_origins_over_http(origin: str, status: int) -> None:
    local = local_harness()
    assert local.send("OPTIONS", "/mcp", Origin=origin).status == status
