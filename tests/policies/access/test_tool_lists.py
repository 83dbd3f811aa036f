"""A caller's list of tools contains only the tools that the caller may call (requirement F4)."""

import json

import pytest

from apim.csharp.json import reader
from tests.policies.access.callers import arrived, harness_with
from tests.policies.access.test_tools import LIST, RULES, TOOLS, listed, send, token_of, tools_answer
from tests.policies.engine.harness import reply
from tests.policies.oauth.flow import Flow


@pytest.fixture
def flow() -> Flow:
    return Flow.at(harness_with(**RULES))


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
    "result twice": '{"result":{"tools":[WRITE]},"result":{"tools":[READ]}}',
    "result twice, in the opposite order": '{"result":{"tools":[READ]},"result":{"tools":[WRITE]}}',
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
    "a name with a noncharacter": '{"result":{"tools":[{"name":"wri\ufdd0te"}]}}',
    "a byte order mark": '\ufeff{"result":{"tools":[WRITE]}}',
    "an unpaired surrogate": '{"result":{"tools":[READ,{"name":"write\\ud800"}]}}',
    "deeply nested lists": '{"result":{"tools":[WRITE],"x":' + "[" * 200 + "]" * 200 + "}}",
}
"""Responses in which some JSON parsers find the tool `write` and others do not."""


def test_f4_no_list_shows_a_forbidden_tool_to_any_json_parser(flow: Flow) -> None:
    token = token_of(flow)
    for name, pattern in HIDING_JSON.items():
        body = pattern.replace("READ", json.dumps(READ)).replace("WRITE", json.dumps(WRITE))
        for content_type in ("application/json", "text/event-stream"):
            text = body if content_type == "application/json" else f"data: {body}\n\n"
            for status in (200, 201, 202, 404):
                flow.served = lambda status=status, text=text, content_type=content_type: reply(
                    status, text, Content_Type=content_type
                )
                answer = send(flow, token, LIST)
                assert b"write" not in answer.body, (name, content_type, status)
                assert answer.status in (status, 502), (name, content_type, status)


EVENTS: dict[str, str] = {
    "lines that end with CR LF": "id: 7\r\nevent: message\r\ndata: {JSON}\r\n\r\n",
    "lines that end with CR": "event: message\rdata: {JSON}\r\r",
    "lines that end with LF": "event: message\ndata: {JSON}\n\n",
    "lines with different ends": "event: message\r\ndata: {JSON}\r\n\n",
    "a byte order mark": "\ufeffdata: {JSON}\n\n",
    "no space after the colon": "data:{JSON}\n\n",
    "no empty line at the end": "data: {JSON}",
    "comments": ": ping\n\n:\ndata: {JSON}\n: data: x\n\n: end\n\n",
    "a preceding event without data": "id: 1\ndata: \nretry: 1000\n\ndata: {JSON}\n\n",
    "a preceding event of another type": "event: ping\ndata: now\n\ndata: {JSON}\n\n",
    "unknown fields": "x: y\ndata\ndata: {JSON}\n\n",
    "several lines of data that end with CR LF": "data: {CRLF}\r\n\r\n",
    "several lines of data that end with LF": "data: {LF}\n\n",
}
"""Event streams with one response: `JSON` in one line, or in several lines that end with `CRLF` or `LF`."""


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
"""Event streams in which some parsers find the response `JSON` and others do not."""


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
    answer = send(flow, token_of(flow), LIST)
    assert answer.header("Content-Type") == "text/event-stream"
    events = answer.body.decode().split("\n\n")
    output = [json.loads(event.partition("data: ")[2]) for event in events if event]
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


def test_f4_an_error_of_the_server_to_a_list_request_keeps_its_status(flow: Flow) -> None:
    """Clients start a new session when they receive 404."""
    token = token_of(flow)
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "Session not found"}}
    for content_type, text, code in (
        ("text/plain", json.dumps(error), -32001),
        ("text/plain", "session not found", -32603),
        ("text/event-stream", "session not found", -32603),
    ):
        flow.served = lambda content_type=content_type, text=text: reply(404, text, Content_Type=content_type)
        answer = send(flow, token, LIST)
        assert (answer.status, answer.header("Content-Type")) == (404, "application/json")
        assert answer.json()["error"]["code"] == code
    flow.served = lambda: reply(202)
    assert send(flow, token, LIST).body == b""
    flow.served = lambda: reply(
        500, json.dumps({**error, "result": {"tools": [WRITE]}}), Content_Type="application/json"
    )
    assert send(flow, token, LIST).json()["result"] == {"tools": []}


def test_f4_a_list_that_cannot_be_parsed_is_an_error(flow: Flow) -> None:
    for content_type in ("application/json", "text/event-stream", "text/html"):
        flow.served = lambda content_type=content_type: reply(
            200, 'data: {"result":{"tools":[{"name":"write"}', Content_Type=content_type
        )
        answer = send(flow, token_of(flow), LIST)
        assert (answer.status, answer.json()["error"]["data"]) == (502, {"error": "server_error"})


DEEP = "[" * 70 + "]" * 70


@pytest.mark.parametrize(
    "extra",
    [
        f'"x":{DEEP}',
        # Quotation marks that are not those of a JSON string hide the brackets between them.
        f"""'"':{DEEP},'"':1""",
        f'/*"*/"x":{DEEP}/*"*/',
        f'"a\nb":{DEEP},"c":1',
    ],
    ids=["alone", "between single quotes", "between comments", "after a line break"],
)
def test_e8_deep_json_is_refused_even_if_the_parser_accepts_it(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    """API Management's documentation does not say whether its parser limits the depth."""
    monkeypatch.setattr(reader, "_MAX_DEPTH", 1000)
    flow.served = lambda: reply(200, '{"result":{"tools":[],' + extra + "}}")
    token = token_of(flow)
    assert send(flow, token, LIST).status == 502
    message = '{"method":"ping",' + extra + "}"
    assert send(flow, token, message.encode()).status == 400


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


def test_f4_the_default_rule_lists_no_tool_whose_name_no_call_may_contain(flow: Flow) -> None:
    """The caller has the role of the rule `*`, so it may call every tool without a rule of its own."""
    token = token_of(flow, roles=("Eraser",))
    flow.served = tools_answer(*({"name": name} for name in (7, " another", "an\u00f6ther", "another")))
    assert listed(flow, token) == ["another"]
