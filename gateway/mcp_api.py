"""One MCP server's API at the gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from backends.backend import Backend
from gateway import api, policy
from gateway.api import Host, Operation
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class McpApiArgs:
    """What `McpApi` needs.

    Attributes:
        host: where the API is created.
        settings: the stack's settings.
        backend: the MCP server.
        origins: the named values of further origins, by name.
    """

    host: Host
    settings: Settings
    backend: Backend
    origins: Mapping[str, pulumi.Resource]


class McpApi(pulumi.ComponentResource):
    """The MCP server's routes. The API's policy checks tokens, each route's says where it goes."""

    def __init__(self, name: str, args: McpApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:McpApi", name, None, opts)
        backend = args.backend
        api.declare(
            name,
            api.Api(
                host=args.host,
                api_id=f"{backend.name}-mcp",
                title=f"{backend.title} MCP server",
                description=f"The MCP server {backend.title}, for holders of a token of this gateway.",
                path=backend.path,
                service_url=backend.url,
                policy=policy.render("mcp/api.xml.j2", settings=args.settings, backend=backend),
                operations=(*_routes(args), *_preflights(backend)),
            ),
            parent=self,
        )
        self.register_outputs({})


def _routes(args: McpApiArgs) -> Sequence[Operation]:
    settings, backend = args.settings, args.backend
    return tuple(
        Operation(
            id=route.id,
            title=f"{route.method} {route.template}",
            method=route.method,
            template=route.template,
            policy=policy.render("mcp/operation.xml.j2", settings=settings, backend=backend, route=route),
            named_values=(args.origins[route.origin],) if route.origin else (),
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
            policy=None,
        )
        for template in dict.fromkeys(route.template for route in backend.routes)
    )
