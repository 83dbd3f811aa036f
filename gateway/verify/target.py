"""What is verified: the address of a gateway, and what the stack's configuration says must be there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An MCP server behind the gateway.

    Attributes:
        name: its name in the configuration, such as `slack`.
        title: what people read.
        path: first segment of its URLs at the gateway, without slashes.
        streamable_http: whether a client may begin at the path itself.
        event_streams: URL templates below the path at which a legacy client may begin, such as `/sse`.
        operations: methods and URL templates below the path.
        root_messages: paths below the gateway's root at which a legacy client may have to send messages.
        upstream_paths: the paths at the server behind the gateway.
        scopes: the scopes of its tokens.
        admits_users: whether users who signed in may call it.
    """

    name: str
    title: str
    path: str
    streamable_http: bool
    event_streams: tuple[str, ...]
    operations: tuple[tuple[str, str], ...]
    root_messages: tuple[str, ...]
    upstream_paths: tuple[str, ...]
    scopes: tuple[str, ...]
    admits_users: bool

    @property
    def entrances(self) -> tuple[str, ...]:
        """Paths at the gateway at which a client may begin, with a leading slash."""
        first = (self.at("/"),) if self.streamable_http else ()
        return (*first, *(self.at(template) for template in self.event_streams))

    @property
    def message_path(self) -> str:
        """The path at the gateway that takes messages of clients."""
        return next(self.at(template) for method, template in self.operations if method == "POST")

    def at(self, template: str) -> str:
        """The path at the gateway of an operation, with a leading slash."""
        return f"/{self.path}{'' if template == '/' else template}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An API of the plan.

    Attributes:
        path: first segments of its URLs, without slashes; empty for the root.
        operations: method and URL template of each operation, by its id.
    """

    path: str
    operations: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the configuration of a stack says must be deployed.

    Attributes:
        servers: the MCP servers behind the gateway.
        audience: whether a token opens one server or all of them.
        require_resource: whether clients must name the MCP server that they want.
        allowed_origins: origins, in addition to the gateway's own, whose pages may call MCP servers.
        local: whether the stack is a local one; such a stack also admits pages on loopback.
        apis: by id.
        documents: rendered policies and fragments, by their id below the API Management service, such as
            `apis/oauth/policies/policy` or `policyFragments/mcp-token`.
        named_values: names of the named values; the value says whether it is secret.
    """

    servers: tuple[Server, ...]
    audience: Literal["backend", "gateway"]
    require_resource: bool
    allowed_origins: tuple[str, ...]
    local: bool
    apis: Mapping[str, Api]
    documents: Mapping[str, str] = field(repr=False)
    named_values: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """Where the stack is in Azure, as far as it is known; what is missing is looked up.

    Attributes:
        url: origin of Azure Resource Manager, or of the twin's control port, which answers like it.
        local: whether it is the twin's.
        subscription: id of the subscription.
        resource_group: name of the resource group.
        service: name of the API Management service.
    """

    url: str = "https://management.azure.com"
    local: bool = False
    subscription: str | None = None
    resource_group: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One stack.

    Attributes:
        url: origin of the gateway, without a trailing slash.
        stack: name of the stack.
        expected: what must be there.
        azure: where it is in Azure.
    """

    url: str
    stack: str
    expected: Expectation
    azure: Azure

    @property
    def server_origins(self) -> tuple[str, ...]:
        """Origins whose pages may call MCP servers."""
        loopback = ("http://localhost:6274",) if self.expected.local else ()
        return (self.url, *self.expected.allowed_origins, *loopback)


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def control_url(url: str) -> str:
    """The address of a twin's control port: the one after the gateway's, see docs/twin.md."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{(parts.port or 80) + 1}"
