"""Records of the agent service: the MCP servers of agents, their tools, and planned calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twin.foundry.errors import invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """An `mcp` tool of an agent or of a request.

    Attributes:
        label: its name, unique in the agent.
        url: its URL for streamable HTTP.
        allowed: names of its tools that the agent may use; None for all.
        always: names of tools that need an approval; None for all that are not in `never`.
        never: names of tools that need no approval.
        authorization: the access token in the request; a secret.
        headers: further headers; secrets.
        connection: name or id of a connection.
    """

    label: str
    url: str
    allowed: frozenset[str] | None
    always: frozenset[str] | None
    never: frozenset[str]
    authorization: str | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    connection: str | None

    def needs_approval(self, tool: str) -> bool:
        """Whether a person has to approve a call of a tool."""
        if self.always is not None:
            return tool in self.always
        return tool not in self.never


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool of an MCP server.

    Attributes:
        server: label of the server.
        name: its name.
        description: its description for the model.
        schema: the JSON schema of its arguments.
        annotations: its hints, such as `readOnlyHint`.
    """

    server: str
    name: str
    description: str
    schema: Mapping[str, Any]
    annotations: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that was planned.

    Attributes:
        id: id of its output item.
        tool: the tool to call.
        arguments: the arguments of the call.
        approval: id of the approval request that was sent for it.
    """

    id: str
    tool: Tool
    arguments: Mapping[str, Any]
    approval: str | None = None


def read_servers(tools: object) -> tuple[McpServer, ...]:
    """The MCP servers in a list of tools.

    Raises:
        FoundryError: a tool is not an MCP server, or is incomplete.
    """
    if not isinstance(tools, list):
        raise invalid("'tools' must be an array.", "tools")
    servers = tuple(_server(tool, index) for index, tool in enumerate(tools))
    labels = [server.label for server in servers]
    for label in labels:
        if labels.count(label) > 1:
            raise invalid(f"Duplicate MCP server_label found: {label}.", "tools")
    return servers


def _server(tool: object, index: int) -> McpServer:
    if not isinstance(tool, dict) or tool.get("type") != "mcp":
        raise invalid("The stand-in supports only tools of type 'mcp'.", f"tools[{index}].type")
    label, url = tool.get("server_label"), tool.get("server_url")
    if not isinstance(label, str) or not label:
        raise invalid("'server_label' is required.", f"tools[{index}].server_label")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid("'server_url' must be the URL of an MCP server.", f"tools[{index}].server_url")
    approval = tool.get("require_approval", "always")
    always, never = _approval(approval, index)
    return McpServer(
        label=label,
        url=url,
        allowed=_names(tool["allowed_tools"]) if tool.get("allowed_tools") is not None else None,
        always=always,
        never=never,
        authorization=tool.get("authorization"),
        headers=dict(tool.get("headers") or {}),
        connection=tool.get("project_connection_id"),
    )


def _approval(value: object, index: int) -> tuple[frozenset[str] | None, frozenset[str]]:
    if value == "always":
        return None, frozenset()
    if value == "never":
        return frozenset(), frozenset()
    if isinstance(value, dict) and set(value) <= {"always", "never"}:
        always = _names(value["always"]) if value.get("always") is not None else None
        return always, _names(value.get("never") or ())
    raise invalid("'require_approval' is not valid.", f"tools[{index}].require_approval")


def _names(value: object) -> frozenset[str]:
    """Names of tools: a list, or a filter with `tool_names`."""
    if isinstance(value, Mapping):
        value = value.get("tool_names") or ()
    return frozenset(str(entry) for entry in value) if isinstance(value, Sequence) else frozenset()
