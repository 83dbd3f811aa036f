"""A conversation with the agent: sends messages and approvals, and receives a stream of events."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import openai
from openai import OpenAI

from agent_demo.error import AgentError


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A tool was called; `error` is None if the call succeeded."""

    server: str
    tool: str
    arguments: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A call that needs an approval before it is made."""

    id: str
    server: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """The agent service requires a sign-in of the user at the page `link` before the server can be used."""

    server: str
    link: str


ConversationEvent = TextDelta | ToolCalled | ApprovalRequest | ConsentRequest
AgentReference = Callable[[], Mapping[str, Any]]
"""Returns the members of a request's body that identify the agent."""


class Conversation:
    """One conversation with an agent.

    Args:
        client: the OpenAI client of the project.
        agent: returns the reference to the agent. It is called for each request, because tokens in it expire.
    """

    def __init__(self, client: OpenAI, agent: AgentReference) -> None:
        self._client = client
        self._agent = agent
        self._previous: str | None = None

    def send(self, text: str) -> Iterator[ConversationEvent]:
        """Sends a message.

        Raises:
            AgentError: the agent service rejects the request or fails.
        """
        return self._send([{"role": "user", "content": text}])

    def answer(self, decisions: Sequence[tuple[ApprovalRequest, bool]]) -> Iterator[ConversationEvent]:
        """Sends the decisions on all approval requests of the previous response.

        Raises:
            AgentError: the agent service rejects the request or fails.
        """
        return self._send(
            [
                {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": approved}
                for request, approved in decisions
            ]
        )

    def _send(self, items: list[dict[str, Any]]) -> Iterator[ConversationEvent]:
        previous = {"previous_response_id": self._previous} if self._previous else {}
        try:
            stream = self._client.responses.create(
                input=cast("Any", items),
                stream=True,
                extra_body={**previous, **self._agent()},
            )
            with stream:
                for event in stream:
                    yield from self._read(event)
        except openai.APIStatusError as error:
            raise AgentError(_error_message(error)) from None
        except openai.APIError as error:
            raise AgentError(
                f"The agent service cannot be reached, or the connection was lost: {error.message}\n"
                "Try again."
            ) from None

    def _read(self, event: Any) -> Iterator[ConversationEvent]:
        match event.type:
            case "response.output_text.delta":
                yield TextDelta(event.delta)
            case "response.output_item.done":
                yield from _item(event.item)
            case "response.completed" | "response.incomplete":
                self._previous = event.response.id
            case "response.failed":
                failure = event.response.error
                raise AgentError(
                    f"The agent failed: {failure.message if failure else 'no reason given'}\n"
                    "Send the message again."
                )
            case "error":
                raise AgentError(f"The agent failed: {event.message}\nSend the message again.")


def _item(item: Any) -> Iterator[ConversationEvent]:
    match item.type:
        case "mcp_call":
            yield ToolCalled(item.server_label, item.name, item.arguments, _failure(item.error))
        case "mcp_approval_request":
            yield ApprovalRequest(item.id, item.server_label, item.name, item.arguments)
        case "oauth_consent_request":
            # An extension of Foundry. OpenAI's SDK passes on items of unknown types without changes.
            yield ConsentRequest(getattr(item, "server_label", None) or "a server", item.consent_link)


def _failure(error: Any) -> str | None:
    """The error of a call as text. Services send a string or an object; objects have several formats."""
    if error is None:
        return None
    if isinstance(error, str):
        return error
    plain = error if isinstance(error, dict) else error.model_dump(exclude_none=True)
    parts = plain.get("content")
    if isinstance(parts, list):
        return " ".join(
            str(part.get("text", part)) if isinstance(part, dict) else str(part) for part in parts
        )
    return str(plain.get("message") or plain)


def _error_message(error: openai.APIStatusError) -> str:
    reason = error.body.get("message") if isinstance(error.body, dict) else None
    reason = str(reason or error.message)
    match error.status_code:
        case 401 | 403:
            return (
                f"Foundry rejected your account (HTTP {error.status_code}): {reason}\nRun `az login`, and "
                "ask for the role Azure AI User on the project."
            )
        case 404:
            return (
                f"Foundry cannot find the project, the agent or the model (HTTP 404): {reason}\nCompare "
                "foundryProject, foundryEndpoint and foundryModel with the project's overview."
            )
        case 424:
            return (
                f"Foundry cannot use an MCP server (HTTP 424): {reason}\nLeave it out: name the other "
                "servers with --backend."
            )
        case 429:
            return (
                f"The model is busy (HTTP 429): {reason}\nTry again later, or increase the quota of the "
                "model deployment."
            )
        case _:
            return f"The agent service rejected the request (HTTP {error.status_code}): {reason}"
