"""A rule for a tool of an MCP server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """What a caller needs to call a tool, in addition to access to its server.

    Attributes:
        scope: a scope that the caller's token must have; empty for none.
        role: value of an Entra app role that the caller must have; empty for none.
        group: object id of an Entra group whose members may call the tool, with or without `role`; empty for
            none.
    """

    scope: str = ""
    role: str = ""
    group: str = ""


OTHER_TOOLS = "*"
"""The name of the rule for every tool without a rule of its own."""
