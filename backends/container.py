"""Any MCP server image, from an entry of `containers` in the stack's configuration."""

from posixpath import dirname

from backends import routes
from backends.backend import Backend, Route
from backends.server import Server, ServerArgs
from backends.site import Site
from configuration.container import Container, root_messages

_SUFFIXES = {"streamable-http": "http", "sse": "sse", "both": "both"}


def build(site: Site, entry: Container) -> Backend:
    """Declares the app of an entry and says how to reach it."""
    server = Server(
        f"{entry.name}-{_SUFFIXES[entry.transport]}",
        ServerArgs(
            platform=site.platform,
            environment=site.environments.of(entry.name),
            backend=entry.name,
            image=entry.image,
            port=entry.port,
            command=entry.command,
            arguments=entry.arguments,
            env=entry.env,
            secrets=entry.secrets,
            cpu=entry.cpu,
            memory=entry.memory,
            least=entry.least,
            most=entry.most,
            health=entry.health,
            local_command=entry.local_command,
        ),
    )
    announced = root_messages(entry)
    origin = f"{entry.name}-sse-url"
    return Backend(
        name=entry.name,
        title=entry.title,
        path=entry.path,
        url=server.url,
        audience=site.platform.caller.audience,
        routes=_routes(entry),
        root_messages=(
            routes.at_root(
                name=entry.name,
                messages=announced,
                origin=origin,
                session_parameter=entry.session_parameter,
            ),
        )
        if announced
        else (),
        origins={origin: server.url} if announced else {},
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
