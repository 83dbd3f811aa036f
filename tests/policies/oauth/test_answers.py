"""The parts of a server's response that the gateway forwards, and its own errors (E3, E6 and E8)."""

import functools
from dataclasses import replace

import pytest

from apim.failure import SendError
from apim.network import Reply
from apim.service import Api, Operation, PolicyDocument
from tests import existing
from tests.e2e.client import refusal_of
from tests.policies.engine.harness import Harness, Response, reply
from tests.policies.oauth.flow import GATEWAY, Flow, ManualClock, service_with, unreachable

MCP_HEADERS = {
    "Access-Control-Allow-Origin": GATEWAY,
    "Access-Control-Expose-Headers": "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Vary": "Origin",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every response at the path of an MCP server."""


@functools.cache
def harness_with(**config: str) -> Harness:
    return Harness(service_with(**config), ManualClock())


def answer_with(status: int, **headers: str) -> Response:
    """The gateway's response if the server responds with this status and these headers."""
    flow = Flow.new()
    token = flow.token()
    flow.served = lambda: reply(status, "the server's text", **headers)
    return flow.call(token)


@pytest.mark.parametrize("status", [200, 202, 204, 299, 400, 404, 405, 406, 409, 410, 499])
def test_a_success_or_client_error_of_a_server_is_forwarded_with_its_body(status: int) -> None:
    answer = answer_with(status)
    assert answer.status == status
    assert status == 204 or answer.body == b"the server's text"


@pytest.mark.parametrize("status", [199, 300, 302, 307, 399, 401, 403, 500, 501, 502, 504, 599])
def test_any_other_status_of_a_server_becomes_502_without_its_body(status: int) -> None:
    answer = answer_with(status, Location="https://ca-notes.internal.example", Server="x")
    assert (answer.status, refusal_of(answer.json())) == (502, "server_error")
    assert answer.header("Location") is None
    assert b"server's text" not in answer.body


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("sent", "returned"),
    [("7", "7"), ("1", "1"), ("0", "5"), ("-1", "5"), ("soon", "5"), ("", "5"), ("7, 8", "5"), (None, "5")],
)
def test_the_retry_after_of_a_busy_server_is_returned(status: int, sent: str | None, returned: str) -> None:
    answer = answer_with(status) if sent is None else answer_with(status, Retry_After=sent)
    assert (answer.status, answer.header("Retry-After")) == (status, returned)
    assert refusal_of(answer.json()) == "temporarily_unavailable"
    assert b"server's text" not in answer.body


DATE = "Sat, 28 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize("status", [429, 503])
def test_e3_a_date_in_the_retry_after_of_a_busy_server_is_returned_if_it_is_valid(status: int) -> None:
    assert answer_with(status, Retry_After=DATE).header("Retry-After") == DATE
    for wrong in (DATE + "x", "x" + DATE, DATE.replace("GMT", "CET"), DATE + ", " + DATE):
        assert answer_with(status, Retry_After=wrong).header("Retry-After") == "5"


JSON_RPC = '{"jsonrpc": "2.0", "id": 7, "error": {"code": -32603, "message": "The tool has no quota left."}}'


@pytest.mark.parametrize("status", [403, 429, 500, 501, 502, 503, 504, 599])
@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_e6_a_json_rpc_error_of_a_server_is_forwarded_unchanged(status: int, content_type: str) -> None:
    answer = answer_with_body(status, JSON_RPC, Content_Type=content_type, Retry_After=DATE)
    assert (answer.status, answer.body.decode()) == (status, JSON_RPC)
    assert answer.header("Content-Type") == content_type
    assert answer.header("Retry-After") == DATE


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "7",
        "{",
        '"jsonrpc"',
        "{}",
        '{"jsonrpc":"2.0"}',
        '{"jsonrpc":"2.0","id":1,"result":{}}',
        '{"jsonrpc":"2.0","error":null}',
        '{"jsonrpc":"2.0","error":"x"}',
        '{"jsonrpc":"2.0","error":{}}',
        '{"jsonrpc":"2.0","error":{"code":"x"}}',
        '{"jsonrpc":"1.0","error":{"code":1}}',
        '{"jsonrpc":2.0,"error":{"code":1}}',
        '{"error":{"code":1,"message":"func-notes.azurewebsites.net"}}',
        '{"Message":"System.Exception"}',
        "[" + JSON_RPC + "]",
        "\xff",
    ],
)
def test_e6_any_other_body_of_a_failed_server_is_not_forwarded(body: str) -> None:
    answer = answer_with_body(500, body, Content_Type="application/json")
    assert (answer.status, refusal_of(answer.json())) == (502, "server_error")


