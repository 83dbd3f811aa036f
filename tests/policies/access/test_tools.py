"""The tools that a caller can call and list if a server has rules for its tools (requirement F4)."""

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
    "functions": (("functions",), (), ["read"]),
    "write": (("functions", "functions.write"), (), ["read", "write"]),
    "write alone": (("functions.write",), (), ["write"]),
    "the role": (("functions", "functions.write"), ("Eraser",), list(TOOLS)),
    "the group": (("functions", "functions.write"), (f"group.{GROUP}",), ["read", "write", "erase"]),
    "the role without the scope": (("functions",), ("Eraser",), ["read", "another"]),
    "a role in the wrong case": (("functions",), ("eraser",), ["read"]),
}


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


def test_f4_the_challenge_for_a_missing_scope_lists_all_scopes_and_the_step_up_works(flow: Flow) -> None:
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
    "a name twice, the other way": b'{"method":"tools/call","params":{"name":"write","name":"read"}}',
    "a method twice": b'{"method":"ping","method":"tools/call","params":{"name":"write"}}',
    "parameters twice": b'{"method":"tools/call","params":{"name":"read"},"params":{"name":"write"}}',
    "a name in another case": b'{"method":"tools/call","params":{"name":"read","Name":"write"}}',
    "a method in another case": b'{"method":"ping","METHOD":"tools/call","params":{"name":"write"}}',
    "parameters in another case": b'{"method":"tools/call","params":{"name":"read"},"Params":{"name":"x"}}',
    "a name that is equal after case folding": (
        '{"method":"tools/call","params":{"name":"read"},"param\u017f":{"name":"write"}}'.encode()
    ),
    "an escaped member twice": b'{"method":"tools/call","params":{"name":"read","n\\u0061me":"write"}}',
    "a comment": b'{"method":"tools/call","params":{"name":"read"/*,"name":"write"*/}}',
    "single quotes": b"{'method':'tools/call','params':{'name':'write'}}",
    "no quotes": b'{method:"tools/call",params:{"name":"write"}}',
    "a name with a byte that is not UTF-8": b'{"method":"tools/call","params":{"name":"wri\xffte"}}',
    "a method with a byte that is not UTF-8": b'{"method":"tools/ca\xffll","params":{"name":"write"}}',
    "half of a character in a name": b'{"method":"tools/call","params":{"name":"write\\ud800"}}',
    "a method in another case, ignored by the server": b'{"method":"Tools/Call","params":{"name":"write"}}',
    "a list in another case": b'{"method":"tools/LIST"}',
    "a space after a method": b'{"method":"tools/call ","params":{"name":"write"}}',
    "an invisible character in a name": '{"method":"tools/call","params":{"name":"wri\u200bte"}}'.encode(),
    "a name in another Unicode form": '{"method":"tools/call","params":{"name":"\uff57rite"}}'.encode(),
    "a space before a name": b'{"method":"tools/call","params":{"name":" write"}}',
    "a line break after a name": b'{"method":"tools/call","params":{"name":"write\\n"}}',
    "not JSON": b"tools/call write",
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
        mirrored = {"Mcp_Method": method, "Mcp_Name": name, "MCP_Protocol_Version": STATELESS}
        headers = {key: value for key, value in mirrored.items() if value is not None}
        response = send(flow, token, call("read") if body is None else body, **headers)
        return response.status, response.json().get("error", {}).get("code")

    assert answer("tools/call", "read") == (200, None)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert answer("ping", None, ping) == (200, None)
    assert answer("tools/call", None, ping) == (400, -32020)
    assert answer("tools/call", "write") == (400, -32020)
    assert answer("ping", "read") == (400, -32020)
    assert answer(None, "read") == (400, -32020)
    assert answer("tools/call", None) == (400, -32020)
    assert answer("tools/call", "read", [call("read")]) == (400, -32600)
    assert len(arrived(flow)) == 2
    # In older versions only the body counts, and the headers do not reach the server.
    for version in ({}, {"MCP_Protocol_Version": "2025-11-25"}, {"MCP_Protocol_Version": f"{STATELESS}, x"}):
        named = {"Mcp_Method": "tools/call", "Mcp_Name": "write", **version}
        assert send(flow, token, call("read"), **named).status == 200
        assert arrived(flow)[-1].header("Mcp-Method") is None
        assert arrived(flow)[-1].header("Mcp-Name") is None


