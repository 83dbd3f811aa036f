"""What the gateway needs to know of an MCP server, whatever it runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of an MCP server: where clients send it and where it goes.

    Attributes:
        id: the operation's id in API Management.
        method: HTTP method.
        template: URL template below the backend's path ("/", "/sse", "/message").
        upstream: path at the server.
        streaming: whether the answer may be an event stream.
        origin: name of the named value with the server's origin, when it is not the backend's `url`.
        session_parameter: the query parameter that carries the id of a legacy event stream's session.
    """

    id: str
    method: str
    template: str
    upstream: str
    streaming: bool
    origin: str | None = None
    session_parameter: str | None = None

    @property
    def destination(self) -> tuple[str, str, str]:
        """What is the same of routes that lead to one place in one way; it can be sorted."""
        return self.origin or "", self.upstream, self.session_parameter or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One MCP server on its way into the gateway.

    Attributes:
        name: unique short name; part of resource names.
        title: what people read on the consent page.
        path: the first segment of its URLs at the gateway, without slashes.
        url: origin of the server (`https://host`), without a path.
        audience: the resource for which the gateway's identity asks a token to prove itself.
        routes: its operations.
        root_messages: where a legacy server that announces a path at the root of the host takes messages;
            templates are below the gateway's root, and each names its `origin`.
        origins: what else of it the policies have to know: origins of servers by the name of the named value
            that holds them, for the routes that say so.
        access: who may call it.
        outputs: what it adds to the stack's outputs, by name; never its URL.
    """

    name: str
    title: str
    path: str
    url: pulumi.Output[str]
    audience: pulumi.Output[str]
    routes: tuple[Route, ...]
    root_messages: tuple[Route, ...] = ()
    origins: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    access: Literal["users", "agents", "keys"] = "users"
    outputs: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)

    @property
    def has_streamable_http(self) -> bool:
        """Whether a client may begin at the path itself."""
        return any(route.template == "/" for route in self.routes)

    @property
    def entrances(self) -> tuple[str, ...]:
        """Templates, beside the path itself, at which a client may begin: those of legacy event streams."""
        return tuple(
            route.template for route in self.routes if route.method == "GET" and route.template != "/"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """An MCP server of somebody else's, which is no part of the deployment: clients go there directly.

    Attributes:
        name: its name in the configuration and the outputs.
        title: what people read.
        url: where it takes streamable HTTP.
    """

    name: str
    title: str
    url: str
