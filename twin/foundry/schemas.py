"""The schemas that the agent service accepts for arguments of tools.

"This error usually happens if your MCP server definition includes `anyOf` or `allOf`, or if a parameter
accepts multiple types of values": https://learn.microsoft.com/azure/foundry/agents/how-to/tools/model-context-protocol
"""

from twin.foundry.errors import invalid
from twin.foundry.records import Tool

_COMBINATIONS = frozenset({"anyOf", "allOf", "oneOf"})


def require_supported(tool: Tool) -> None:
    """Rejects a tool whose schema the service does not accept.

    Raises:
        FoundryError: the schema is not accepted.
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
