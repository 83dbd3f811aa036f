"""The description of an MCP server that is a container image: an entry of `containers`, or a preset."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from configuration.access import Access
from configuration.tool_rule import ToolRule

ActsAs = Literal["user", "shared"]
Transport = Literal["streamable-http", "sse", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The paths at a server.

    Attributes:
        mcp: path of streamable HTTP; None if the server does not support it.
        sse: path of the event stream of the legacy transport; None if the server does not support it.
        messages: path for messages, which the event stream announces; None without an event stream.
    """

    mcp: str | None = None
    sse: str | None = None
    messages: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a server, which runs in its own Container App.

    Attributes:
        transport: the transport at the port of the process.
        arguments: replace the arguments of the image; empty to keep them.
        env: environment variables, without secrets.
        min_replicas: minimum number of replicas.
        max_replicas: maximum number of replicas.
    """

    transport: Transport
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    min_replicas: int = 1
    max_replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One MCP server that is a container image.

    Attributes:
        name: unique name, which is a part of resource names.
        title: name on the consent page.
        description: purpose of the server, in at most 100 characters; empty for none.
        image: reference of the image, pinned by version or digest.
        port: port on which the server listens.
        path: path of its URLs at the gateway, without a slash at either end.
        paths: the paths at the server.
        processes: one process, or two: first the one with streamable HTTP, then the one with the legacy
            transport.
        message_variable: the environment variable that sets the message path; empty if there is none.
        session_parameter: the query parameter with the session id in the message path; None without one.
        health: path that returns status 200 if the server is healthy; None to check only that the port is
            open.
        command: replaces the entry point of the image; empty to keep it.
        secrets: the secret environment variables of every process, with their values.
        cpu: cores of a replica.
        memory: such as `0.5Gi`.
        access: the kinds of callers that may call the server.
        acts_as: the account that its tools use: the account of the signed-in user, or an account that all
            users share.
        scopes: the scopes of tokens for the server, the default scope first; empty for the server's name as
            the only scope.
        tools: the rule for each tool, by the name of the tool, or `*` for all other tools.
        read_only_tools: names of tools that only read, for servers that do not declare this themselves.
        calls_per_minute: calls of one user per minute; None for the stack's `callsPerMinute`.
        local_command: command that the twin runs instead of the image; empty if the twin knows the image.
    """

    name: str
    title: str
    description: str = ""
    image: str
    port: int
    path: str
    paths: Paths
    processes: tuple[Process, ...]
    message_variable: str = ""
    session_parameter: str | None = None
    health: str | None = None
    command: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    cpu: float = 0.25
    memory: str = "0.5Gi"
    access: tuple[Access, ...] = ("users",)
    acts_as: ActsAs = "shared"
    scopes: tuple[str, ...] = ()
    tools: Mapping[str, ToolRule] = field(default_factory=dict)
    read_only_tools: tuple[str, ...] = ()
    calls_per_minute: int | None = None
    local_command: tuple[str, ...] = ()

    @property
    def root_messages(self) -> str | None:
        """The message path at the root of the gateway, which the event streams of the server announce.

        None if the server announces no message path, or one below its own path at the gateway.
        """
        path = self.paths.messages
        return None if path is None or path.startswith(f"/{self.path}/") else path

    def with_prefix(self, prefix: str) -> "Container":
        """A copy of the server whose URLs at the gateway are below a path prefix, which may be empty.

        The message path is also below the prefix if an environment variable sets it.
        """
        if not prefix:
            return self
        path, messages = f"{prefix}/{self.path}", self.paths.messages
        moved = replace(self, path=path)
        if messages is None or not self.message_variable:
            return moved
        messages = f"/{path}/{messages.removeprefix(f'/{self.path}/')}"
        return replace(
            moved,
            paths=replace(self.paths, messages=messages),
            processes=tuple(
                replace(process, env={**process.env, self.message_variable: messages})
                if self.message_variable in process.env
                else process
                for process in self.processes
            ),
        )

    def without_event_streams(self) -> "Container":
        """A copy of the server with streamable HTTP only, without the process of the legacy transport."""
        return replace(
            self,
            paths=Paths(mcp=self.paths.mcp),
            processes=tuple(process for process in self.processes if process.transport != "sse"),
            session_parameter=None,
        )
