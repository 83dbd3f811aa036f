"""Plans one MCP server's API at the gateway."""

from collections.abc import Sequence

from gateway import policy
from gateway.api import Api, Operation
from gateway.backend import Backend
from settings import Settings


def plan_mcp_api(settings: Settings, backend: Backend) -> Api:
    """The MCP server's routes. One policy handles them all: it checks tokens and says where each leads."""
    return Api(
        id=f"{backend.name}-mcp",
        name=backend.name,
        title=f"{backend.title} MCP server",
        description=f"The MCP server {backend.title}, for holders of a token of this gateway.",
        path=backend.path,
        backend=backend.name,
        policy=policy.render("mcp/api.xml.j2", settings=settings, backend=backend),
        operations=(*_routes(backend), *_preflights(backend)),
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
    """API Management answers a preflight only where an operation takes it; the API's policy does the rest."""
    return tuple(
        Operation(
            id="-".join(("preflight", *template.strip("/").split("/"))).rstrip("-"),
            title=f"OPTIONS {template}",
            method="OPTIONS",
            template=template,
        )
        for template in dict.fromkeys(route.template for route in backend.routes)
    )
