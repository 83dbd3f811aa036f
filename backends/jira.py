"""Jira: https://github.com/sooperset/mcp-atlassian, as it is.

One process speaks one transport, so there are two apps. Two containers in one app would not do: an app has
one HTTP port at its ingress, and additional port mappings are TCP, past the built-in authentication.
"""

from collections.abc import Mapping

import pulumi

from backends import routes
from backends.backend import Backend
from backends.server import Server, ServerArgs
from backends.site import Site

VERSION = "0.23.1"
"""The image's tag. The twin runs the PyPI package of the same version, see docs/adding-a-backend.md."""

IMAGE = f"ghcr.io/sooperset/mcp-atlassian:{VERSION}"

_PATH = "jira-mcp"
_PORT = 8000
_ENV = {
    "HOST": "0.0.0.0",  # noqa: S104 -- in its own container
    "PORT": str(_PORT),
    "TOOLSETS": "all",
    # Otherwise it takes the token of whoever calls it, here the gateway's, for Jira's and sends it there ...
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


def build(site: Site) -> Backend:
    """Declares the two apps and says how to reach them."""
    # Stateless: no session, any replica answers.
    url = _server(site, "jira-http", _STREAMABLE, most=5)
    # Stateful: a message has to reach the replica that holds its event stream, so there is one.
    sse_url = _server(site, "jira-sse", _LEGACY, most=1)
    return Backend(
        name="jira",
        title="Jira",
        path=_PATH,
        url=url,
        audience=site.platform.caller.audience,
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
        origins={_ORIGIN: sse_url},
    )


def _server(site: Site, name: str, transport: Mapping[str, str], *, most: int) -> pulumi.Output[str]:
    jira = site.settings.jira
    return Server(
        name,
        ServerArgs(
            platform=site.platform,
            environment=site.environments.of("jira"),
            backend="jira",
            image=site.pinned(IMAGE, site.settings.jira_digest),
            port=_PORT,
            env={**_ENV, **transport, "JIRA_URL": jira.url, "JIRA_USERNAME": jira.username},
            secrets={"JIRA_API_TOKEN": jira.api_token},
            least=1,
            most=most,
            health="/healthz",
        ),
    ).url
