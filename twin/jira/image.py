"""Jira's server on this machine: the PyPI package `mcp-atlassian` contains what the image does."""

from functools import partial

from twin import mcp_atlassian
from twin.ports import LOOPBACK
from twin.process import answers
from twin.stand_in import Image, LocalCommand


def run(image: Image) -> LocalCommand:
    """What runs in place of the image.

    Raises:
        EnvironmentSetupError: the package is not installed.
        LocalImageError: see `Image.require`.
    """
    image.require(
        entry_point="mcp-atlassian",
        tag=mcp_atlassian.version(),
        where="requirements-mcp-atlassian.in and run `make lock`",
    )
    # It loads `.env` from its working directory, and variables from there win.
    (image.folder / ".env").unlink(missing_ok=True)
    # Last: arguments win over the environment, and later ones over earlier ones.
    here = ("--host", LOOPBACK, "--port", str(image.port))
    return LocalCommand(
        argv=(*mcp_atlassian.command(), *image.args, *here),
        # Otherwise the library searches for a newer version of itself at every start.
        env={"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_SHOW_SERVER_BANNER": "false", **image.env},
        folder=image.folder,
        ready=partial(answers, image.port, "/healthz"),
    )