def test_e6_a_json_rpc_error_is_forwarded_only_as_uncompressed_json() -> None:
    for headers in (
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/problem+json"},
        {},
        {"Content_Type": "application/json", "Content_Encoding": "gzip"},
    ):
        answer = answer_with_body(500, JSON_RPC, **headers)
        assert (answer.status, refusal_of(answer.json())) == (502, "server_error")
    assert (
        answer_with_body(500, JSON_RPC, Content_Type="application/json", Content_Encoding="identity").status
        == 500
    )


def test_e6_the_401_and_the_challenge_of_a_server_are_not_forwarded() -> None:
    """After a 401 the client would sign in at the gateway again."""
    answer = answer_with_body(401, JSON_RPC, Content_Type="application/json", WWW_Authenticate="Bearer")
    assert (answer.status, answer.header("WWW-Authenticate")) == (502, None)


def answer_with_body(status: int, body: str, **headers: str) -> Response:
    """The gateway's response if the server responds with this status, body and headers."""
    flow = Flow.new()
    token = flow.token()
    flow.served = lambda: reply(status, body.encode("latin-1"), **headers)
    return flow.call(token)


def headers(answer: Response) -> dict[str, str]:
    """All headers except the body's length."""
    return {name: value for name, value in answer.headers if name != "Content-Length"}


def test_e3_the_gateways_own_responses_have_the_headers_of_every_response() -> None:
    flow = Flow.new()
    json = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    refused = flow.harness.send("POST", "/mcp", body=b"{}")
    challenge = {"WWW-Authenticate": refused.header("WWW-Authenticate")}
    assert (refused.status, headers(refused)) == (401, MCP_HEADERS | json | challenge)
    foreign = flow.harness.send("POST", "/mcp", body=b"{}", Origin="https://evil.example")
    assert (foreign.status, headers(foreign)) == (403, json | {"X-Content-Type-Options": "nosniff"})
    token = flow.token()
    flow.store.failing = {len(flow.store.calls): unreachable}
    unavailable = flow.call(token)
    assert (unavailable.status, headers(unavailable)) == (503, MCP_HEADERS | json | {"Retry-After": "5"})


def test_a4_the_response_to_a_preflight_names_methods_and_headers() -> None:
    answer = Flow.new().harness.send("OPTIONS", "/mcp", Origin=GATEWAY)
    assert (answer.status, headers(answer)) == (
        204,
        MCP_HEADERS
        | {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        },
    )


@pytest.mark.parametrize("status", [200, 400, 500])
def test_e3_browsers_show_no_response_of_a_server_as_a_page_of_the_gateway(status: int) -> None:
    answer = answer_with(status, X_Content_Type_Options="x", Content_Security_Policy="script-src *")
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'; sandbox"


@pytest.mark.parametrize(("status", "reason"), [(200, "OK"), (404, "Refused")])
def test_e3_the_reason_phrase_of_a_server_is_not_forwarded(status: int, reason: str) -> None:
    flow = Flow.new()
    token = flow.token()
    flow.served = lambda: Reply(status=status, reason="func-notes.internal", headers=[], content=b"")
    answer = flow.call(token)
    assert (answer.status, answer.reason) == (status, reason)


def test_e3_the_allow_header_of_a_server_is_forwarded() -> None:
    assert answer_with(405, Allow="POST, DELETE").header("Allow") == "POST, DELETE"


def test_e3_only_listed_headers_of_a_request_are_forwarded() -> None:
    flow = Flow.new()
    token = flow.token()
    forwarded = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, br",
        "Content-Type": "application/json",
        "Last-Event-ID": "7",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "save",
        "Mcp-Param-Region": "eu",
        "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
        "tracestate": "a=b",
        "User-Agent": "client/1",
    }
    dropped = {
        "baggage": "user=ada",
        "Cookie": "a=b",
        "X-Forwarded-For": "192.0.2.1",
        "X-Own": "x",
        "Via": "x",
    }
    flow.harness.send("POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}", **forwarded, **dropped)
    (sent,) = [request for request in flow.harness.network.sent if "functions.example" in request.url]
    assert {name: sent.header(name) for name in forwarded} == forwarded
    assert {name: sent.header(name) for name in dropped} == dict.fromkeys(dropped)
    assert sent.header("Authorization") == f"Bearer token-for-{flow.named_value('functions-audience')}"


