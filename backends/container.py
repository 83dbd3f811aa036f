"""Any MCP server image, from an entry of `containers` in the stack's configuration."""

from posixpath import dirname

from backends import routes
from backends.container_backend import ContainerBackend
from backends.environment import environment_name
from backends.server import ServerSpec
from configuration.container import Container, root_messages
from gateway.backend import Route
from settings import Settings

_SUFFIXES = {"streamable-http": "http", "sse": "sse", "both": "both"}


def describe(settings: Settings, entry: Container) -> ContainerBackend:
    """Describes the server of an entry."""
    announced = root_messages(entry)
    origin = f"{entry.name}-sse-url" if announced else None
    return ContainerBackend(
        name=entry.name,
        title=entry.title,
        path=entry.path,
        scopes=entry.scopes,
        environment=environment_name(settings, entry.name),
        servers=(
            ServerSpec(
                name=f"{entry.name}-{_SUFFIXES[entry.transport]}",
                image=entry.image,
                port=entry.port,
                command=entry.command,
                arguments=entry.arguments,
                env=entry.env,
                secrets=entry.secrets,
                cpu=entry.cpu,
                memory=entry.memory,
                min_replicas=entry.least,
                max_replicas=entry.most,
                health=entry.health,
                local_command=entry.local_command,
                origin=origin,
            ),
        ),
        routes=_routes(entry),
        root_messages=(
            routes.at_root(
                name=entry.name,
                messages=announced,
                origin=origin,
                session_parameter=entry.session_parameter,
            ),
        )
        if announced and origin
        else (),
    )


def _routes(entry: Container) -> tuple[Route, ...]:
    paths = entry.paths
    streamable = routes.streamable_http(paths.mcp) if paths.mcp else ()
    if not (paths.sse and paths.messages):
        return streamable
    return streamable + routes.legacy(
        sse=paths.sse,
        messages=paths.messages,
        below=_below(entry.path, paths.sse, paths.messages),
        session_parameter=entry.session_parameter,
    )


def _below(path: str, sse: str, messages: str) -> str:
    """The message path below the backend's, as a client finds it from the event stream's address.

    A server announces it relative to the stream, or from the root and below the gateway's path to it.
    """
    own = f"/{path}/"
    if messages.startswith(own):
        return "/" + messages.removeprefix(own)
    return "/" + messages.removeprefix(dirname(sse)).lstrip("/")
