"""Which tools a caller may call and sees, where a server has rules for them (requirement F4)."""

import json
from typing import Any

import pytest

from apim.routing import Routes
from tests.e2e.client import parameters_of
from tests.policies.access.callers import KEYS, agent_token, arrived, bearer, harness_with
from tests.policies.engine.harness import Response, reply
from tests.policies.oauth.flow import Flow

GROUP = "97000000-0000-4000-8000-000000001843"
RULES = {
    "access": '{"functions": "users agents keys"}',
    "tools": json.dumps(
        {
            "functions": {
                "read": {"scope": "functions"},
                "write": {"scope": "functions.write"},
                "erase": {"scope": "functions.write", "role": "Eraser", "group": GROUP},
                "*": {"role": "Eraser"},
            }
        }
    ),
}
TOOLS = ("read", "write", "erase", "another")
STATELESS = "2026-07-28"


@pytest.fixture
def flow() -> Flow:
    return Flow.at(harness_with(**RULES))


def token_of(flow: Flow, scope: str = "functions", roles: tuple[str, ...] = ()) -> str:
    """A sign-in with these scopes, of a user with these roles."""
    flow.tampered = {"roles": list(roles)} if roles else {}
    code = callback_code(flow, scope)
    return flow.redeem(code).json()["access_token"]


def callback_code(flow: Flow, scope: str) -> str:
    page = flow.authorize(scope=scope)
    handle = parameters_of(page.header("Location") or "")["transaction"]
    at_entra = flow.consent(flow.consent_page(handle))
    return parameters_of(flow.callback(at_entra).header("Location") or "")["code"]


def call(name: object, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, **more}}


def send(
    flow: Flow, token: str, message: object, path: str = "/mcp", query: str = "", **headers: str
) -> Response:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    given: dict[str, str] = {"Content_Type": "application/json", **bearer(token), **headers}
    return flow.harness.send("POST", path, query, body=body, **given)


def may_call(flow: Flow, token: str) -> list[str]:
    return [name for name in TOOLS if send(flow, token, call(name)).status == 200]


def listed(flow: Flow, token: str, **headers: str) -> list[str]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = send(flow, token, body, **headers)
    assert answer.status == 200, answer.body
    return [tool["name"] for tool in answer.json()["result"]["tools"]]


