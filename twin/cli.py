"""The twin's command line.

Whatever takes long to import is imported by the command that needs it.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="A local twin of the deployment: the declared resources, brought to life on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


_STARTED = time.monotonic()
_PORT = 8000
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback()
def twin() -> None:
    """A local twin of the deployment: the declared resources, brought to life on this machine."""


@app.command()
def up(
    *,
    port: Annotated[int, typer.Option(min=1024, max=65500, help="The gateway's; others follow it.")] = _PORT,
    stack: Annotated[str, typer.Option(help="The stack whose Pulumi.<stack>.yaml is used.")] = "dev",
    state: Annotated[
        Path | None,
        typer.Option(
            help="Where it keeps what survives a restart.",
            show_default=".twin, or .twin/<port> on another port",
        ),
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Overrides a setting of the stack.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="The same for a secret setting.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the services log.")] = False,
) -> None:
    """Runs a stack on this machine until Ctrl-C."""
    from twin.plan import Options  # noqa: PLC0415 - see above
    from twin.session import hold  # noqa: PLC0415 - see above

    options = Options(
        port=port,
        stack=stack,
        state=state or (Path(".twin") if port == _PORT else Path(".twin") / str(port)),
        config=_pairs("--config", config or []),
        secrets=_pairs("--secret", secret or []),
    )
    hold(options, started=_STARTED, verbose=verbose)


@app.command(context_settings=_PASS_ON)
def inspector(context: typer.Context) -> None:
    """Runs MCP Inspector, with the Node.js that belongs to this project; all arguments are its own."""
    from twin.node import NodeError, environment, node, script  # noqa: PLC0415 - see above

    try:
        launcher = script("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    except NodeError as error:
        _fail(str(error))
    command = [str(node()), str(launcher), *context.args]
    os.execve(command[0], command, environment())  # noqa: S606 - no shell is wanted


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            _fail(f"{option} takes KEY=VALUE, such as {option} sku=StandardV2.")
        pairs[key] = value
    return pairs


def _fail(message: str) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)