@pytest.mark.parametrize(
    ("method", "path", "query", "forwarded"),
    [
        ("POST", "", "code=k", ""),
        ("GET", "", "code=k", ""),
        ("DELETE", "", "code=k", ""),
        ("GET", "/sse", "code=k", "/sse"),
        ("POST", "/message", "azmcpcs=0123456789ab&code=k", "/message?azmcpcs=0123456789ab"),
    ],
)
def test_e3_a_request_reaches_the_path_of_its_route_with_no_query_except_a_session(
    method: str, path: str, query: str, forwarded: str
) -> None:
    flow = Flow.new()
    token = flow.token()
    body = b"{}" if method == "POST" else None
    flow.harness.send(method, f"/mcp{path}", query, body=body, Authorization=f"Bearer {token}")
    urls = [sent.url for sent in flow.harness.network.sent if "functions.example" in sent.url]
    assert urls == [f"https://functions.example/runtime/webhooks/mcp{forwarded}"]


@pytest.mark.parametrize("count", [40, 41])
def test_e3_a_response_with_more_headers_than_the_policies_can_delete_is_not_forwarded(count: int) -> None:
    """The gateway's policies can delete at most 40 headers."""
    answer = answer_with(200, **{f"X_Own_{number}": "x" for number in range(count)})
    assert not [name for name, _ in answer.headers if name.lower().startswith("x-own")]
    assert answer.status == (200 if count == 40 else 502)


@pytest.mark.parametrize("count", [40, 41])
def test_e3_a_request_with_more_headers_than_the_policies_can_delete_is_refused(count: int) -> None:
    flow = Flow.new()
    token = flow.token()
    # The client's token and the cookie are also removed.
    own = {f"X_Own_{number}": "x" for number in range(count - 2)}
    answer = flow.harness.send(
        "POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}", **own, Cookie="a=b"
    )
    sent = [request for request in flow.harness.network.sent if "functions.example" in request.url]
    if count == 40:
        assert answer.status == 200
        assert not [name for name, _ in sent[0].headers if name.lower().startswith(("x-own", "cookie"))]
    else:
        assert (answer.status, refusal_of(answer.json()), sent) == (431, "invalid_request", [])


def test_e8_an_internal_failure_of_the_gateway_reveals_no_names() -> None:
    flow = Flow.new()
    token = flow.token()

    def fail() -> Reply:
        raise SendError("func-notes.azurewebsites.net refused", timed_out=False)

    flow.served = fail
    answer = flow.call(token)
    assert (answer.status, refusal_of(answer.json())) == (502, "server_error")
    assert b"azurewebsites" not in answer.body
    assert answer.header("X-Content-Type-Options") == "nosniff"


def test_e7_too_many_calls_are_answered_with_retry_after() -> None:
    flow = Flow.at(harness_with(callsPerMinute="3"))
    token = flow.token()
    assert [flow.call(token).status for _ in range(4)] == [200, 200, 200, 429]
    refused = flow.call(token)
    assert (refused.header("Retry-After"), refusal_of(refused.json())) == ("60", "too_many_requests")


# Failures in the gateway


def added_by_an_operator(timed_out: bool) -> Response:
    """The response of an API without its own policies whose server does not answer."""
    operation = Operation(id="get", name="get", method="GET", url_template="/items")
    added = Api(
        id="added",
        name="added",
        path="added",
        service_url="https://ca-added.internal",
        operations=(operation,),
    )
    service = service_with()
    harness = Harness(replace(service, apis=(*service.apis, added)))
    harness.network.fails("ca-added.internal refused", timed_out=timed_out)
    return harness.send("GET", "/added/items")