def test_f4_rules_apply_to_a_tools_name_in_any_case(flow: Flow) -> None:
    """The MCP extension of Azure Functions ignores the case of names."""
    token = token_of(flow, roles=("Eraser",))
    assert send(flow, token, call("Write")).status == 403
    assert send(flow, token, call("ERASE")).status == 403
    assert arrived(flow) == []
    assert send(flow, token, call("READ")).status == 200
    assert send(flow, token, call("Another")).status == 200
    flow.served = tools_answer({"name": "WRITE"}, {"name": "Read"}, {"name": "Another"})
    assert listed(flow, token) == ["Read", "Another"]


def test_f4_the_rest_of_a_filtered_list_is_unchanged(flow: Flow) -> None:
    unusual = {
        "dates": ["2020-01-01T00:00:00+02:00", "/Date(0)/", "2020-01-01"],
        "text": '\u00e9\u4e2d\U0001f40b \u2028 \\ " \n 2020-01-01T00:00:00Z',
        "numbers": [1, -2, 0.5, 12345678901234567890, True, None],
        "1": "2020-01-01T00:00:00Z",
    }
    tools = [{"name": name, "inputSchema": unusual, "_meta": {"a.b/c": 1}} for name in TOOLS]
    response = {
        "jsonrpc": "2.0",
        "id": "2020-01-01T00:00:00Z",
        "result": {"tools": tools, "nextCursor": "/a"},
    }
    flow.served = lambda: reply(200, json.dumps(response), Content_Type="application/json")
    all_tools = token_of(flow, "functions functions.write", ("Eraser",))
    assert send(flow, all_tools, LIST).json() == response
    filtered = send(flow, token_of(flow), {**LIST, "params": {"cursor": "x"}}).json()
    response["result"]["tools"] = tools[:1]
    assert filtered == response
    assert arrived(flow)[-1].header("Accept-Encoding") == "identity"


def test_f4_dates_with_escaped_characters_are_not_changed(flow: Flow) -> None:
    texts = r'["\u0032020-01-01T00:00:00+02:00", "\/Date(0)\/", "\u002fDate(0)/"]'
    body = f'{{"result":{{"tools":[{{"name":"read","x":{texts}}}]}}}}'
    flow.served = lambda: reply(200, body, Content_Type="application/json")
    (tool,) = send(flow, token_of(flow), LIST).json()["result"]["tools"]
    assert tool["x"] == json.loads(texts)


READ, WRITE = {"name": "read"}, {"name": "write"}
HIDING_JSON: dict[str, str] = {
    "members twice": '{"result":{"tools":[WRITE]},"result":{"tools":[READ]}}',
    "members twice, the other way": '{"result":{"tools":[READ]},"result":{"tools":[WRITE]}}',
    "tools twice": '{"result":{"tools":[WRITE],"tools":[READ]}}',
    "a name twice": '{"result":{"tools":[{"name":"write","name":"read"}]}}',
    "a name in another case": '{"result":{"tools":[{"name":"read","Name":"write"}]}}',
    "a member equal after case folding": '{"result":{"tools":[{"name":"read","\u017fame":"write"}]}}',
    "tools in another case": '{"result":{"tools":[READ],"Tools":[WRITE]}}',
    "tools equal after case folding": '{"result":{"tools":[READ],"tool\u017f":[WRITE]}}',
    "a result in another case": '{"result":{"tools":[READ]},"RESULT":{"tools":[WRITE]}}',
    "an escaped result": '{"r\\u0065sult":{"tools":[WRITE]}}',
    "a comment": '{"result":{"tools":[READ/*,WRITE*/]}}',
    "single quotes": "{'result':{'tools':[{'name':'write'}]}}",
    "no quotes": '{result:{tools:[{name:"write"}]}}',
    "an object of tools": '{"result":{"tools":{"0":WRITE}}}',
    "an error and a result": '{"error":{"code":1,"message":""},"result":{"tools":[READ,WRITE]}}',
    "a name with an invisible character": '{"result":{"tools":[{"name":"wri\u200bte"}]}}',
    "a name with a character that is removed": '{"result":{"tools":[{"name":"wri\ufdd0te"}]}}',
    "a byte order mark": '\ufeff{"result":{"tools":[WRITE]}}',
    "half of a character": '{"result":{"tools":[READ,{"name":"write\\ud800"}]}}',
    "a deep list": '{"result":{"tools":[WRITE],"x":' + "[" * 200 + "]" * 200 + "}}",
}
"""Responses in which some JSON parsers find the tool `write` and others do not."""


