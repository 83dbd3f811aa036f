"""Slack: https://github.com/korotovsky/slack-mcp-server, as it is.

One process speaks one transport, so there are two apps. Two containers in one app would not do: an app has
one HTTP port at its ingress, and additional port mappings are TCP, past the built-in authentication.
"""

from backends import routes
from backends.container_backend import ContainerBackend
from backends.environment import environment_name
from backends.server import ServerSpec, pinned
from configuration.names import ROOT_MESSAGES
from settings import Settings

VERSION = "v1.3.0"
"""The image's tag. The twin runs the npm package of the same version, see docs/adding-a-backend.md."""

IMAGE = f"ghcr.io/korotovsky/slack-mcp-server:{VERSION}"

_PORT = 3001
_ENV = {
    "SLACK_MCP_HOST": "0.0.0.0",  # noqa: S104 -- in its own container; the default is 127.0.0.1
    "SLACK_MCP_PORT": str(_PORT),
    # Without it there is no tool that posts.
    "SLACK_MCP_ADD_MESSAGE_TOOL": "true",
    # At `info` it logs the arguments of calls, and with them what people write.
    "SLACK_MCP_LOG_LEVEL": "warn",
}
_ORIGIN = "slack-sse-url"


def describe(settings: Settings) -> ContainerBackend:
    """Describes the server with its two processes."""
    return ContainerBackend(
        name="slack",
        title="Slack",
        path="slack-mcp",
        environment=environment_name(settings, "slack"),
        servers=(_server(settings, "http"), _server(settings, "sse", origin=_ORIGIN)),
        routes=(
            *routes.streamable_http("/mcp"),
            *routes.legacy(
                sse="/sse",
                messages="/message",
                below="/message",
                session_parameter="sessionId",
                origin=_ORIGIN,
            ),
        ),
        root_messages=(
            routes.at_root(
                name="slack", messages=ROOT_MESSAGES["slack"], origin=_ORIGIN, session_parameter="sessionId"
            ),
        ),
    )


def _server(settings: Settings, transport: str, *, origin: str | None = None) -> ServerSpec:
    return ServerSpec(
        name=f"slack-{transport}",
        image=pinned(IMAGE, settings.slack_digest),
        port=_PORT,
        arguments=("--transport", transport),
        env=_ENV,
        secrets={"SLACK_MCP_XOXB_TOKEN": settings.slack.bot_token},
        # Stateful: it keeps its event streams in memory, and before a replica can answer it reads all users
        # and channels of the workspace from Slack, which limits that.
        min_replicas=1,
        max_replicas=1,
        # It has no health path.
        health=None,
        origin=origin,
    )
