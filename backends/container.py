"""Any MCP server image: an entry of `containers` in the stack's configuration, or a preset."""

import re
from posixpath import dirname

from backends import routes
from backends.container_backend import ContainerBackend
from backends.environment import environment_name
from backends.server import ServerSpec
from configuration.container import Container, Process
from gateway.backend import Route
from settings import Settings

# https://semver.org, with the `v` that many tags begin with; a digest may follow.
_TAG = re.compile(r":v?(?P<version>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?:@|\Z)", re.ASCII)
_SUFFIXES = {"streamable-http": "http", "sse": "sse", "both": "both"}


def describe(settings: Settings, entry: Container) -> ContainerBackend:
    """Describes the server of an entry."""
    # A route that is not for the first process, or not below the backend's path, has a separate origin.
    separate = len(entry.processes) > 1
    origin = f"{entry.name}-sse-url" if separate or entry.root_messages else None
    return ContainerBackend(
        name=entry.name,
        title=entry.title,
        description=entry.description,
        version=_version(entry.image),
        path=entry.path,
        acts_as=entry.acts_as,
        scopes=entry.scopes,
        read_only_tools=entry.read_only_tools,
        environment=environment_name(settings, entry.name),
        servers=tuple(
            _server(entry, process, origin=None if process.transport == "streamable-http" else origin)
            for process in entry.processes
        ),
        routes=_routes(entry, origin=origin if separate else None),
        root_messages=(
            routes.at_root(
                name=entry.name,
                messages=entry.root_messages,
                origin=origin,
                session_parameter=entry.session_parameter,
            ),
        )
        if entry.root_messages and origin
        else (),
    )


def _version(image: str) -> str:
    """The version in an image's tag; 1.0.0 when the tag is not a version."""
    match = _TAG.search(image)
    return match["version"] if match else "1.0.0"


def _server(entry: Container, process: Process, *, origin: str | None) -> ServerSpec:
    return ServerSpec(
        name=f"{entry.name}-{_SUFFIXES[process.transport]}",
        image=entry.image,
        port=entry.port,
        command=entry.command,
        arguments=process.arguments,
        env=process.env,
        secrets=entry.secrets,
        cpu=entry.cpu,
        memory=entry.memory,
        min_replicas=process.min_replicas,
        max_replicas=process.max_replicas,
        health=entry.health,
        local_command=entry.local_command,
        origin=origin,
    )


def _routes(entry: Container, *, origin: str | None) -> tuple[Route, ...]:
    paths = entry.paths
    streamable = routes.streamable_http(paths.mcp) if paths.mcp else ()
    if not (paths.sse and paths.messages):
        return streamable
    return streamable + routes.legacy(
        sse=paths.sse,
        messages=paths.messages,
        below=_below(entry.path, paths.sse, paths.messages),
        session_parameter=entry.session_parameter,
        origin=origin,
    )


def _below(path: str, sse: str, messages: str) -> str:
    """The message path below the backend's path, as a client resolves it against the event stream's URL.

    A server announces a path that is relative to the stream, or an absolute path that begins with the
    server's path at the gateway.
    """
    own = f"/{path}/"
    if messages.startswith(own):
        return "/" + messages.removeprefix(own)
    return "/" + messages.removeprefix(dirname(sse)).lstrip("/")