def test_f4_no_list_shows_a_forbidden_tool_to_any_json_parser(flow: Flow) -> None:
    token = token_of(flow)
    for name, pattern in HIDING_JSON.items():
        body = pattern.replace("READ", json.dumps(READ)).replace("WRITE", json.dumps(WRITE))
        for kind in ("application/json", "text/event-stream"):
            text = body if kind == "application/json" else f"data: {body}\n\n"
            for status in (200, 201, 202, 404):
                flow.served = lambda status=status, text=text, kind=kind: reply(
                    status, text, Content_Type=kind
                )
                answer = send(flow, token, LIST)
                assert b"write" not in answer.body, (name, kind, status)
                assert answer.status in (status, 502), (name, kind, status)


EVENTS: dict[str, str] = {
    "lines that end with CR LF": "id: 7\r\nevent: message\r\ndata: {JSON}\r\n\r\n",
    "lines that end with CR": "event: message\rdata: {JSON}\r\r",
    "lines that end with LF": "event: message\ndata: {JSON}\n\n",
    "lines that end differently": "event: message\r\ndata: {JSON}\r\n\n",
    "a byte order mark": "\ufeffdata: {JSON}\n\n",
    "no space": "data:{JSON}\n\n",
    "no end": "data: {JSON}",
    "comments": ": ping\n\n:\ndata: {JSON}\n: data: x\n\n: end\n\n",
    "an event without data before": "id: 1\ndata: \nretry: 1000\n\ndata: {JSON}\n\n",
    "an event of another type before": "event: ping\ndata: now\n\ndata: {JSON}\n\n",
    "fields that do not exist": "x: y\ndata\ndata: {JSON}\n\n",
    "several lines of data, CR LF": "data: {LINES}\r\n\r\n".replace("{LINES}", "{CRLF}"),
    "several lines of data": "data: {LF}\n\n",
}


def test_f4_a_list_in_an_event_stream_is_filtered_in_every_valid_format(flow: Flow) -> None:
    token = token_of(flow)
    response = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [READ, WRITE]}}, indent=1)
    for name, pattern in EVENTS.items():
        text = pattern.replace("{JSON}", json.dumps(json.loads(response)))
        for marker, end in (("{CRLF}", "\r\n"), ("{LF}", "\n")):
            text = text.replace(marker, f"{end}data: ".join(response.split("\n")))
        flow.served = lambda text=text: reply(200, text, Content_Type="text/event-stream; charset=utf-8")
        answer = send(flow, token, LIST)
        event, data = answer.body.decode().removesuffix("\n\n").split("\n")
        assert (answer.status, answer.header("Content-Type")) == (200, "text/event-stream"), name
        assert event == "event: message", name
        assert json.loads(data.removeprefix("data: "))["result"] == {"tools": [READ]}, name


HIDING_EVENTS: dict[str, str] = {
    "a line separator in a comment": ": x\u2028data: JSON\u2028\u2028\n\n",
    "a form feed in a comment": ": x\x0cdata: JSON\x0c\x0c\n\n",
    "a line separator in data": "data: {a: 1,\u2028\u2028data: JSON\u2028\u2028}\n\n",
    "a line separator in a JSON string": 'data: "\x85\x85data: ESCAPED\x85\x85"\n\n',
    "data that is not JSON": "data: [JSON\n\n",
    "an event of another type": "event: tools\ndata: JSON\n\n",
}


