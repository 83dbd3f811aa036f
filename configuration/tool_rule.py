"""A rule for a tool of an MCP server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """The conditions under which a caller that may call a server may also call a tool of it.

    Attributes:
        scope: a scope that the caller's token must have; empty for none.
        role: value of an Entra app role that the caller must have; empty for none.
        group: object id of an Entra group of which the caller must be a member; empty for none. With `role`
            and `group`, one of them is enough.
    """

    scope: str = ""
    role: str = ""
    group: str = ""


OTHER_TOOLS = "*"
"""The name of the rule for all tools that have no rule of their own."""
