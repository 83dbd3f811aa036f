"""The records of the agent service: MCP servers, their tools, and planned calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twin.foundry.errors import invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """An `mcp` tool of an agent or of a request.

    Attributes:
        label: name of the server, unique in the agent.
        url: URL of the server for streamable HTTP.
        allowed: names of the tools that the agent may use; None for all tools.
        always: names of tools whose calls need an approval; None for all tools that are not in `never`.
        never: names of tools whose calls need no approval.
        authorization: the access token in the request; a secret.
        headers: additional headers; secrets.
        connection: name or id of the connection with the credentials; None without one.
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
        """Whether calls of a tool need the approval of a person."""
        if self.always is not None:
            return tool in self.always
        return tool not in self.never


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool of an MCP server.

    Attributes:
        server: label of the server.
        name: name of the tool.
        description: description for the model.
        schema: the JSON schema of the arguments.
        annotations: hints about the tool, such as `readOnlyHint`.
    """

    server: str
    name: str
    description: str
    schema: Mapping[str, Any]
    annotations: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A planned call of a tool.

    Attributes:
        id: id of its item in the output of the response.
        tool: the tool to call.
        arguments: the arguments of the call.
        approval: id of the approval request for the call; None if none was sent.
    """

    id: str
    tool: Tool
    arguments: Mapping[str, Any]
    approval: str | None = None


def read_servers(tools: object) -> tuple[McpServer, ...]:
    """Reads the MCP servers in the member `tools` of a definition or request.

    Raises:
        FoundryError: a tool is not an MCP server or is incomplete, or two servers have the same label.
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
    """The names of tools in a list, or in a filter with `tool_names`."""
    if isinstance(value, Mapping):
        value = value.get("tool_names") or ()
    return frozenset(str(entry) for entry in value) if isinstance(value, Sequence) else frozenset()