def test_f4_no_event_shows_a_forbidden_tool_to_clients_that_split_lines_differently(flow: Flow) -> None:
    token = token_of(flow)
    response = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [WRITE]}})
    for name, pattern in HIDING_EVENTS.items():
        text = pattern.replace("JSON", response).replace("ESCAPED", json.dumps(response)[1:-1])
        flow.served = lambda text=text: reply(200, text, Content_Type="text/event-stream")
        answer = send(flow, token, LIST)
        output = answer.body.decode()
        assert output.splitlines() == output.removesuffix("\n").split("\n"), name
        for line in output.splitlines():
            if line.startswith("data: "):
                message = json.loads(line.removeprefix("data: "))
                assert not isinstance(message, dict) or "result" not in message, name


def test_f4_messages_before_the_list_in_an_event_stream_reach_the_client(flow: Flow) -> None:
    notification = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    request = {"jsonrpc": "2.0", "id": 9, "method": "sampling/createMessage", "params": {"messages": []}}
    response = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [READ, WRITE]}}
    text = "".join(f"id: 1\ndata: {json.dumps(message)}\n\n" for message in (notification, request, response))
    flow.served = lambda: reply(200, text, Content_Type="Text/Event-Stream")
    answer = send(flow, token_of(flow), LIST).body.decode()
    output = [json.loads(event.partition("data: ")[2]) for event in answer.split("\n\n") if event]
    assert output == [notification, request, {**response, "result": {"tools": [READ]}}]


def test_f4_a_filtered_list_cannot_be_cached_for_other_callers(flow: Flow) -> None:
    response = {"result": {"tools": [READ], "ttlMs": 1000, "cacheScope": "public", "CacheScope": "public"}}
    flow.served = lambda: reply(
        200, json.dumps(response), Content_Type="application/json; charset=utf-8", Cache_Control="public"
    )
    answer = send(flow, token_of(flow), LIST)
    assert answer.json() == {"result": {"tools": [READ], "ttlMs": 1000, "cacheScope": "private"}}
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Content-Type") == "application/json"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"])
def test_f4_a_compressed_list_is_an_error(flow: Flow, coding: str) -> None:
    for status in (200, 404):
        flow.served = lambda status=status: reply(status, "x", Content_Encoding=coding)
        answer = send(flow, token_of(flow), LIST, Accept_Encoding="gzip, br, zstd")
        assert (answer.status, answer.json()["error"]["data"]) == (502, {"error": "server_error"})
        assert arrived(flow)[-1].header("Accept-Encoding") == "identity"


def test_f4_a_list_larger_than_the_limit_is_an_error(flow: Flow) -> None:
    token = token_of(flow)
    tools = [*[{"name": "write", "description": "x" * 500}] * 1500, READ]
    body = json.dumps({"result": {"tools": tools}}).encode()
    flow.served = lambda: reply(200, body, Content_Length=str(len(body)))
    assert send(flow, token, LIST).json()["result"]["tools"] == [READ]
    for length in ("1048577", "9999999999", "x"):
        flow.served = lambda length=length: reply(200, body, Content_Length=length)
        assert send(flow, token, LIST).status == 502
    flow.served = lambda: reply(200, b" " * 2_097_153)
    assert send(flow, token, LIST).status == 413


def test_f4_an_error_of_the_server_keeps_its_status(flow: Flow) -> None:
    """Clients start a new session when they receive 404."""
    token = token_of(flow)
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "Session not found"}}
    for text, code in ((json.dumps(error), -32001), ("session not found", -32603)):
        flow.served = lambda text=text: reply(404, text, Content_Type="text/plain")
        answer = send(flow, token, LIST)
        assert (answer.status, answer.json()["error"]["code"]) == (404, code)
    flow.served = lambda: reply(202)
    assert send(flow, token, LIST).body == b""
    flow.served = lambda: reply(
        500, json.dumps({**error, "result": {"tools": [WRITE]}}), Content_Type="application/json"
    )
    assert send(flow, token, LIST).json()["result"] == {"tools": []}


