"""How the demo handles the agent service's responses: events, errors and consent requests."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from agent_demo.conversation import ConsentRequest, Conversation, TextDelta, ToolCalled
from agent_demo.error import AgentError
from agent_demo.terminal import printable

Answer = Callable[[httpx2.Request], httpx2.Response]


def conversation(answer: Answer) -> Conversation:
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = OpenAI(
        api_key="x", base_url="https://foundry.example/openai/v1", http_client=http, max_retries=0
    )
    return Conversation(client, lambda: {"model": "gpt-5-mini"})


def streamed(*events: dict[str, Any]) -> httpx2.Response:
    lines = [
        f"event: {event['type']}\ndata: {json.dumps({'sequence_number': number, **event})}\n\n"
        for number, event in enumerate(events)
    ]
    return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, text="".join(lines))


def item(**members: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": 0, "item": members}


def completed(id_: str) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"id": id_, "output": []}}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Run `az login`, and ask for the role Azure AI User"),
        (403, "Run `az login`, and ask for the role Azure AI User"),
        (404, "Compare foundryProject, foundryEndpoint and foundryModel"),
        (424, "name the other servers with --backend"),
        (429, "Try again later, or increase the quota"),
        (400, "The agent service rejected the request (HTTP 400): the reason"),
        (500, "The agent service rejected the request (HTTP 500): the reason"),
    ],
)
def test_the_message_of_an_http_error_contains_the_remedy(status: int, message: str) -> None:
    refusing = conversation(lambda _: httpx2.Response(status, json={"error": {"message": "the reason"}}))

    with pytest.raises(AgentError) as caught:
        list(refusing.send("hello"))
    assert message in str(caught.value)
    assert "the reason" in str(caught.value)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "message": "no capacity", "code": "x", "param": None},
        {
            "type": "response.failed",
            "response": {"id": "r", "error": {"code": "x", "message": "no capacity"}},
        },
    ],
)
def test_a_failure_within_the_stream_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(AgentError, match="no capacity"):
        list(conversation(lambda _: streamed(event)).send("hello"))


def test_a_connection_that_fails_is_an_error() -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(AgentError, match="cannot be reached"):
        list(conversation(fail).send("hello"))


def test_a_consent_request_of_foundry_is_passed_on() -> None:
    link = "https://consent.example/login?data=x"
    stream = streamed(item(type="oauth_consent_request", id="o", consent_link=link), completed("r1"))

    assert list(conversation(lambda _: stream).send("hello")) == [ConsentRequest("a server", link)]


def test_each_message_continues_the_previous_response() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        delta = {"type": "response.output_text.delta", "delta": "Hi", "item_id": "m", "output_index": 0}
        return streamed({**delta, "content_index": 0, "logprobs": []}, completed(f"r{len(bodies)}"))

    chat = conversation(answer)
    assert list(chat.send("one")) == [TextDelta("Hi")]
    list(chat.send("two"))

    assert [body.get("previous_response_id") for body in bodies] == [None, "r1"]
    assert bodies[1]["input"] == [{"role": "user", "content": "two"}]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (None, None),
        ("plain", "plain"),
        ({"type": "http_error", "code": 401, "message": "unauthorized"}, "unauthorized"),
        (
            {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "no issue"}]},
            "no issue",
        ),
    ],
)
def test_the_error_of_a_tool_call_is_read_in_each_of_its_forms(error: Any, shown: str | None) -> None:
    called = item(type="mcp_call", id="c", server_label="jira", name="get", arguments="{}", error=error)

    (event,) = conversation(lambda _: streamed(called, completed("r"))).send("hello")
    assert event == ToolCalled("jira", "get", "{}", shown)


def test_untrusted_text_cannot_control_the_terminal() -> None:
    assert printable("a\x1b[2Jb\u202ec\x07\nd\te") == "a\ufffd[2Jb\ufffdc\ufffd\nd\te"