@pytest.mark.parametrize("timed_out", [True, False])
def test_e8_an_api_without_policies_does_not_name_its_host(timed_out: bool) -> None:
    """The stack does not change the policy of all APIs, so API Management's own error is returned."""
    answer = added_by_an_operator(timed_out)
    assert (answer.status, answer.json()["message"]) == (500, "Internal server error")
    assert b"ca-added" not in answer.body


def test_e8_a_request_that_matches_no_api_is_answered_with_azures_own_404() -> None:
    service = service_with()
    below = replace(service, apis=tuple(replace(api, path=f"below/{api.path}") for api in service.apis))
    answer = Harness(below).send("GET", "/elsewhere")
    assert (answer.status, answer.json()) == (404, {"statusCode": 404, "message": "Resource not found"})


def test_e8_a_failing_endpoint_returns_the_gateways_error() -> None:
    """The store returns an invalid response; web pages of any origin can read the error."""
    flow = Flow.new()
    code = flow.code()
    html = "<html>cosmos-x.documents.azure.com"
    flow.store.failing = {len(flow.store.calls): lambda: reply(200, html)}
    answer = flow.redeem(code)
    assert (answer.status, answer.json()) == (
        500,
        {
            "error": "server_error",
            "error_description": "The gateway could not answer. Try again later.",
        },
    )
    assert answer.header("Access-Control-Allow-Origin") == "*"


OWNERS_POLICY = """<policies>
    <inbound>
        <set-variable name="parsed" value="@(JObject.Parse(context.Request.Method))" />
    </inbound>
    <backend><forward-request /></backend>
    <outbound />
    <on-error>
        <set-header name="X-Owner" exists-action="override"><value>central</value></set-header>
    </on-error>
</policies>"""
"""The policy for all APIs that the owner of an adopted service wrote; it fails for every request."""


def test_e8_a_failure_of_the_owners_policy_is_answered_with_the_gateways_error() -> None:
    """The operation has no policy yet, as during a deployment, so the policy of its API answers."""
    service = service_with(**existing.ALL)
    apis = tuple(
        replace(api, operations=tuple(replace(operation, policy=None) for operation in api.operations))
        if api.id == "oauth"
        else api
        for api in service.apis
    )
    owners = replace(service, apis=apis, policy=PolicyDocument(xml=OWNERS_POLICY, name="all APIs"))
    answer = Harness(owners).send("POST", "/token")
    assert (answer.status, answer.json()["error"]) == (500, "server_error")
    assert answer.header("X-Owner") is None


OWNERS_FILTER = """<policies>
    <inbound><ip-filter action="forbid"><address>203.0.113.7</address></ip-filter></inbound>
    <backend><forward-request /></backend>
    <outbound />
    <on-error />
</policies>"""


@functools.cache
def harness_of_owner() -> Harness:
    """A gateway at which the owner's policy for all APIs runs first and refuses the caller."""
    owners = PolicyDocument(xml=OWNERS_FILTER, name="all APIs")
    return Harness(replace(service_with(**existing.ALL), policy=owners))


@pytest.mark.parametrize("path", ["/mcp", "/message"])
def test_e3_a_refusal_of_the_owners_policy_has_the_headers_of_every_response(path: str) -> None:
    answer = harness_of_owner().send("POST", path, body=b"{}")
    assert answer.status == 403
    assert {name: answer.header(name) for name in MCP_HEADERS} == MCP_HEADERS


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/.well-known/oauth-protected-resource/mcp"),
        ("POST", "/register"),
        ("POST", "/token"),
        ("POST", "/revoke"),
        ("GET", "/v0.1/servers"),
        ("GET", "/v0.1/servers/x/versions"),
    ],
)
def test_a4_web_pages_can_read_a_refusal_of_the_owners_policy(method: str, path: str) -> None:
    answer = harness_of_owner().send(method, path, body=b"{}" if method == "POST" else None)
    assert answer.status == 403
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("Access-Control-Expose-Headers") == "Retry-After"


def test_e8_an_error_at_an_mcp_path_does_not_name_the_store() -> None:
    flow = Flow.new()
    token = flow.token()
    flow.store.failing = {len(flow.store.calls): lambda: reply(200, "<html>cosmos-x.documents.azure.com")}
    answer = flow.call(token)
    assert (answer.status, refusal_of(answer.json())) == (500, "server_error")
    assert b"cosmos" not in answer.body
    assert answer.header("Access-Control-Allow-Origin") is not None
