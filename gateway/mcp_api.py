"""One MCP server's API at the gateway."""

from collections.abc import Iterable, Mapping, Sequence
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
    """The MCP server's routes. One policy serves them all: it checks tokens and says where each leads."""

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
                # The fragments come after every other value that the policy mentions.
                mentioned=(*args.host.fragments, *_origins(args)),
                operations=(*_routes(backend), *_preflights(backend)),
            ),
            parent=self,
        )
        self.register_outputs({})


def _origins(args: McpApiArgs) -> Iterable[pulumi.Resource]:
    return (args.origins[name] for name in dict.fromkeys(r.origin for r in args.backend.routes if r.origin))


def _routes(backend: Backend) -> Sequence[Operation]:
    return tuple(
        Operation(
            id=route.id,
            title=f"{route.method} {route.template}",
            method=route.method,
            template=route.template,
            policy=None,
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
