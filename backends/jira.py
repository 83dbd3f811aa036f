"""Jira: https://github.com/sooperset/mcp-atlassian, as it is.

One process speaks one transport, so there are two apps. Two containers in one app would not do: an app has
one HTTP port at its ingress, and additional port mappings are TCP, past the built-in authentication.
"""

from collections.abc import Mapping

from backends import routes
from backends.container_backend import ContainerBackend
from backends.environment import environment_name
from backends.server import ServerSpec, pinned
from settings import Settings

VERSION = "0.23.1"
"""The image's tag. The twin runs the PyPI package of the same version, see docs/adding-a-backend.md."""

IMAGE = f"ghcr.io/sooperset/mcp-atlassian:{VERSION}"

_PATH = "jira-mcp"
_PORT = 8000
_ENV = {
    "HOST": "0.0.0.0",  # noqa: S104 -- in its own container
    "PORT": str(_PORT),
    "TOOLSETS": "all",
    # Otherwise it takes the caller's token, here the gateway's, for a token of Jira and sends it there ...
    "IGNORE_HEADER_AUTH": "true",
    # ... and without this it then refuses every call.
    "ALLOW_GLOBAL_CRED_FALLBACK": "true",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_SHOW_SERVER_BANNER": "false",
}
_STREAMABLE = {"TRANSPORT": "streamable-http", "STREAMABLE_HTTP_PATH": "/mcp", "STATELESS": "true"}
# STATELESS would end a process with this transport.
_LEGACY = {"TRANSPORT": "sse", "FASTMCP_MESSAGE_PATH": f"/{_PATH}/messages/"}
_ORIGIN = "jira-sse-url"


def describe(settings: Settings) -> ContainerBackend:
    """Describes the server with its two processes."""
    return ContainerBackend(
        name="jira",
        title="Jira",
        path=_PATH,
        environment=environment_name(settings, "jira"),
        servers=(
            # Stateless: it has no sessions, any replica answers.
            _server(settings, "jira-http", _STREAMABLE, max_replicas=5),
            # Stateful: a message has to reach the replica that holds its event stream, so there is one.
            _server(settings, "jira-sse", _LEGACY, max_replicas=1, origin=_ORIGIN),
        ),
        routes=(
            *routes.streamable_http("/mcp"),
            *routes.legacy(
                sse="/sse",
                messages=_LEGACY["FASTMCP_MESSAGE_PATH"],
                below="/messages/",
                session_parameter="session_id",
                origin=_ORIGIN,
            ),
        ),
    )


def _server(
    settings: Settings,
    name: str,
    transport: Mapping[str, str],
    *,
    max_replicas: int,
    origin: str | None = None,
) -> ServerSpec:
    jira = settings.jira
    return ServerSpec(
        name=name,
        image=pinned(IMAGE, settings.jira_digest),
        port=_PORT,
        env={**_ENV, **transport, "JIRA_URL": jira.url, "JIRA_USERNAME": jira.username},
        secrets={"JIRA_API_TOKEN": jira.api_token},
        min_replicas=1,
        max_replicas=max_replicas,
        health="/healthz",
        origin=origin,
    )
