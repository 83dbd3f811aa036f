"""Runs the servers in known container images as processes, without a container engine."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from twin.ports import Address
from twin.process import base_environment
from twin.stand_in import PLACEHOLDERS, Image, LocalCommand, LocalImageError
from twin.stand_ins import stand_in_of

_REFERENCE = re.compile(
    r"(?P<repository>[^@\s]+?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def local_command(
    image: str,
    command: Sequence[str],
    args: Sequence[str],
    env: Mapping[str, str],
    *,
    address: Address,
    folder: Path,
) -> LocalCommand | None:
    """The command to run instead of an image, or None if the twin does not know the image.

    Args:
        image: reference of the image, such as `ghcr.io/sooperset/mcp-atlassian:0.23.1`.
        command: the declared command, which replaces the entry point of the image; usually empty.
        args: the declared arguments, which replace those of the image; empty to keep the arguments of the
            image.
        env: the environment variables of the container, with secrets resolved.
        address: the address at which the server must listen.
        folder: working directory of the process; created if it does not exist.

    Raises:
        LocalImageError: the image is known, but the twin does not support its version or the declared
            command.
        NodeError, EnvironmentSetupError: the program is not installed.
    """
    match = _REFERENCE.fullmatch(image)
    if match is None:
        raise LocalImageError(
            f"{image!r} is not an image reference; an example is ghcr.io/example/notes-mcp:1.0.0"
        )
    registration = stand_in_of(match["repository"])
    if registration is None:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    without_credentials = env.get(registration.credential, "") in PLACEHOLDERS
    local = registration.run(
        Image(
            reference=image,
            tag=match["tag"],
            command=tuple(command),
            args=tuple(args),
            env=base_environment() | {"HOME": str(folder)} | dict(env),
            address=address,
            folder=folder.resolve(),
            without_credentials=without_credentials,
        )
    )
    return replace(local, stand_in=registration.service) if without_credentials else local
