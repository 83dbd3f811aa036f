"""GitHub's hosted MCP server: clients connect to it directly and sign in at GitHub; nothing is deployed."""

from gateway.backend import Hosted
from settings import Settings

CONNECTION = "github-mcp"
"""The connection of a Foundry project through which agents reach it."""


def describe(settings: Settings) -> Hosted:
    """Describes the server."""
    project = settings.foundry.project if settings.foundry else None
    connection = CONNECTION if project and project.connects_github else None
    return Hosted(
        name="github",
        title="GitHub",
        description="Repositories, issues and pull requests on GitHub.",
        url=settings.github_url,
        connection=connection,
    )