def test_f4_a_list_that_cannot_be_parsed_is_an_error(flow: Flow) -> None:
    for kind in ("application/json", "text/event-stream", "text/html"):
        flow.served = lambda kind=kind: reply(
            200, 'data: {"result":{"tools":[{"name":"write"}', Content_Type=kind
        )
        answer = send(flow, token_of(flow), LIST)
        assert (answer.status, answer.json()["error"]["data"]) == (502, {"error": "server_error"})


def test_f4_tools_that_are_not_a_list_are_an_error(flow: Flow) -> None:
    flow.served = lambda: reply(
        200, '{"result":{"tools":{"0":{"name":"write"}}}}', Content_Type="application/json"
    )
    answer = send(flow, token_of(flow), LIST)
    assert (answer.status, answer.json()["error"]["data"]) == (502, {"error": "server_error"})


def test_f4_a_list_in_a_batch_is_filtered_and_tools_without_a_valid_name_are_removed(flow: Flow) -> None:
    tools = [READ, {"name": 1}, "read", {"title": "read"}, {"name": " read"}, {"name": ""}]
    response = [{"id": 1, "result": {"tools": tools}}, {"id": 2, "result": {}}, {"id": 3, "error": {}}, 3]
    flow.served = lambda: reply(200, json.dumps(response), Content_Type="application/json")
    body = [{"id": 1, "method": "tools/list"}, {"id": 2, "method": "ping"}, {"id": 3, "result": {}}]
    answer = send(flow, token_of(flow), body)
    assert answer.json() == [{"id": 1, "result": {"tools": [READ]}}, *response[1:]]


def test_f4_names_that_no_call_can_have_are_not_listed_to_callers_of_all_other_tools(flow: Flow) -> None:
    token = token_of(flow, roles=("Eraser",))
    flow.served = tools_answer(*({"name": name} for name in (7, " another", "an\u00f6ther", "another")))
    assert listed(flow, token) == ["another"]


@pytest.mark.parametrize("path", ["/mcp/message", "/message"])
def test_f4_only_callers_of_all_tools_can_list_them_over_http_sse(flow: Flow, path: str) -> None:
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
def test_f4_the_body_of_any_other_response_is_not_read(flow: Flow, method: str, message: object) -> None:
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
        read = stream.was_read
        assert not isinstance(answer.body, bytes)
        first = await asyncio.wait_for(anext(aiter(answer.body)), 5)
        await answer.close()
        return read, first

    assert asyncio.run(send_and_read()) == (False, b"data: {}\n\n")


def test_f4_event_streams_and_deleted_sessions_are_forwarded_without_last_event_id(flow: Flow) -> None:
    authorization = f"Bearer {token_of(flow)}"
    resumed = flow.harness.send("GET", "/mcp", Authorization=authorization, Last_Event_ID="7")
    assert resumed.status == 200
    assert arrived(flow)[-1].header("Last-Event-ID") is None
    assert flow.harness.send("DELETE", "/mcp", Authorization=authorization).status == 200


def test_f4_the_body_is_not_read_if_a_server_has_no_rules() -> None:
    flow = Flow.new()
    answer = flow.harness.send(
        "POST", "/mcp", body=b"\xff not JSON", Content_Type="text/plain", **bearer(flow.token())
    )
    assert (answer.status, arrived(flow)[-1].body) == (200, b"\xff not JSON")
    (policy,) = [api.policy for api in flow.harness.gateway.service.apis if api.id == "functions-mcp"]
    assert policy is not None
    assert "Request.Body" not in policy.xml


def test_f4_a_token_for_the_whole_gateway_allows_the_servers_of_its_scopes() -> None:
    both = '[{"name": "notes", "image": "ghcr.io/example/notes:1.0.0", "port": 8080}]'
    flow = Flow.at(harness_with(audience="gateway", containers=both))
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
    dropped = send(flow, token, call("read"), Connection="X-Mcp-Gateway-Subject")
    assert dropped.status == 400


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
def test_f7_an_audit_record_has_the_name_of_the_tool_in_the_body(
    flow: Flow, message: object, event: str, tool: str
) -> None:
    token = token_of(flow)
    telemetry = flow.harness.gateway.services.telemetry
    telemetry.clear()
    send(flow, token, message)
    (record,) = telemetry
    assert (record.properties["event"], record.properties["tool"]) == (event, tool)
