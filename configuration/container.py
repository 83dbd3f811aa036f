"""The description of an MCP server in a container image: an entry of `containers`, or a preset."""

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
        mcp: streamable HTTP; None when it has none.
        sse: the event stream of the legacy transport, or None.
        messages: the path for messages that the stream announces, or None.
    """

    mcp: str | None = None
    sse: str | None = None
    messages: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a server, which runs in its own Container App.

    Attributes:
        transport: the transport at its port.
        arguments: replace the image's arguments; empty for the image's own.
        env: its environment variables, without secrets.
        least: minimum number of replicas.
        most: maximum number of replicas.
    """

    transport: Transport
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    least: int = 1
    most: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One MCP server that is a container image.

    Attributes:
        name: unique; part of resource names.
        title: its name on the consent page.
        description: its purpose, in at most 100 characters; empty for none.
        image: reference of the image, pinned by version or digest.
        port: port on which it listens.
        path: the path of its URLs at the gateway, without slashes at its ends.
        paths: the paths at the server.
        processes: one process, or one for each transport: streamable HTTP, then the legacy one.
        message_variable: the environment variable that sets its message path; empty when none does.
        session_parameter: the query parameter of its message path with the session id; None without one.
        health: path that answers with 200 when it is healthy; None to check only that the port is open.
        command: replaces the image's entry point; empty for the image's own.
        secrets: secret environment variables of every process, with values.
        cpu: cores of a replica.
        memory: such as `0.5Gi`.
        access: the kinds of callers that may call it.
        acts_as: the account with which its tools act: the signed-in user's, or one that all users share.
        scopes: the scopes of its tokens, the default one first; empty for its name as the only scope.
        tools: what a caller needs to call a tool, by its name, or `*` for all others.
        read_only_tools: names of tools that only read; used if the server does not declare them.
        calls_per_minute: calls of one user; None for the stack's `callsPerMinute`.
        local_command: command that the twin runs instead of the image; empty if the twin has a stand-in for
            it.
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
        """The path at the gateway's root that its event streams announce.

        None if it announces none, or one below its own path, which its API handles.
        """
        path = self.paths.messages
        return None if path is None or path.startswith(f"/{self.path}/") else path

    def below(self, prefix: str) -> "Container":
        """The server with its URLs at the gateway below a path prefix, which may be empty.

        Its message path moves with them if an environment variable sets it.
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
        """The server with streamable HTTP only, without the processes of the legacy transport."""
        return replace(
            self,
            paths=Paths(mcp=self.paths.mcp),
            processes=tuple(process for process in self.processes if process.transport != "sse"),
            session_parameter=None,
        )