def gives_tools(flow: Flow) -> dict[str, Any]:
    tools = [{"name": name, "inputSchema": {"default": "2020-01-01T00:00:00+02:00"}} for name in TOOLS]
    said = {"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}
    flow.served = lambda: reply(200, json.dumps(said), Content_Type="application/json")
    return said


CALLERS = {
    "functions": (("functions",), (), ["read"]),
    "write": (("functions", "functions.write"), (), ["read", "write"]),
    "write alone": (("functions.write",), (), ["write"]),
    "the role": (("functions", "functions.write"), ("Eraser",), list(TOOLS)),
    "the group": (("functions", "functions.write"), (f"group.{GROUP}",), ["read", "write", "erase"]),
    "the role without the scope": (("functions",), ("Eraser",), ["read", "another"]),
    "a role that no rule names": (("functions",), ("eraser",), ["read"]),
}


@pytest.mark.parametrize(("scopes", "roles", "tools"), CALLERS.values(), ids=CALLERS)
def test_f4_a_caller_calls_and_sees_what_its_scopes_and_roles_allow(
    flow: Flow, scopes: tuple[str, ...], roles: tuple[str, ...], tools: list[str]
) -> None:
    token = token_of(flow, " ".join(scopes), roles)
    assert may_call(flow, token) == tools
    gives_tools(flow)
    assert listed(flow, token) == tools


def test_f4_an_agent_has_scopes_and_roles_by_its_app_roles_and_a_key_has_scopes(flow: Flow) -> None:
    for roles, tools in (
        (["functions"], ["read"]),
        (["functions", "functions.write"], ["read", "write"]),
        (["functions", "functions.write", "Eraser"], list(TOOLS)),
    ):
        assert may_call(flow, agent_token(flow, roles=roles)) == tools
    key = {"Ocp_Apim_Subscription_Key": KEYS["functions-keys"], "Content_Type": "application/json"}
    allowed = [
        name
        for name in TOOLS
        if flow.harness.send("POST", "/mcp", body=json.dumps(call(name)).encode(), **key).status == 200
    ]
    assert allowed == ["read", "write"]


def test_f4_a_missing_scope_is_a_challenge_with_all_scopes_and_the_step_up_works(flow: Flow) -> None:
    answer = send(flow, token_of(flow), call("write"))
    assert (answer.status, answer.json()["error"]["data"]) == (403, {"error": "insufficient_scope"})
    challenge = answer.header("WWW-Authenticate") or ""
    assert challenge.startswith(
        'Bearer error="insufficient_scope", resource_metadata="https://gateway.example/'
    )
    assert 'scope="functions functions.write"' in challenge
    assert arrived(flow) == []
    assert send(flow, token_of(flow, "functions functions.write"), call("write")).status == 200


def test_f4_a_missing_role_is_refused_without_a_challenge(flow: Flow) -> None:
    answer = send(flow, token_of(flow, "functions functions.write"), call("erase"))
    assert (answer.status, answer.json()["error"]["data"]) == (403, {"error": "access_denied"})
    assert answer.header("WWW-Authenticate") is None
    assert arrived(flow) == []


def test_f4_roles_change_with_the_next_refresh(flow: Flow) -> None:
    flow.tampered = {"roles": ["Eraser"]}
    tokens = flow.redeem(callback_code(flow, "functions")).json()
    assert send(flow, tokens["access_token"], call("another")).status == 200
    flow.tampered = {}
    tokens = flow.refresh(tokens["refresh_token"]).json()
    assert send(flow, tokens["access_token"], call("another")).status == 403
    flow.tampered = {"roles": ["Eraser", "Unknown"]}
    tokens = flow.refresh(tokens["refresh_token"]).json()
    assert send(flow, tokens["access_token"], call("another")).status == 200
    assert flow.claims_of(tokens["access_token"])["roles"] == ["Eraser"]


def test_f4_a_batch_is_refused_for_one_tool_that_may_not_be_called(flow: Flow) -> None:
    token = token_of(flow)
    assert send(flow, token, [call("read"), call("read")]).status == 200
    assert send(flow, token, [call("read"), call("write")]).status == 403
    assert send(flow, token, [call("read"), call("another")]).status == 403


BYPASSES: dict[str, bytes] = {
    "a name twice": b'{"method":"tools/call","params":{"name":"read","name":"write"}}',
    "a name twice, the other way": b'{"method":"tools/call","params":{"name":"write","name":"read"}}',
    "a method twice": b'{"method":"ping","method":"tools/call","params":{"name":"write"}}',
    "parameters twice": b'{"method":"tools/call","params":{"name":"read"},"params":{"name":"write"}}',
    "a name in another case": b'{"method":"tools/call","params":{"name":"read","Name":"write"}}',
    "a method in another case": b'{"method":"ping","METHOD":"tools/call","params":{"name":"write"}}',
    "parameters in another case": b'{"method":"tools/call","params":{"name":"read"},"Params":{"name":"x"}}',
    "a letter that folds": (
        '{"method":"tools/call","params":{"name":"read"},"param\u017f":{"name":"write"}}'.encode()
    ),
    "an escaped member twice": b'{"method":"tools/call","params":{"name":"read","n\\u0061me":"write"}}',
    "a comment": b'{"method":"tools/call","params":{"name":"read"/*,"name":"write"*/}}',
    "single quotes": b"{'method':'tools/call','params':{'name':'write'}}",
    "no quotes": b'{method:"tools/call",params:{"name":"write"}}',
    "a name with a byte that is not UTF-8": b'{"method":"tools/call","params":{"name":"wri\xffte"}}',
    "a method with a byte that is not UTF-8": b'{"method":"tools/ca\xffll","params":{"name":"write"}}',
    "half of a character in a name": b'{"method":"tools/call","params":{"name":"write\\ud800"}}',
    "a space before a name": b'{"method":"tools/call","params":{"name":" write"}}',
    "a line break after a name": b'{"method":"tools/call","params":{"name":"write\\n"}}',
    "no JSON": b"tools/call write",
    "two documents": b'{"method":"ping"}{"method":"tools/call","params":{"name":"write"}}',
    "UTF-16": '{"method":"tools/call","params":{"name":"write"}}'.encode("utf-16"),
    "a method that is a list": b'{"method":["tools/call"],"params":{"name":"write"}}',
    "a name that is a number": b'{"method":"tools/call","params":{"name":1}}',
    "a name that is a list": b'{"method":"tools/call","params":{"name":["write"]}}',
    "no name": b'{"method":"tools/call","params":{}}',
    "no parameters": b'{"method":"tools/call"}',
    "parameters that are a list": b'{"method":"tools/call","params":["write"]}',
    "a batch in a batch": b'[[{"method":"tools/call","params":{"name":"write"}}]]',
    "an empty batch": b"[]",
    "a string": b'"tools/call"',
    "too large": b'{"method":"ping","params":{"x":"' + b"x" * 1_048_576 + b'"}}',
}


@pytest.mark.parametrize("body", BYPASSES.values(), ids=BYPASSES)
def test_f4_an_ambiguous_body_is_refused(flow: Flow, body: bytes) -> None:
    answer = send(flow, token_of(flow), body)
    assert answer.status in (400, 415)
    assert answer.json()["error"]["code"] in (-32600, -32700, -32000)
    assert arrived(flow) == []


def test_f4_an_escaped_name_is_the_name(flow: Flow) -> None:
    token = token_of(flow)
    assert send(flow, token, b'{"method":"tools\\/call","params":{"name":"\\u0077rite"}}').status == 403
    assert send(flow, token, b'{"method":"tools/call","params":{"name":"re\\u0061d"}}').status == 200
    assert (
        send(flow, token, call("read", arguments={"text": 'a "name": b', "Name": 1, "name": 2})).status == 200
    )


def test_f4_a_method_in_another_case_does_not_bypass_the_rules(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether API Management selects an operation by a method's letters in either case is not documented."""
    match = Routes.match
    monkeypatch.setattr(Routes, "match", lambda self, method, *rest: match(self, method.upper(), *rest))
    token = token_of(flow)
    given = {"Content_Type": "application/json", **bearer(token)}
    for method in ("post", "Post"):
        for tool, status in (("write", 403), ("read", 200)):
            body = json.dumps(call(tool)).encode()
            assert flow.harness.send(method, "/mcp", body=body, **given).status == status
    assert len(arrived(flow)) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Encoding": "gzip"},
        {"Content_Type": "application/json; charset=utf-16"},
        {"Content_Type": "text/plain"},
        {"Content_Length": "9999999999"},
    ],
    ids=str,
)
def test_f4_a_body_in_another_encoding_is_refused(flow: Flow, headers: dict[str, str]) -> None:
    assert send(flow, token_of(flow), call("read"), **headers).status == 415
    assert arrived(flow) == []


