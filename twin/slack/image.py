"""Runs the MCP server for Slack without a container, from the npm package of the program in its image."""

import platform
import shutil
import sys
from functools import partial
from pathlib import Path

from twin.node import NodeError, package_version, script
from twin.ports import Address
from twin.process import is_listening
from twin.stand_in import Image, LocalCommand, LocalImageError

_PACKAGE = "slack-mcp-server"
_GO_NAMES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def run(image: Image) -> LocalCommand:
    """The command that runs the server without its image.

    Raises:
        NodeError: the package is not installed.
        LocalImageError: see `Image.require`; or the package has no program for this operating system and
            processor.
    """
    image.require(
        entry_point="mcp-server",
        tag=f"v{package_version(f'{_PACKAGE}-linux-amd64')}",
        where=f"{_PACKAGE}-linux-amd64 in package.json and run `npm install`",
    )
    # The server listens before it has loaded users and channels. It stores them in these files, whose
    # existence therefore shows that it is ready. Files of an earlier run are deleted.
    if image.without_credentials:
        shutil.rmtree(image.folder / ".cache", ignore_errors=True)
    return LocalCommand(
        argv=(str(_program()), *(image.args or ("--transport", "sse"))),
        env={
            **image.env,
            "SLACK_MCP_HOST": image.address.host,
            "SLACK_MCP_PORT": str(image.address.port),
        },
        folder=image.folder,
        ready=(
            partial(_has_loaded_channels, image.address, image.folder)
            if image.without_credentials
            else partial(is_listening, image.address)
        ),
    )


def _program() -> Path:
    """The path of the Go program.

    The command of the package is a Node.js program, which does not stop the Go program when it is killed
    itself.

    Raises:
        NodeError: it is not installed.
        LocalImageError: the package has no program for this operating system and processor.
    """
    system = {"win32": "windows"}.get(sys.platform, sys.platform)
    machine = _GO_NAMES.get(platform.machine().lower(), platform.machine())
    package = f"{_PACKAGE}-{system}-{machine}"
    try:
        version = package_version(package)
    except NodeError:
        if path := shutil.which(_PACKAGE):
            return Path(path)
        version = package_version(f"{_PACKAGE}-linux-amd64")
        raise LocalImageError(
            f"package-lock.json has Slack's server for linux on amd64 only, not for {system} on {machine}. "
            "Remove slack from `backends` for this run, for example:\n"
            "    .venv/bin/python -m twin up --config 'backends=[\"functions\"]'\n"
            f"  or put the program {_PACKAGE} {version} for this machine on your PATH: "
            f"https://github.com/korotovsky/{_PACKAGE}/releases"
        ) from None
    return script(package, f"bin/{package}{'.exe' if system == 'windows' else ''}")


async def _has_loaded_channels(address: Address, folder: Path) -> bool:
    written = any((folder / ".cache").rglob("*channels_cache*.json"))
    return written and await is_listening(address)
