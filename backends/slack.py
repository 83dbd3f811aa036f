"""Slack: https://github.com/korotovsky/slack-mcp-server, as it is.

One process speaks one transport, so there are two apps. Two containers in one app would not do: an app has
one HTTP port at its ingress, and additional port mappings are TCP, past the built-in authentication.
"""

from backends import routes
from backends.backend import Backend
from backends.server import Server, ServerArgs
from backends.site import Site
from configuration.names import ROOT_MESSAGES

VERSION = "v1.3.0"
"""The image's tag. The twin runs the npm package of the same version, see docs/adding-a-backend.md."""

IMAGE = f"ghcr.io/korotovsky/slack-mcp-server:{VERSION}"

_PORT = 3001
_ENV = {
    "SLACK_MCP_HOST": "0.0.0.0",  # noqa: S104 -- in its own container; the default would be reached by nobody
    "SLACK_MCP_PORT": str(_PORT),
    # Without it there is no tool that posts.
    "SLACK_MCP_ADD_MESSAGE_TOOL": "true",
    # At `info` it logs the arguments of calls, and with them what people write.
    "SLACK_MCP_LOG_LEVEL": "warn",
}
_ORIGIN = "slack-sse-url"


def build(site: Site) -> Backend:
    """Declares the two apps and says how to reach them."""
    url, sse_url = (
        Server(
            f"slack-{transport}",
            ServerArgs(
                platform=site.platform,
                environment=site.environments.of("slack"),
                backend="slack",
                image=site.pinned(IMAGE, site.settings.slack_digest),
                port=_PORT,
                arguments=("--transport", transport),
                env=_ENV,
                secrets={"SLACK_MCP_XOXB_TOKEN": site.settings.slack.bot_token},
                # Stateful: it has its event streams in memory, and every replica would read the whole
                # workspace's users and channels from Slack, which limits that, before it can answer.
                least=1,
                most=1,
                # It has no health path.
                health=None,
            ),
        ).url
        for transport in ("http", "sse")
    )
    return Backend(
        name="slack",
        title="Slack",
        path="slack-mcp",
        url=url,
        audience=site.platform.caller.audience,
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
        origins={_ORIGIN: sse_url},
    )