def test_f4_headers_of_2026_07_28_must_agree_with_the_body(flow: Flow) -> None:
    token = token_of(flow)

    def answer(method: str | None, name: str | None, body: object = None) -> tuple[int, int | None]:
        given = {"Mcp_Method": method, "Mcp_Name": name, "MCP_Protocol_Version": STATELESS}
        headers = {key: value for key, value in given.items() if value is not None}
        got = send(flow, token, call("read") if body is None else body, **headers)
        return got.status, got.json().get("error", {}).get("code")

    assert answer("tools/call", "read") == (200, None)
    assert answer("tools/call", "write") == (400, -32020)
    assert answer("ping", "read") == (400, -32020)
    assert answer(None, "read") == (400, -32020)
    assert answer("tools/call", None) == (400, -32020)
    assert answer("tools/call", "read", [call("read")]) == (400, -32600)
    assert len(arrived(flow)) == 1
    # In older versions the body decides, and the headers do not reach the server.
    for version in ({}, {"MCP_Protocol_Version": "2025-11-25"}, {"MCP_Protocol_Version": f"{STATELESS}, x"}):
        named = {"Mcp_Method": "tools/call", "Mcp_Name": "write", **version}
        assert send(flow, token, call("read"), **named).status == 200
        assert arrived(flow)[-1].header("Mcp-Method") is None
        assert arrived(flow)[-1].header("Mcp-Name") is None


