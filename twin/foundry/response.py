"""Writes a response: its output items, and the events in which they are streamed.

The events are those of OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses-streaming
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twin.foundry.records import Call, Tool

Event = dict[str, Any]


class ResponseWriter:
    """Writes one response. Each method returns the next events of its stream.

    Args:
        created: time of its creation in POSIX seconds.
        model: the model in the request or in the definition of the agent.
        instructions: the instructions in the request or in the definition of the agent.
        previous: id of the previous response in the conversation, or None.
    """

    def __init__(self, *, created: int, model: str, instructions: str | None, previous: str | None) -> None:
        self.id = f"resp_{secrets.token_hex(24)}"
        self._sequence = 0
        self._output: list[dict[str, Any]] = []
        self._head = {
            "id": self.id,
            "object": "response",
            "created_at": created,
            "model": model,
            "instructions": instructions,
            "previous_response_id": previous,
            "error": None,
            "incomplete_details": None,
            "metadata": {},
            "parallel_tool_calls": False,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
        }

    def begin(self) -> Iterator[Event]:
        """The events at the start of the response."""
        yield self._event("response.created", response=self._response("in_progress"))
        yield self._event("response.in_progress", response=self._response("in_progress"))

    def end(self) -> Iterator[Event]:
        """The event at the end of the response."""
        yield self._event("response.completed", response=self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The complete response as a JSON object."""
        return self._response("completed")

    def tools(self, label: str, tools: Sequence[Tool]) -> Iterator[Event]:
        """The events for the list of a server's tools."""
        item = {"type": "mcp_list_tools", "id": _id("mcpl"), "server_label": label, "tools": []}
        index = len(self._output)
        yield self._event("response.output_item.added", output_index=index, item=item)
        for state in ("in_progress", "completed"):
            yield self._event(f"response.mcp_list_tools.{state}", output_index=index, item_id=item["id"])
        listed = [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.schema,
                "annotations": tool.annotations,
            }
            for tool in tools
        ]
        yield self._done({**item, "tools": listed})

    def approval_request(self, call: Call) -> Iterator[Event]:
        """The events for the request that a person approves a call."""
        item = {
            "type": "mcp_approval_request",
            "id": call.approval,
            "server_label": call.tool.server,
            "name": call.tool.name,
            "arguments": json.dumps(call.arguments, ensure_ascii=False),
        }
        yield self._event("response.output_item.added", output_index=len(self._output), item=item)
        yield self._done(item)

    def begin_call(self, call: Call) -> Iterator[Event]:
        """The events at the start of a call."""
        index, item = len(self._output), self._call(call)
        arguments = item["arguments"]
        added = {**item, "arguments": "", "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=index, item=added)
        yield self._event("response.mcp_call.in_progress", output_index=index, item_id=call.id)
        about = {"output_index": index, "item_id": call.id}
        yield self._event("response.mcp_call_arguments.delta", delta=arguments, **about)
        yield self._event("response.mcp_call_arguments.done", arguments=arguments, **about)

    def end_call(self, call: Call, *, output: str | None, error: str | None) -> Iterator[Event]:
        """The events at the end of a call."""
        state = "failed" if error is not None else "completed"
        yield self._event(f"response.mcp_call.{state}", output_index=len(self._output), item_id=call.id)
        failure = None
        if error is not None:
            failure = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": error}]}
        yield self._done({**self._call(call), "output": output, "error": failure, "status": state})

    def message(self, text: str) -> Iterator[Event]:
        """The events for a message, which is streamed word by word."""
        index, id_ = len(self._output), _id("msg")
        item = {"type": "message", "id": id_, "role": "assistant", "status": "in_progress", "content": []}
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        about = {"output_index": index, "content_index": 0, "item_id": id_}
        yield self._event("response.output_item.added", output_index=index, item=item)
        yield self._event("response.content_part.added", part=part, **about)
        for delta in re.findall(r"\S+\s*|\s+", text):
            yield self._event("response.output_text.delta", delta=delta, logprobs=[], **about)
        yield self._event("response.output_text.done", text=text, logprobs=[], **about)
        part = {**part, "text": text}
        yield self._event("response.content_part.done", part=part, **about)
        yield self._done({**item, "status": "completed", "content": [part]})

    def _call(self, call: Call) -> dict[str, Any]:
        return {
            "type": "mcp_call",
            "id": call.id,
            "server_label": call.tool.server,
            "name": call.tool.name,
            "arguments": json.dumps(call.arguments, ensure_ascii=False),
            "approval_request_id": call.approval,
            "output": None,
            "error": None,
        }

    def _done(self, item: dict[str, Any]) -> Event:
        self._output.append(item)
        return self._event("response.output_item.done", output_index=len(self._output) - 1, item=item)

    def _response(self, status: str) -> dict[str, Any]:
        return {**self._head, "status": status, "output": list(self._output)}

    def _event(self, type_: str, **members: Any) -> Event:
        self._sequence += 1
        return {"type": type_, "sequence_number": self._sequence - 1, **members}


def server_sent(event: Mapping[str, Any]) -> bytes:
    """An event in the format of Server-Sent Events."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def call_id() -> str:
    """A new id for a call."""
    return _id("mcp")


def approval_id() -> str:
    """A new id for an approval request."""
    return _id("mcpr")


def _id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(20)}"
