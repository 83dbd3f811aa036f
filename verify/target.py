"""The target of a verification: the URL of a gateway, and the expected state of the stack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from settings import ToolLock

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An MCP server behind the gateway.

    Attributes:
        name: name in the configuration, such as `slack`.
        title: name for users.
        path: path of its URLs at the gateway, without a slash at either end.
        streamable_http: whether clients can connect at the path itself.
        event_streams: URL templates below the path at which legacy clients connect, such as `/sse`.
        operations: methods and URL templates below the path.
        root_messages: paths below the gateway's root to which legacy clients may send messages.
        upstream_paths: the paths at the server itself.
        scopes: the scopes of tokens for the server.
        admits_users: whether signed-in users may call the server.
        permissions: the app roles for each tool, of which a caller needs one, by the name of the tool; `*` is
            for all tools without a rule of their own.
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
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Paths at the gateway at which clients connect, with a leading slash."""
        first = (self.at("/"),) if self.streamable_http else ()
        return (*first, *(self.at(template) for template in self.event_streams))

    @property
    def message_path(self) -> str:
        """The path at the gateway for messages of clients."""
        return next(self.at(template) for method, template in self.operations if method == "POST")

    def roles_for(self, tool: str) -> tuple[str, ...]:
        """The app roles for a tool, of which a caller needs one; empty if no role is needed."""
        return self.permissions.get(tool, self.permissions.get("*", ()))

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
    """The expected state of a stack.

    Attributes:
        servers: the MCP servers behind the gateway.
        audience: whether a token is valid at one server or at all servers.
        require_resource: whether clients must request tokens for a specific MCP server.
        allowed_origins: origins, in addition to the gateway's own, whose pages may call MCP servers.
        local: whether the stack is local; a local stack also allows pages on loopback.
        apis: the APIs by id.
        issuer_path: path in the URL of the issuer: empty, or a slash and the path prefix.
        shared: True if the service has another owner, whose APIs, policies and fragments are not compared.
        tags: the tags of the stack's apps, if these are not in the resource group of the service.
        documents: rendered policies and fragments, by their id below the API Management service, such as
            `apis/oauth/policies/policy` or `policyFragments/mcp-token`.
        named_values: whether each named value is secret, by its name.
        tool_lock: the treatment of tools that differ from the reviewed ones.
    """

    servers: tuple[Server, ...]
    audience: Literal["backend", "gateway"]
    require_resource: bool
    allowed_origins: tuple[str, ...]
    local: bool
    apis: Mapping[str, Api]
    documents: Mapping[str, str] = field(repr=False)
    named_values: Mapping[str, bool]
    issuer_path: str = ""
    shared: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    tool_lock: ToolLock = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """The stack's resources in Azure, as far as they are known; missing values are looked up.

    Attributes:
        url: origin of Azure Resource Manager, or of the twin's control port, which has the same API.
        local: whether `url` is that of a twin.
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
        expected: the expected state.
        azure: the resources of the stack in Azure.
    """

    url: str
    stack: str
    expected: Expectation
    azure: Azure

    @property
    def issuer(self) -> str:
        """URL of the authorization server, without a trailing slash."""
        return f"{self.url}{self.expected.issuer_path}"

    @property
    def server_origins(self) -> tuple[str, ...]:
        """Origins whose pages may call MCP servers."""
        loopback = ("http://localhost:6274",) if self.expected.local else ()
        return (self.url, *self.expected.allowed_origins, *loopback)


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def control_url(url: str) -> str:
    """The URL of a twin's control port, which is the port after the gateway's; see docs/twin.md."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{(parts.port or 80) + 1}"