def test_f4_the_rest_of_a_filtered_list_is_unchanged(flow: Flow) -> None:
    said = gives_tools(flow)
    whole = token_of(flow, "functions functions.write", ("Eraser",))
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert send(flow, whole, body).body == json.dumps(said).encode()
    part = send(flow, token_of(flow), body)
    assert part.json()["result"]["tools"] == [said["result"]["tools"][0]]
    assert arrived(flow)[-1].header("Accept-Encoding") == "identity"


def test_f4_a_list_in_events_is_shortened_and_other_events_pass(flow: Flow) -> None:
    said = gives_tools(flow)
    note = 'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
    text = f"{note}\n\n: ping\n\nid: 7\nevent: message\ndata: {json.dumps(said)}\n\n"
    flow.served = lambda: reply(200, text, Content_Type="text/event-stream")
    token = token_of(flow)
    answer = send(flow, token, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).body.decode()
    first, ping, second, rest = answer.split("\n\n")
    assert (first, ping, rest) == (note, ": ping", "")
    assert second.startswith("id: 7\nevent: message\ndata: ")
    shown = json.loads(second.partition("data: ")[2])["result"]["tools"]
    assert shown == [said["result"]["tools"][0]]


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_f4_a_list_that_cannot_be_read_is_not_shown(flow: Flow, kind: str) -> None:
    flow.served = lambda: reply(200, 'data: {"result":{"tools":[{"name":"write"}', Content_Type=kind)
    answer = send(flow, token_of(flow), {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert b"write" not in answer.body
    flow.served = lambda: reply(200, "x", Content_Type=kind, Content_Encoding="gzip")
    compressed = send(flow, token_of(flow), {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert compressed.status == 502


def test_f4_a_list_in_a_batch_is_shortened_and_tools_without_a_name_are_hidden(flow: Flow) -> None:
    tools = [{"name": "read"}, {"name": 1}, "read", {"title": "read"}]
    said = [{"id": 1, "result": {"tools": tools}}, {"id": 2, "result": {}}, 3]
    flow.served = lambda: reply(200, json.dumps(said), Content_Type="application/json")
    body = [{"id": 1, "method": "tools/list"}, {"id": 2, "method": "ping"}, {"id": 3, "result": {}}]
    answer = send(flow, token_of(flow), body)
    assert answer.json() == [{"id": 1, "result": {"tools": [{"name": "read"}]}}, {"id": 2, "result": {}}, 3]


@pytest.mark.parametrize("path", ["/mcp/message", "/message"])
def test_f4_a_legacy_list_is_for_callers_who_may_call_all_tools(flow: Flow, path: str) -> None:
    body, query = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "azmcpcs=abcdefgh-1234"
    some = send(flow, token_of(flow, "functions functions.write"), body, path, query)
    assert some.status == 403
    less = send(flow, token_of(flow, "functions", ("Eraser",)), body, path, query)
    assert 'error="insufficient_scope"' in (less.header("WWW-Authenticate") or "")
    assert arrived(flow) == []
    whole = token_of(flow, "functions functions.write", ("Eraser",))
    assert send(flow, whole, body, path, query).status == 200
    assert send(flow, whole, call("erase"), path, query).status == 200
    assert send(flow, token_of(flow), call("write"), path, query).status == 403


def test_f4_streams_and_ends_of_sessions_pass_and_a_stream_is_not_resumed(flow: Flow) -> None:
    authorization = f"Bearer {token_of(flow)}"
    resumed = flow.harness.send("GET", "/mcp", Authorization=authorization, Last_Event_ID="7")
    assert resumed.status == 200
    assert arrived(flow)[-1].header("Last-Event-ID") is None
    assert flow.harness.send("DELETE", "/mcp", Authorization=authorization).status == 200


def test_f4_the_body_is_not_read_where_a_server_has_no_rules() -> None:
    flow = Flow.new()
    answer = flow.harness.send(
        "POST", "/mcp", body=b"\xff not JSON", Content_Type="text/plain", **bearer(flow.token())
    )
    assert (answer.status, arrived(flow)[-1].body) == (200, b"\xff not JSON")
    (policy,) = [api.policy for api in flow.harness.gateway.service.apis if api.id == "functions-mcp"]
    assert policy is not None
    assert "Request.Body" not in policy.xml


def test_f4_a_token_for_the_gateway_opens_servers_by_its_scopes() -> None:
    both = '[{"name": "notes", "image": "ghcr.io/example/notes:1.0.0", "port": 8080}]'
    flow = Flow.at(harness_with(audience="gateway", containers=both))
    token = flow.redeem(callback_code(flow, "notes")).json()["access_token"]
    answer = flow.call(token)
    assert answer.status == 403
    assert 'scope="notes functions"' in (answer.header("WWW-Authenticate") or "")
    both_scopes = flow.redeem(callback_code(flow, "notes functions")).json()["access_token"]
    assert flow.call(both_scopes).status == 200


def test_f6_a_server_receives_the_caller_only_from_the_gateway(flow: Flow) -> None:
    forged = {"X_Mcp_Gateway_Subject": "someone", "X_MCP_Gateway_Client": "else"}
    token = token_of(flow)
    assert send(flow, token, call("read"), **forged).status == 200
    sent = arrived(flow)[-1]
    claims = flow.claims_of(token)
    assert sent.header("X-Mcp-Gateway-Subject") == claims["sub"]
    assert sent.header("X-Mcp-Gateway-Client") == claims["client_id"]
    dropped = send(flow, token, call("read"), Connection="X-Mcp-Gateway-Subject")
    assert dropped.status == 400


@pytest.mark.parametrize("access", ["agents", "keys", "users agents", "users agents keys"])
def test_f3_no_access_setting_opens_a_server(access: str) -> None:
    flow = Flow.at(harness_with(access=f'{{"functions": "{access}"}}'))
    for method in ("POST", "GET", "DELETE", "PUT"):
        assert flow.harness.send(method, "/mcp").status == 401
    assert flow.harness.send("POST", "/message", "azmcpcs=abcdefgh-1234").status == 401
    assert arrived(flow) == []


@pytest.mark.parametrize(
    ("message", "event", "tool"),
    [
        (call("read"), "tool-call", "read"),
        (call("erase"), "tool-call", "erase"),
        (call("my secret is 12345"), "tool-call", "invalid"),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping"}, "mcp-request", "-"),
    ],
)
def test_f7_a_record_names_the_tool_of_the_body(flow: Flow, message: object, event: str, tool: str) -> None:
    token = token_of(flow)
    telemetry = flow.harness.gateway.services.telemetry
    telemetry.clear()
    send(flow, token, message)
    (record,) = telemetry
    assert (record.properties["event"], record.properties["tool"]) == (event, tool)
