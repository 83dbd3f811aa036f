"""A connection of a Foundry project, with the credentials for an MCP server."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection of the project.

    Attributes:
        name: unique name in the project.
        id: resource id.
        target: URL of the MCP server; it replaces the `server_url` of the tool.
        headers: the headers in `CustomKeys`; secrets.
        audience: audience of the access token, if the agent identity authenticates; otherwise None.
    """

    name: str
    id: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    audience: str | None = None
