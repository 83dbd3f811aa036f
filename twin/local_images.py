"""How known container images run on a machine without a container engine: the same server, as a process.

The npm package `slack-mcp-server` and the PyPI package `mcp-atlassian` hold what their images hold. Without
real credentials they talk to `twin.slack` and `twin.jira`.
"""

import asyncio
import platform
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from twin import mcp_atlassian
from twin.node import NodeError, package_version, script
from twin.ports import LOOPBACK
from twin.process import base_environment, listening

SLACK_IMAGE = "ghcr.io/korotovsky/slack-mcp-server"
JIRA_IMAGE = "ghcr.io/sooperset/mcp-atlassian"

PLACEHOLDERS = frozenset({"", "twin", "xoxb-twin"})
"""Values of a declared credential that stand for none: the twin then uses its stand-ins."""

StandIn = Literal["slack", "jira"]

_SLACK_PACKAGE = "slack-mcp-server"
_GO_NAMES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_REFERENCE = re.compile(
    r"(?P<repository>[^@\s]+?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class LocalImageError(Exception):
    """An image is known and yet cannot run here as it is declared; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCommand:
    """What to run instead of a container.

    Attributes:
        argv: the program, by path, and its arguments; no secrets.
        env: its whole environment. If it needs a stand-in, that one's `environment()` has to be laid over it.
        folder: its working directory and home, its own.
        stand_in: which of the twin's stand-ins it talks to; None when it has real credentials.
        ready: one look whether it serves; it may raise `OSError` for no.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    stand_in: StandIn | None
    ready: Callable[[], Awaitable[bool]]


def local_command(
    image: str,
    command: Sequence[str],
    args: Sequence[str],
    env: Mapping[str, str],
    *,
    port: int,
    folder: Path,
) -> LocalCommand | None:
    """How an image runs here, or None if the twin does not know it.

    Args:
        image: its reference, such as `ghcr.io/sooperset/mcp-atlassian:0.23.1`, with or without a digest.
        command: what the declaration has in place of the image's entry point; usually empty.
        args: what it has in place of the image's arguments; empty for the image's own.
        env: the container's environment with secrets resolved.
        port: where it is to listen on 127.0.0.1.
        folder: for the process alone; made when it is missing.

    Raises:
        LocalImageError: the image is known, but not in this version or with this command.
        NodeError, EnvironmentSetupError: the program is not installed.
    """
    match = _REFERENCE.fullmatch(image)
    if match is None:
        raise LocalImageError(f"{image!r} is no image reference; write for example {JIRA_IMAGE}:0.23.1")
    make = _KNOWN.get(match["repository"])
    if make is None:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = base_environment() | {"HOME": str(folder)} | dict(env)
    return make(_Container(image, match["tag"], tuple(command), tuple(args), private, port, folder.resolve()))


@dataclass(frozen=True, slots=True)
class _Container:
    image: str
    tag: str | None
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    port: int
    folder: Path

    def require(self, *, entry_point: str, tag: str, where: str) -> None:
        """Makes sure that what runs here is what the declaration says.

        Raises:
            LocalImageError: it would be something else.
        """
        if self.command not in {(), (entry_point,)}:
            raise LocalImageError(
                f"the twin runs {self.image} with its own entry point {entry_point!r} only, and the stack "
                f"declares the command {list(self.command)}: remove it, or say what to run in `local`"
            )
        if self.tag is not None and self.tag != tag:
            raise LocalImageError(
                f"the stack declares {self.image}, but on this machine version {tag} is installed: "
                f"declare that tag, or change {where}"
            )


def _slack(container: _Container) -> LocalCommand:
    container.require(
        entry_point="mcp-server",
        tag=f"v{package_version(f'{_SLACK_PACKAGE}-linux-amd64')}",
        where=f"{_SLACK_PACKAGE}-linux-amd64 in package.json and run `npm install`",
    )
    stand_in: StandIn | None = (
        "slack" if container.env.get("SLACK_MCP_XOXB_TOKEN", "") in PLACEHOLDERS else None
    )
    ready: Callable[[], Awaitable[bool]] = partial(listening, container.port)
    if stand_in is not None:
        # It listens before it knows users and channels; then it has written these files, which outlive it.
        shutil.rmtree(container.folder / ".cache", ignore_errors=True)
        ready = partial(_knows_channels, container.port, container.folder)
    return LocalCommand(
        argv=(str(_slack_program()), *(container.args or ("--transport", "sse"))),
        env=container.env | {"SLACK_MCP_HOST": LOOPBACK, "SLACK_MCP_PORT": str(container.port)},
        folder=container.folder,
        stand_in=stand_in,
        ready=ready,
    )


def _jira(container: _Container) -> LocalCommand:
    container.require(
        entry_point="mcp-atlassian",
        tag=mcp_atlassian.version(),
        where="requirements-mcp-atlassian.in and run `make lock`",
    )
    # From its working directory it loads `.env`, and lets that override its environment.
    (container.folder / ".env").unlink(missing_ok=True)
    # Said last: arguments win over the environment, and later ones over earlier ones.
    here = ("--host", LOOPBACK, "--port", str(container.port))
    return LocalCommand(
        argv=(*mcp_atlassian.command(), *container.args, *here),
        # The library's search for a newer version of itself at every start is of no use to anybody.
        env={"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_SHOW_SERVER_BANNER": "false"} | container.env,
        folder=container.folder,
        stand_in="jira" if container.env.get("JIRA_API_TOKEN", "") in PLACEHOLDERS else None,
        ready=partial(_healthy, container.port),
    )


_KNOWN: Mapping[str, Callable[[_Container], LocalCommand]] = {SLACK_IMAGE: _slack, JIRA_IMAGE: _jira}


def _slack_program() -> Path:
    """The Go program itself: the package's command is a Node program that leaves it behind when killed.

    Raises:
        NodeError: it is not installed.
        LocalImageError: there is none for this machine.
    """
    system = {"win32": "windows"}.get(sys.platform, sys.platform)
    machine = _GO_NAMES.get(platform.machine().lower(), platform.machine())
    package = f"{_SLACK_PACKAGE}-{system}-{machine}"
    try:
        version = package_version(package)
    except NodeError:
        if found := shutil.which(_SLACK_PACKAGE):
            return Path(found)
        version = package_version(f"{_SLACK_PACKAGE}-linux-amd64")
        raise LocalImageError(
            f"package-lock.json has Slack's server for linux on amd64 only, not for {system} on {machine}. "
            "Take slack out of `backends` for this run, such as with\n"
            "    .venv/bin/python -m twin up --config 'backends=[\"functions\"]'\n"
            f"  or put the program {_SLACK_PACKAGE} {version} for this machine on your PATH: "
            f"https://github.com/korotovsky/{_SLACK_PACKAGE}/releases"
        ) from None
    return script(package, f"bin/{package}{'.exe' if system == 'windows' else ''}")


async def _knows_channels(port: int, folder: Path) -> bool:
    written = any((folder / ".cache").rglob("*channels_cache*.json"))
    return written and await listening(port)


async def _healthy(port: int) -> bool:
    """Whether `GET /healthz` answers 200."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()
