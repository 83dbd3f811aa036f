"""Plans the API of an MCP server, and the forwarding of messages that clients send to the gateway's root."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway import policy
from gateway.api import Api, Operation, Product
from gateway.backend import Backend, Route
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RootMessages:
    """A path at the gateway's root for messages to legacy servers.

    Attributes:
        template: the path.
        listeners: the servers, each with its route.
    """

    template: str
    listeners: tuple[tuple[Backend, Route], ...]

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The servers that receive messages at this path."""
        return tuple(backend for backend, _ in self.listeners)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of these servers, in the same order."""
        return tuple(route for _, route in self.listeners)

    @property
    def by_parameter(self) -> Mapping[str, tuple[Backend, ...]]:
        """The query parameters of sessions, each with the servers that use it."""
        servers: dict[str, list[Backend]] = {}
        for backend, route in self.listeners:
            if route.session_parameter:
                servers.setdefault(route.session_parameter, []).append(backend)
        return {parameter: tuple(backends) for parameter, backends in servers.items()}


def root_messages(backends: Sequence[Backend]) -> tuple[RootMessages, ...]:
    """The paths at the gateway's root for messages to servers."""
    messages: dict[str, list[tuple[Backend, Route]]] = {}
    for backend in backends:
        for route in backend.root_messages:
            messages.setdefault(route.template, []).append((backend, route))
    return tuple(
        RootMessages(template=template, listeners=tuple(listeners))
        for template, listeners in messages.items()
    )


def plan_mcp_api(settings: Settings, backend: Backend) -> Api:
    """The API of an MCP server. One policy for all routes checks tokens and sets the server's URL."""
    return Api(
        id=f"{backend.name}-mcp",
        name=backend.name,
        title=f"{backend.title} MCP server",
        description=f"The MCP server {backend.title}, for callers with a token of this gateway.",
        path=backend.path,
        backend=backend.name,
        policy=policy.render(
            "mcp/api.xml.j2", prefix=settings.path_prefix, settings=settings, backend=backend
        ),
        operations=(*_routes(backend), *_preflights(backend)),
    )


def plan_product(backend: Backend) -> Product:
    """The product whose keys give access to the MCP server."""
    return Product(
        id=backend.product,
        title=f"{backend.title} MCP server: keys",
        description=f"Subscription keys for the MCP server {backend.title}.",
        api=f"{backend.name}-mcp",
        backend=backend.name,
    )


def _routes(backend: Backend) -> Sequence[Operation]:
    return tuple(
        Operation(
            id=route.id,
            title=f"{route.method} {route.template}",
            method=route.method,
            template=route.template,
        )
        for route in backend.routes
    )


def _preflights(backend: Backend) -> Sequence[Operation]:
    """Operations for preflights, which API Management answers only if an operation matches."""
    return tuple(
        Operation(
            id="-".join(("preflight", *template.strip("/").split("/"))).rstrip("-"),
            title=f"OPTIONS {template}",
            method="OPTIONS",
            template=template,
        )
        for template in dict.fromkeys(route.template for route in backend.routes)
    )
