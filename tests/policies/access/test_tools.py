"""The tools that a caller can call and list if the stack has rules for a server's tools (requirement F4)."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from apim.messages import InboundRequest
from apim.network import Reply
from apim.routing import Routes
from tests.e2e.client import parameters_of
from tests.policies.access.callers import KEYS, agent_token, arrived, bearer, harness_with
from tests.policies.engine.harness import Response, reply
from tests.policies.oauth.flow import Flow
from tests.policies.oauth.test_streams import Stream

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
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
STATELESS = "2026-07-28"


@pytest.fixture
def flow() -> Flow:
    return Flow.at(harness_with(**RULES))


def token_of(flow: Flow, scope: str = "functions", roles: tuple[str, ...] = ()) -> str:
    """The access token of a sign-in with these scopes, of a user with these roles."""
    flow.tampered = {"roles": list(roles)} if roles else {}
    code = callback_code(flow, scope)
    return flow.redeem(code).json()["access_token"]


def callback_code(flow: Flow, scope: str) -> str:
    """The authorization code of a sign-in with these scopes."""
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
    all_headers: dict[str, str] = {"Content_Type": "application/json", **bearer(token), **headers}
    return flow.harness.send("POST", path, query, body=body, **all_headers)


def may_call(flow: Flow, token: str) -> list[str]:
    return [name for name in TOOLS if send(flow, token, call(name)).status == 200]


def listed(flow: Flow, token: str, **headers: str) -> list[str]:
    answer = send(flow, token, LIST, **headers)
    assert answer.status == 200, answer.body
    return [tool["name"] for tool in answer.json()["result"]["tools"]]


def tools_answer(*tools: object) -> Callable[[], Reply]:
    """The server's response to a request for the list of tools."""
    response = {"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}
    return lambda: reply(200, json.dumps(response), Content_Type="application/json")


CALLERS = {
    "one scope": (("functions",), (), ["read"]),
    "both scopes": (("functions", "functions.write"), (), ["read", "write"]),
    "only the other scope": (("functions.write",), (), ["write"]),
    "both scopes and the role": (("functions", "functions.write"), ("Eraser",), list(TOOLS)),
    "both scopes and the group": (
        ("functions", "functions.write"),
        (f"group.{GROUP}",),
        ["read", "write", "erase"],
    ),
    "one scope and the role": (("functions",), ("Eraser",), ["read", "another"]),
    "one scope and a role in another case": (("functions",), ("eraser",), ["read"]),
}
"""Callers with their scopes, their roles, and the tools that they may call."""


@pytest.mark.parametrize(("scopes", "roles", "tools"), CALLERS.values(), ids=CALLERS)
def test_f4_a_caller_can_call_and_list_the_tools_that_its_scopes_and_roles_allow(
    flow: Flow, scopes: tuple[str, ...], roles: tuple[str, ...], tools: list[str]
) -> None:
    token = token_of(flow, " ".join(scopes), roles)
    assert may_call(flow, token) == tools
    flow.served = tools_answer(*({"name": name} for name in TOOLS))
    assert listed(flow, token) == tools


def test_f4_app_roles_give_an_agent_scopes_and_roles_and_a_key_gives_all_scopes(flow: Flow) -> None:
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


def test_f4_the_challenge_for_a_missing_scope_lists_all_scopes_and_a_token_with_them_is_accepted(
    flow: Flow,
) -> None:
    answer = send(flow, token_of(flow), call("write"))
    assert (answer.status, answer.json()["error"]["data"]) == (403, {"error": "insufficient_scope"})
    challenge = answer.header("WWW-Authenticate") or ""
    assert challenge.startswith(
        'Bearer error="insufficient_scope", resource_metadata="https://gateway.example/'
    )
    assert 'scope="functions functions.write"' in challenge
    assert arrived(flow) == []
    assert send(flow, token_of(flow, "functions functions.write"), call("write")).status == 200


def test_a2a_a_challenge_for_a_missing_scope_does_not_name_offline_access(flow: Flow) -> None:
    answer = send(flow, token_of(flow, "functions offline_access"), call("write"))
    assert 'scope="functions functions.write"' in (answer.header("WWW-Authenticate") or "")


def test_f4_a_caller_with_the_role_and_without_the_scope_gets_the_challenge(flow: Flow) -> None:
    answer = send(flow, token_of(flow, roles=("Eraser",)), call("erase"))
    assert (answer.status, answer.json()["error"]["data"]) == (403, {"error": "insufficient_scope"})
    assert 'scope="functions functions.write"' in (answer.header("WWW-Authenticate") or "")
    assert arrived(flow) == []


def test_f4_a_missing_role_is_refused_without_a_challenge(flow: Flow) -> None:
    answer = send(flow, token_of(flow, "functions functions.write"), call("erase"))
    assert (answer.status, answer.json()["error"]["data"]) == (403, {"error": "access_denied"})
    assert answer.header("WWW-Authenticate") is None
    assert arrived(flow) == []


def test_f4_a_change_of_roles_takes_effect_at_the_next_refresh(flow: Flow) -> None:
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


def test_f4_a_batch_with_one_forbidden_tool_call_is_refused(flow: Flow) -> None:
    token = token_of(flow)
    assert send(flow, token, [call("read"), call("read")]).status == 200
    assert send(flow, token, [call("read"), call("write")]).status == 403
    assert send(flow, token, [call("read"), call("another")]).status == 403


BYPASSES: dict[str, bytes] = {
    "a name twice": b'{"method":"tools/call","params":{"name":"read","name":"write"}}',
    "a name twice, in the opposite order": b'{"method":"tools/call","params":{"name":"write","name":"read"}}',
    "a method twice": b'{"method":"ping","method":"tools/call","params":{"name":"write"}}',
    "parameters twice": b'{"method":"tools/call","params":{"name":"read"},"params":{"name":"write"}}',
    "a name in another case": b'{"method":"tools/call","params":{"name":"read","Name":"write"}}',
    "a second method in another case": b'{"method":"ping","METHOD":"tools/call","params":{"name":"write"}}',
    "parameters in another case": b'{"method":"tools/call","params":{"name":"read"},"Params":{"name":"x"}}',
    "parameters with a name that is equal after case folding": (
        '{"method":"tools/call","params":{"name":"read"},"param\u017f":{"name":"write"}}'.encode()
    ),
    "an escaped member twice": b'{"method":"tools/call","params":{"name":"read","n\\u0061me":"write"}}',
    "a comment": b'{"method":"tools/call","params":{"name":"read"/*,"name":"write"*/}}',
    "single quotes": b"{'method':'tools/call','params':{'name':'write'}}",
    "no quotes": b'{method:"tools/call",params:{"name":"write"}}',
    "a name with a byte that is not UTF-8": b'{"method":"tools/call","params":{"name":"wri\xffte"}}',
    "a method with a byte that is not UTF-8": b'{"method":"tools/ca\xffll","params":{"name":"write"}}',
    "an unpaired surrogate in a name": b'{"method":"tools/call","params":{"name":"write\\ud800"}}',
    "a value of method in another case": b'{"method":"Tools/Call","params":{"name":"write"}}',
    "tools/list in another case": b'{"method":"tools/LIST"}',
    "a space after a method": b'{"method":"tools/call ","params":{"name":"write"}}',
    "an invisible character in a name": '{"method":"tools/call","params":{"name":"wri\u200bte"}}'.encode(),
    "a name in another Unicode form": '{"method":"tools/call","params":{"name":"\uff57rite"}}'.encode(),
    "a space before a name": b'{"method":"tools/call","params":{"name":" write"}}',
    "a line break after a name": b'{"method":"tools/call","params":{"name":"write\\n"}}',
    "not JSON": b"tools/call write",
    "a name twice, and a member without quotes": (
        b'{"method":"tools/call","params":{"name":"write","name":"read",e:1}}'
    ),
    "a name twice, and the name true without quotes": (
        b'{"method":"tools/call","params":{"name":"write","name":"read",true:1}}'
    ),
    "a name twice, and a number as a name": (
        b'{"method":"tools/call","params":{"name":"write","name":"read", 0 :1}}'
    ),
    "a comma before a brace": b'{"method":"ping",}',
    "a comma before a bracket": b'{"method":"ping","params":{"x":[1,]}}',
    "a list without values": b'{"method":"ping","params":{"x":[,]}}',
    "an octal number": b'{"method":"ping","id":010}',
    "a hexadecimal number": b'{"method":"ping","id":0xe}',
    "a number without digits before the point": b'{"method":"ping","id":.5}',
    "a number without digits after the point": b'{"method":"ping","id":5.}',
    "an undefined value": b'{"method":"ping","id":undefined}',
    "a constructor": b'{"method":"ping","id":new Date(1)}',
    "a line break in a string": b'{"method":"ping","params":{"x":"a\nb"}}',
    "an escape that JSON does not have": b'{"method":"ping","params":{"x":"it\\\'s"}}',
    "a string without an end": b'{"method":"ping","params":{"x":"a',
    "a character for the outline of the JSON": b'{"method":"ping"!}',
    "65 nested lists": b'{"method":"ping","params":{"x":' + b"[" * 63 + b"]" * 63 + b"}}",
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
    "a body that is too large": b'{"method":"ping","params":{"x":"' + b"x" * 1_048_576 + b'"}}',
}


@pytest.mark.parametrize("body", BYPASSES.values(), ids=BYPASSES)
def test_f4_an_ambiguous_or_invalid_body_is_refused(flow: Flow, body: bytes) -> None:
    answer = send(flow, token_of(flow), body)
    assert answer.status in (400, 415)
    assert answer.json()["error"]["code"] in (-32600, -32700, -32000)
    assert arrived(flow) == []


LONG_BODIES = {
    "escaped quotes in single quotes": "'" + '\\"' * 520_000 + "'",
    "quotes": '"' * 1_040_000,
    "escapes without an end": '"' + "\\" * 1_040_000,
    "a number that ends with a letter": "1" * 1_040_000 + "x",
    "signs": "-" * 1_040_000,
    "white space": " " * 1_040_000 + "x",
    "brackets": "[" * 1_040_000,
}


@pytest.mark.parametrize("body", LONG_BODIES.values(), ids=LONG_BODIES)
def test_e8_the_time_to_check_a_body_grows_linearly_with_its_length(flow: Flow, body: str) -> None:
    # If the time grew with the square of the length, the check would take hours.
    assert send(flow, token_of(flow), body.encode()).status == 400


def test_f4_escaped_characters_in_a_name_are_decoded_before_the_check(flow: Flow) -> None:
    token = token_of(flow)
    assert send(flow, token, b'{"method":"tools\\/call","params":{"name":"\\u0077rite"}}').status == 403
    assert send(flow, token, b'{"method":"tools/call","params":{"name":"re\\u0061d"}}').status == 200
    assert (
        send(flow, token, call("read", arguments={"text": 'a "name": b', "Name": 1, "name": 2})).status == 200
    )


def test_f4_methods_and_members_that_the_rules_do_not_concern_are_accepted(flow: Flow) -> None:
    token = token_of(flow)
    parameters = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x"}}
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters}
    level = {"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": {"level": "info"}}
    for message in (initialize, level, call("read", task={"ttl": 1}), call("read") | {"vendor": 1}):
        assert send(flow, token, message).status == 200


