"""How known container images run on a machine without a container engine: the same server, as a process."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

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
    port: int,
    folder: Path,
) -> LocalCommand | None:
    """How an image runs here, or None if the twin does not know it.

    Args:
        image: its reference, such as `ghcr.io/sooperset/mcp-atlassian:0.23.1`, with or without a digest.
        command: what the declaration has instead of the image's entry point; usually empty.
        args: what it has instead of the image's arguments; empty for the image's own.
        env: the container's environment with secrets resolved.
        port: where it is to listen on 127.0.0.1.
        folder: for the process alone; made when it is missing.

    Raises:
        LocalImageError: the image is known, but not in this version or with this command.
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
            port=port,
            folder=folder.resolve(),
            without_credentials=without_credentials,
        )
    )
    return replace(local, stand_in=registration.service) if without_credentials else local
