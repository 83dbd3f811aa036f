"""The interface of the packages of stand-ins. Each has a constant `STAND_IN`, which `twin.stand_ins` lists.

A stand-in is a small local service that replaces an external service, such as Slack, for an MCP server
without real credentials. Each package has the same files: `image` (runs the server's image on this
machine), `service` (start and stop), `app` (HTTP), `api` (the operations), `store` and `records` (its
data, from `data.yaml`), `shapes` (the JSON of responses), `errors`. The stand-in for a hosted service, which
runs no image, has at least `service`, `records` and `errors`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from configuration.presets import PRESETS
from configuration.reader import NOT_READ
from configuration.setting import Secret
from twin.azure.identifiers import Seed
from twin.clock import Clock
from twin.connection import Connection
from twin.ports import Address
from twin.request_log import RequestLog

PLACEHOLDERS = frozenset(
    {
        "",
        NOT_READ,
        *(
            credential.placeholder
            for preset in PRESETS.values()
            for credential in preset.credentials
            if isinstance(credential.setting, Secret)
        ),
    }
)
"""Values of a declared credential which mean that the stack has no real credential."""


class LocalImageError(Exception):
    """A known image cannot run on this machine as it is declared; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCommand:
    """The command that runs instead of a container.

    Attributes:
        argv: path of the program, and its arguments; no secrets.
        env: all environment variables of the process, without those of its stand-in.
        folder: working directory and home directory of the process, which no other process uses.
        stand_in: name of the service whose stand-in the process uses; None if it has real credentials.
        ready: checks once whether the process is ready; it may raise `OSError` if it is not.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    stand_in: str | None = None
    ready: Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A declared container image, with the address and folder of the process that runs instead of it.

    Attributes:
        reference: the image reference with its tag or digest.
        tag: tag in the reference; None without one.
        command: the declared command, which replaces the entry point of the image; usually empty.
        args: the declared arguments, which replace those of the image; empty to keep the arguments of the
            image.
        env: the environment variables of the process, with secrets resolved.
        address: the address at which the process must listen.
        folder: working directory and home directory of the process.
        without_credentials: True if the stack has no real credentials, so that the process uses the stand-in.
    """

    reference: str
    tag: str | None
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    address: Address
    folder: Path
    without_credentials: bool

    def require(self, *, entry_point: str, tag: str, where: str) -> None:
        """Checks that the local program corresponds to the declaration.

        Args:
            entry_point: entry point of the image.
            tag: tag of the version that is installed here.
            where: the file to change and the command to run to install another version.

        Raises:
            LocalImageError: the declaration is different.
        """
        if self.command not in {(), (entry_point,)}:
            raise LocalImageError(
                f"the twin runs {self.reference} only with the image's entry point {entry_point!r}, and the "
                f"stack declares the command {list(self.command)}: remove it, or add the command to `local`"
            )
        if self.tag is not None and self.tag != tag:
            raise LocalImageError(
                f"the stack declares {self.reference}, but on this machine version {tag} is installed: "
                f"declare that tag, or change {where}"
            )


class HostedStandIn(Protocol):
    """A stand-in that can be started.

    Attributes:
        name: name of the stand-in in messages.
        request_log: the requests that it received.
    """

    name: str
    request_log: RequestLog

    def reset(self) -> None:
        """Discards changes and recorded requests."""
        ...

    async def start(self) -> None:
        """Starts serving requests.

        Raises:
            OSError: a port is in use.
        """
        ...

    async def wait(self) -> str:
        """Waits until the stand-in fails; returns the reason."""
        ...

    async def stop(self) -> None:
        """Stops the stand-in."""
        ...


class StandIn(HostedStandIn, Protocol):
    """A stand-in that is used by an MCP server on this machine."""

    def environment(self) -> dict[str, str]:
        """The environment variables that connect an MCP server to the stand-in, including its credentials."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInArgs:
    """Arguments of a stand-in.

    Attributes:
        ports: the ports on 127.0.0.1, one for each purpose in `Registration.ports`.
        folder: folder for files that MCP servers read.
        clock: the clock for the times of changes.
    """

    ports: tuple[int, ...]
    folder: Path
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An external service with a stand-in, and the MCP server that uses it.

    Attributes:
        service: name of the service, such as `slack`.
        title: name of the service in messages.
        repository: repository of the server's image, without tag and digest.
        credential: the environment variable with the secret of the server.
        ports: the purposes of the stand-in's ports.
        run: returns the command that runs instead of the image; it may raise `LocalImageError`, `NodeError`
            and `EnvironmentSetupError`.
        create: creates the stand-in. It imports the rest of the package, which few commands need.
    """

    service: str
    title: str
    repository: str
    credential: str
    ports: tuple[str, ...]
    run: Callable[[Image], LocalCommand]
    create: Callable[[StandInArgs], StandIn]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentService:
    """The configuration of the stand-in for Foundry.

    Attributes:
        connections: the connections of the project.
        identity: principal id and client id of the identity of the agents.
        admits: returns whether a token gives access to the project.
        token: returns a token of the identity of the agents for an audience.
    """

    connections: tuple[Connection, ...]
    identity: tuple[str, str]
    admits: Callable[[str], bool]
    token: Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedArgs:
    """Arguments of a stand-in for a hosted service.

    Attributes:
        port: the port on 127.0.0.1.
        clock: the clock for the times of changes.
        token: the token that the stand-in accepts, a secret; empty if the registration has no token.
        agents: the configuration of the stand-in for Foundry.
    """

    port: int
    clock: Clock
    token: str = field(repr=False)
    agents: AgentService


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that the stand-in for a hosted service accepts.

    Attributes:
        setting: the secret setting of the stack with the token.
        create: returns the token of the twin, derived from its seed.
    """

    setting: str
    create: Callable[[Seed], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedRegistration:
    """A hosted service with a stand-in, which clients use directly: no MCP server on this machine uses it.

    Attributes:
        service: name of the service, such as `github`.
        title: name of the service in messages.
        settings: returns the settings with which a stack uses the stand-in. Its arguments are the URL of the
            stand-in and the id of the subscription.
        token: the token that the stand-in accepts; None if it accepts tokens of Entra.
        create: creates the stand-in. It imports the rest of the package, which few commands need.
    """

    service: str
    title: str
    settings: Callable[[str, str], Mapping[str, str]]
    token: Token | None = None
    create: Callable[[HostedArgs], HostedStandIn]