@pytest.mark.parametrize(
    "values",
    [
        "[0,-0,-1.5,1e5,1E+5,1.25e-10,true,false,null]",
        '[[],{},[[]],{"a":{}},""]',
        '[ 1 ,\t2\r\n, { "a" : "b" } ]',
        r"""["\u0041\n\t\"\\\/\b\f\r","!",",}","{\"a\":1}","a//b/*c*/","'"]""",
        "[" * 62 + "]" * 62,
    ],
)
def test_f4_every_form_of_a_json_value_is_accepted(flow: Flow, values: str) -> None:
    message = f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{values}}}}}'
    assert send(flow, token_of(flow), message.encode()).status == 200


def test_f4_a_method_in_another_case_does_not_bypass_the_rules(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not documented whether API Management compares HTTP methods with case."""
    match = Routes.match
    monkeypatch.setattr(Routes, "match", lambda self, method, *rest: match(self, method.upper(), *rest))
    token = token_of(flow)
    headers = {"Content_Type": "application/json", **bearer(token)}
    for method in ("post", "Post"):
        for tool, status in (("write", 403), ("read", 200)):
            body = json.dumps(call(tool)).encode()
            assert flow.harness.send(method, "/mcp", body=body, **headers).status == status
    assert len(arrived(flow)) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Encoding": "gzip"},
        {"Content_Type": "application/json; charset=utf-16"},
        {"Content_Type": "application/json\xa0"},
        {"Content_Type": "appl\u0130cation/json"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "multipart/mixed; x=application/json"},
        {"Content_Length": "9999999999"},
    ],
    ids=str,
)
def test_f4_a_body_in_another_encoding_is_refused(flow: Flow, headers: dict[str, str]) -> None:
    assert send(flow, token_of(flow), call("read"), **headers).status == 415
    assert arrived(flow) == []


def test_f4_the_headers_of_mcp_2026_07_28_must_match_the_body(flow: Flow) -> None:
    token = token_of(flow)

    def answer(method: str | None, name: str | None, body: object = None) -> tuple[int, int | None]:
        values = {"Mcp_Method": method, "Mcp_Name": name, "MCP_Protocol_Version": STATELESS}
        headers = {header: value for header, value in values.items() if value is not None}
        response = send(flow, token, call("read") if body is None else body, **headers)
        return response.status, response.json().get("error", {}).get("code")

    assert answer("tools/call", "read") == (200, None)
    sent = arrived(flow)[-1]
    assert (sent.header("Mcp-Method"), sent.header("Mcp-Name")) == ("tools/call", "read")
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert answer("ping", None, ping) == (200, None)
    assert answer("tools/call", None, ping) == (400, -32020)
    assert answer("tools/call", "write") == (400, -32020)
    assert answer("ping", "read") == (400, -32020)
    assert answer(None, "read") == (400, -32020)
    assert answer("tools/call", None) == (400, -32020)
    assert answer("tools/call", "read", [call("read")]) == (400, -32600)
    assert len(arrived(flow)) == 2
    # In older versions the gateway checks only the body, and does not forward the headers.
    for version in ({}, {"MCP_Protocol_Version": "2025-11-25"}, {"MCP_Protocol_Version": f"{STATELESS}, x"}):
        headers = {"Mcp_Method": "tools/call", "Mcp_Name": "write", **version}
        assert send(flow, token, call("read"), **headers).status == 200
        assert arrived(flow)[-1].header("Mcp-Method") is None
        assert arrived(flow)[-1].header("Mcp-Name") is None


def test_f4_rules_ignore_the_case_of_tool_names(flow: Flow) -> None:
    """The MCP extension of Azure Functions ignores the case of names."""
    token = token_of(flow, roles=("Eraser",))
    assert send(flow, token, call("Write")).status == 403
    assert send(flow, token, call("ERASE")).status == 403
    assert arrived(flow) == []
    assert send(flow, token, call("READ")).status == 200
    assert send(flow, token, call("Another")).status == 200
    flow.served = tools_answer({"name": "WRITE"}, {"name": "Read"}, {"name": "Another"})
    assert listed(flow, token) == ["Read", "Another"]


@pytest.mark.parametrize("path", ["/mcp/message", "/message"])
def test_f4_only_callers_that_may_call_all_tools_can_list_them_over_http_sse(flow: Flow, path: str) -> None:
    query = "azmcpcs=abcdefgh-1234"
    without_role = send(flow, token_of(flow, "functions functions.write"), LIST, path, query)
    assert without_role.status == 403
    without_scope = send(flow, token_of(flow, "functions", ("Eraser",)), LIST, path, query)
    challenge = without_scope.header("WWW-Authenticate") or ""
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="functions functions.write"' in challenge
    assert arrived(flow) == []
    all_tools = token_of(flow, "functions functions.write", ("Eraser",))
    # The list itself is sent over the event stream.
    flow.served = lambda: reply(202, "Accepted", Content_Type="text/plain")
    accepted = send(flow, all_tools, LIST, path, query)
    assert (accepted.status, accepted.body) == (202, b"Accepted")
    flow.served = lambda: reply(200, "{}", Content_Type="application/json")
    assert send(flow, all_tools, call("erase"), path, query).status == 200
    assert send(flow, token_of(flow), call("write"), path, query).status == 403


@pytest.mark.parametrize(("method", "message"), [("POST", call("read")), ("GET", None)])
def test_f4_the_body_of_a_response_to_another_request_than_tools_list_is_not_read(
    flow: Flow, method: str, message: object
) -> None:
    token, stream = token_of(flow), Stream()
    body = b"" if message is None else json.dumps(message).encode()
    headers = {"Host": "gateway.example", "Content-Type": "application/json", **bearer(token)}
    request = InboundRequest(
        method=method,
        path="/mcp",
        query="",
        headers=tuple(headers.items()),
        body=body or None,
        ip_address="203.0.113.7",
        host="gateway.example",
    )

    async def send_and_read() -> tuple[bool, bytes]:
        flow.served = lambda: stream
        answer = await asyncio.wait_for(flow.harness.gateway.handle(request), 5)
        was_read = stream.was_read
        assert not isinstance(answer.body, bytes)
        first = await asyncio.wait_for(anext(aiter(answer.body)), 5)
        await answer.close()
        return was_read, first

    assert asyncio.run(send_and_read()) == (False, b"data: {}\n\n")


def test_f4_only_a_list_of_tools_must_not_be_compressed(flow: Flow) -> None:
    token = token_of(flow)
    for message, coding in ((call("read"), "gzip"), (LIST, "identity")):
        flow.served = tools_answer()
        assert send(flow, token, message, Accept_Encoding="gzip").status == 200
        assert arrived(flow)[-1].header("Accept-Encoding") == coding


def test_f4_event_streams_and_deleted_sessions_are_forwarded_without_last_event_id(flow: Flow) -> None:
    authorization = f"Bearer {token_of(flow)}"
    # The content type of GET and DELETE is not checked.
    resumed = flow.harness.send(
        "GET", "/mcp", Authorization=authorization, Last_Event_ID="7", Content_Type="text/event-stream"
    )
    assert resumed.status == 200
    assert arrived(flow)[-1].header("Last-Event-ID") is None
    assert flow.harness.send("DELETE", "/mcp", Authorization=authorization).status == 200


def test_f4_the_body_of_a_request_is_not_read_if_the_server_has_no_rules() -> None:
    flow = Flow.new()
    answer = flow.harness.send(
        "POST", "/mcp", body=b"\xff not JSON", Content_Type="text/plain", **bearer(flow.token())
    )
    assert (answer.status, arrived(flow)[-1].body) == (200, b"\xff not JSON")
    (policy,) = [api.policy for api in flow.harness.gateway.service.apis if api.id == "functions-mcp"]
    assert policy is not None
    assert "Request.Body" not in policy.xml


def test_f4_a_token_for_the_whole_gateway_allows_the_servers_of_its_scopes() -> None:
    notes = '[{"name": "notes", "image": "ghcr.io/example/notes:1.0.0", "port": 8080}]'
    flow = Flow.at(harness_with(audience="gateway", containers=notes))
    token = flow.redeem(callback_code(flow, "notes")).json()["access_token"]
    answer = flow.call(token)
    assert answer.status == 403
    assert 'scope="notes functions"' in (answer.header("WWW-Authenticate") or "")
    both_scopes = flow.redeem(callback_code(flow, "notes functions")).json()["access_token"]
    assert flow.call(both_scopes).status == 200


def test_f6_headers_about_the_caller_are_set_only_by_the_gateway(flow: Flow) -> None:
    forged = {"X_Mcp_Gateway_Subject": "someone", "X_MCP_Gateway_Client": "else"}
    token = token_of(flow)
    assert send(flow, token, call("read"), **forged).status == 200
    sent = arrived(flow)[-1]
    claims = flow.claims_of(token)
    assert sent.header("X-Mcp-Gateway-Subject") == claims["sub"]
    assert sent.header("X-Mcp-Gateway-Client") == claims["client_id"]
    removing = send(flow, token, call("read"), Connection="X-Mcp-Gateway-Subject")
    assert removing.status == 400


@pytest.mark.parametrize("access", ["agents", "keys", "users agents", "users agents keys"])
def test_f3_no_value_of_the_setting_access_allows_anonymous_calls(access: str) -> None:
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
def test_f7_an_audit_record_names_a_tool_only_if_its_name_is_valid(
    flow: Flow, message: object, event: str, tool: str
) -> None:
    token = token_of(flow)
    telemetry = flow.harness.gateway.services.telemetry
    telemetry.clear()
    send(flow, token, message)
    (record,) = telemetry
    source = "-" if tool == "-" else "body"
    assert [record.properties[name] for name in ("event", "tool", "toolSource")] == [event, tool, source]
