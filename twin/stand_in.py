"""What the package of a stand-in provides: `STAND_IN`, which `twin.stand_ins` lists.

A stand-in is a small local service in place of an external one, such as Slack. An MCP server without real
credentials talks to it. Each package has the same files: `image` (how the server's image runs on this
machine), `service` (start and stop), `app` (HTTP), `api` (what the service answers), `store` and `records`
(its data, from `data.yaml`), `shapes` (how answers are written), `errors`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from configuration.presets import PRESETS
from configuration.reader import NOT_READ
from configuration.setting import Secret
from twin.arrivals import Arrivals
from twin.clock import Clock
from twin.connection import Connection

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
"""Values of a declared credential that mean that there is none."""


class LocalImageError(Exception):
    """An image is known but cannot run here as it is declared; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCommand:
    """What to run instead of a container.

    Attributes:
        argv: the program, by path, and its arguments; no secrets.
        env: its whole environment; a stand-in's `environment()` has to be added.
        folder: its working directory and home, its own.
        stand_in: name of the service whose stand-in it talks to; None when it has real credentials.
        ready: checks once whether it serves; it may raise `OSError` if not.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    stand_in: str | None = None
    ready: Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A container image that a stack declares, and where its process is to run.

    Attributes:
        reference: with its tag or digest.
        tag: its tag, if it has one.
        command: what the declaration has instead of the image's entry point; usually empty.
        args: what it has instead of the image's arguments; empty for the image's own.
        env: the process's environment with secrets resolved.
        port: where it is to listen on 127.0.0.1.
        folder: its working directory and home.
        without_credentials: whether it talks to the stand-in.
    """

    reference: str
    tag: str | None
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    port: int
    folder: Path
    without_credentials: bool

    def require(self, *, entry_point: str, tag: str, where: str) -> None:
        """Makes sure that what runs here is what the declaration says.

        Args:
            entry_point: of the image.
            tag: of the version that is installed here.
            where: what to change to install another version.

        Raises:
            LocalImageError: the declaration says something else.
        """
        if self.command not in {(), (entry_point,)}:
            raise LocalImageError(
                f"the twin runs {self.reference} with its own entry point {entry_point!r} only, and the "
                f"stack declares the command {list(self.command)}: remove it, or say what to run in `local`"
            )
        if self.tag is not None and self.tag != tag:
            raise LocalImageError(
                f"the stack declares {self.reference}, but on this machine version {tag} is installed: "
                f"declare that tag, or change {where}"
            )


class HostedStandIn(Protocol):
    """A stand-in that can be started.

    Attributes:
        name: in messages.
        arrivals: what it was sent.
    """

    name: str
    arrivals: Arrivals

    def reset(self) -> None:
        """Deletes what was changed and what was received."""
        ...

    async def start(self) -> None:
        """Serves.

        Raises:
            OSError: a port is taken.
        """
        ...

    async def wait(self) -> str:
        """Waits until it ends by itself; returns the reason."""
        ...

    async def stop(self) -> None:
        """Ends it."""
        ...


class StandIn(HostedStandIn, Protocol):
    """A stand-in that an MCP server uses, which runs on this machine."""

    def environment(self) -> dict[str, str]:
        """The variables that make an MCP server use it; they contain its credentials."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInArgs:
    """What a stand-in needs.

    Attributes:
        ports: on 127.0.0.1, one for each of its purposes.
        folder: for files that MCP servers read.
        clock: stamps what is changed.
    """

    ports: tuple[int, ...]
    folder: Path
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An external service that has a stand-in, and the MCP server that uses it.

    Attributes:
        service: the service's name, such as `slack`.
        title: the same for people.
        repository: of the server's image, without tag and digest.
        credential: the variable in which the server receives its secret.
        ports: what the stand-in's ports are for.
        run: what runs in place of the image; it may raise `LocalImageError`, `NodeError` and
            `EnvironmentSetupError`.
        create: makes the stand-in. It imports the rest of the package, which few commands need.
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
    """What the stand-in for Foundry knows and may do.

    Attributes:
        connections: of its project.
        identity: principal id and client id of its agents' identity.
        admits: whether a token opens the project.
        token: a token of the agents' identity for an audience.
    """

    connections: tuple[Connection, ...]
    identity: tuple[str, str]
    admits: Callable[[str], bool]
    token: Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedArgs:
    """What a stand-in for a hosted service needs.

    Attributes:
        port: on 127.0.0.1.
        clock: stamps what is changed.
        github_token: the token that GitHub's accepts; a secret.
        agents: what Foundry's knows and may do.
    """

    port: int
    clock: Clock
    github_token: str = field(repr=False)
    agents: AgentService


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedRegistration:
    """A service that has a stand-in, and that no MCP server on this machine uses.

    Attributes:
        service: the service's name, such as `github`.
        title: the same for people.
        create: makes the stand-in. It imports the rest of the package, which few commands need.
    """

    service: str
    title: str
    create: Callable[[HostedArgs], HostedStandIn]
