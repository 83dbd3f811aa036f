"""The description of an MCP server: the interface between `gateway` and `backends`.

Everything here is known before the first resource exists. Values that a deployment adds are in
`gateway.backend_context`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from settings import OTHER_TOOLS, Access, ToolRule


def group_role(group: str) -> str:
    """The value of the app role that the members of a group have."""
    return f"group.{group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of an MCP server: its URL at the gateway and its URL at the server.

    Attributes:
        id: the operation's id in API Management.
        method: HTTP method.
        template: URL template below the backend's path ("/", "/sse", "/message").
        upstream: path at the server.
        streaming: whether the response may be an event stream.
        origin: name of the named value with the server's origin; None for the backend's main server.
        session_parameter: the query parameter with the session id of a legacy event stream.
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
        """A sortable key that is equal for routes that are forwarded in the same way."""
        return self.origin or "", self.upstream, self.session_parameter or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One MCP server behind the gateway.

    Attributes:
        name: unique short name; part of resource names.
        title: its name on the consent page.
        description: its purpose, in at most 100 characters; empty for none.
        version: version of its entry in the registry.
        path: the path of its URLs at the gateway, with the stack's path prefix, without slashes at its ends.
        routes: its operations.
        root_messages: routes for messages to a legacy server that announces a path at the root of the host;
            their templates are below the gateway's root, and each route has an `origin`.
        access: the kinds of callers that may call it.
        acts_as: the account with which its tools call the service behind it: the account of the signed-in
            user, or an account that all users share.
        scopes: the scopes of tokens for it; the first is the default. Without scopes, its name is its only
            scope. No two backends of a stack have a scope in common.
        tools: the rules for calling its tools, by the name of the tool; `OTHER_TOOLS` is the rule for all
            other tools. Empty when every caller of the backend may call all of its tools.
        read_only_tools: names of tools that only read, for agents; used if the server does not declare them.
        pinned: the only tools that the gateway admits, by name, with a digest of their title and
            description; None if it admits all tools.
    """

    name: str
    title: str
    description: str = ""
    version: str = "1.0.0"
    path: str
    routes: tuple[Route, ...]
    root_messages: tuple[Route, ...] = ()
    access: tuple[Access, ...] = ("users",)
    acts_as: Literal["user", "shared"] = "user"
    scopes: tuple[str, ...] = ()
    tools: Mapping[str, ToolRule] = field(default_factory=dict)
    read_only_tools: tuple[str, ...] = ()
    pinned: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not self.scopes:
            object.__setattr__(self, "scopes", (self.name,))

    @property
    def default_scope(self) -> str:
        """The scope that is granted to a client that requests none of the backend's scopes."""
        return self.scopes[0]

    @property
    def admits_users(self) -> bool:
        """Whether signed-in users may call it."""
        return "users" in self.access

    @property
    def admits_agents(self) -> bool:
        """Whether principals of Entra may call it on their own behalf."""
        return "agents" in self.access

    @property
    def admits_keys(self) -> bool:
        """Whether holders of its subscription key may call it."""
        return "keys" in self.access

    def permissions(self, tool: str) -> tuple[str, ...]:
        """The values of the app roles for a tool with a rule; a caller needs one of them."""
        rule = self.tools[tool]
        return tuple(value for value in (rule.role, group_role(rule.group) if rule.group else "") if value)

    @property
    def checks_tools(self) -> bool:
        """Whether the gateway reads which tool a message calls."""
        return bool(self.tools) or self.pinned is not None

    @property
    def requirements(self) -> Mapping[str, tuple[str, ...]]:
        """The requirements of each tool: a scope ("" for none), then app roles, of which a caller needs one.

        `OTHER_TOOLS` has the requirements of tools that are not listed. If the tools are pinned, all of them
        are listed.
        """
        listed = {name: (rule.scope, *self.permissions(name)) for name, rule in self.tools.items()}
        if self.pinned is None:
            return listed
        others = listed.get(OTHER_TOOLS, ("",))
        ignoring_case = {name.lower(): needed for name, needed in listed.items()}
        return {name: ignoring_case.get(name.lower(), others) for name in self.pinned}

    @property
    def tool_roles(self) -> tuple[str, ...]:
        """The values of all app roles that its rules name."""
        return tuple(dict.fromkeys(value for tool in self.tools for value in self.permissions(tool)))

    @property
    def product(self) -> str:
        """Id of the API Management product whose subscription keys give access to it."""
        return f"{self.name}-keys"

    @property
    def audience(self) -> str:
        """Name of the named value with the audience of tokens that the gateway sends to its servers."""
        return f"{self.name}-audience"

    @property
    def named_values(self) -> tuple[str, ...]:
        """Names of the named values that its deployment provides: the audience, and origins of routes."""
        origins = (route.origin for route in (*self.routes, *self.root_messages) if route.origin)
        return tuple(dict.fromkeys((self.audience, *origins)))

    @property
    def has_streamable_http(self) -> bool:
        """Whether clients can connect to the path itself, with streamable HTTP."""
        return any(route.template == "/" for route in self.routes)

    @property
    def event_stream_paths(self) -> tuple[str, ...]:
        """The templates at which clients can open an event stream of HTTP+SSE."""
        return tuple(
            route.template for route in self.routes if route.method == "GET" and route.template != "/"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """An MCP server of another organisation, which is not deployed: clients connect to it directly.

    Attributes:
        name: its name in the configuration and the outputs.
        title: its name for users.
        description: its purpose, in at most 100 characters.
        version: version of its entry in the registry.
        url: its URL for streamable HTTP.
        connection: name of the connection through which agents of the Foundry project reach it, or None.
    """

    name: str
    title: str
    description: str
    version: str = "1.0.0"
    url: str
    connection: str | None = None
