"""Runs the MCP server for Jira without a container, from the PyPI package that its image contains."""

from functools import partial

from twin import mcp_atlassian
from twin.process import is_responding
from twin.stand_in import Image, LocalCommand


def run(image: Image) -> LocalCommand:
    """The command that runs the server without its image.

    Raises:
        EnvironmentSetupError: the package is not installed.
        LocalImageError: see `Image.require`.
    """
    image.require(
        entry_point="mcp-atlassian",
        tag=mcp_atlassian.version(),
        where="requirements-mcp-atlassian.in and run `make lock`",
    )
    # The server loads `.env` from its working directory, and its values override environment variables.
    (image.folder / ".env").unlink(missing_ok=True)
    # Arguments override environment variables, and later arguments override earlier ones. Therefore these are
    # last.
    address = ("--host", image.address.host, "--port", str(image.address.port))
    return LocalCommand(
        argv=(*mcp_atlassian.command(), *image.args, *address),
        # Otherwise the library searches for a newer version of itself at every start.
        env={"FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_SHOW_SERVER_BANNER": "false", **image.env},
        folder=image.folder,
        ready=partial(is_responding, image.address, "/healthz"),
    )
