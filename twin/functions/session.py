"""The information about the caller that a function receives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SESSION_HEADER = "mcp-session-id"

Transport = Literal["http-streamable", "http-sse"]


@dataclass(slots=True, kw_only=True)
class Session:
    """One conversation: a single request of streamable HTTP, or an event stream with its messages.

    Attributes:
        transport: name of the transport in the extension.
        headers: headers of the request that started the conversation.
        client: name and version of the client, from `initialize`; None before this request.
    """

    transport: Transport
    headers: Mapping[str, str] = field(default_factory=dict)
    client: Mapping[str, Any] | None = None

    def invocation(self, tool: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """The context of a tool call (the extension's `ToolInvocationContext`), without empty members."""
        identifier = self.headers.get(SESSION_HEADER)
        transport = {
            "name": self.transport,
            "sessionId": identifier,
            "properties": {"headers": dict(self.headers)},
        }
        context = {
            "name": tool,
            "arguments": arguments,
            "sessionid": identifier,
            "clientinfo": self.client,
            "transport": _without_none(transport),
        }
        return _without_none(context)


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
