"""Checks whether the agent service accepts the schema of a tool's arguments.

Foundry's documentation of this error: "This error usually happens if your MCP server definition includes
`anyOf` or `allOf`, or if a parameter accepts multiple types of values":
https://learn.microsoft.com/azure/foundry/agents/how-to/tools/model-context-protocol
"""

from twin.foundry.errors import invalid
from twin.foundry.records import Tool

_COMBINATIONS = frozenset({"anyOf", "allOf", "oneOf"})


def require_supported(tool: Tool) -> None:
    """Rejects a tool whose schema combines schemas or allows several types.

    Raises:
        FoundryError: the tool is rejected.
    """
    if not _is_supported(dict(tool.schema)):
        raise invalid(f"Invalid tool schema for: {tool.server}.{tool.name}", "tools")


def _is_supported(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_supported, value))
    if not isinstance(value, dict):
        return True
    if _COMBINATIONS & value.keys() or isinstance(value.get("type"), list):
        return False
    return all(map(_is_supported, value.values()))
