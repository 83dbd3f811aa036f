"""The twin's command line.

Modules that are slow to import are imported in the commands that need them.
"""

import os
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    help="A local twin of the deployment: runs the declared resources on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


_STARTED = time.monotonic()
_PORT = 8000
_FORWARD_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback()
def twin() -> None:
    """A local twin of the deployment: runs the declared resources on this machine."""


@app.command()
def up(
    *,
    port: Annotated[
        int,
        typer.Option(
            min=1024, max=65500, help="The gateway's port; the other services use the ports after it."
        ),
    ] = _PORT,
    stack: Annotated[str, typer.Option(help="The stack whose Pulumi.<stack>.yaml is used.")] = "dev",
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the state that survives a restart.",
            show_default=".twin, or .twin/<port> on another port",
        ),
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Overrides a setting of the stack.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Reads a secret setting from the environment: slackBotToken from SLACK_BOT_TOKEN.",
        ),
    ] = None,
    secrets_file: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Reads secret settings from a file with lines KEY=VALUE."),
    ] = None,
    reading: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=OPTION",
            help="The assumed behaviour of Azure; docs/readings.md lists the options.",
        ),
    ] = None,
    agents: Annotated[
        bool,
        typer.Option("--agents", help="Admit agents to the project's servers, regardless of `access`."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the logs of the services.")] = False,
) -> None:
    """Runs a stack on this machine until Ctrl-C."""
    from apim.readings import ReadingError, Readings  # noqa: PLC0415 - see above
    from twin.plan import Options  # noqa: PLC0415 - see above
    from twin.secret_input import SecretInputError, read_secrets  # noqa: PLC0415 - see above
    from twin.session import run_foreground  # noqa: PLC0415 - see above

    try:
        readings = Readings.parse(reading or [])
    except ReadingError as error:
        _fail(f"--reading: {error}")
    try:
        secrets = read_secrets(secret or [], secrets_file or [])
    except SecretInputError as error:
        _fail(str(error))
    options = Options(
        port=port,
        stack=stack,
        state=state or (Path(".twin") if port == _PORT else Path(".twin") / str(port)),
        config=_pairs("--config", config or []),
        secrets=secrets,
        admit_agents=agents,
        readings=readings,
    )
    run_foreground(options, started=_STARTED, verbose=verbose)


@app.command()
def restart(
    name: Annotated[str, typer.Argument(help="The server: functions, slack, slack-http, ...")],
    *,
    port: Annotated[int, typer.Option(min=1024, max=65500, help="The gateway's port of the twin.")] = _PORT,
) -> None:
    """Restarts an MCP server of a running twin, with its current files and command."""
    from twin import restart_command  # noqa: PLC0415 - see above

    try:
        restart_command.restart(name, port)
    except restart_command.NotRestartedError as error:
        _fail(str(error))


@app.command(context_settings=_FORWARD_ARGUMENTS)
def inspector(context: typer.Context) -> None:
    """Runs MCP Inspector with this project's Node.js; all arguments are passed to it."""
    from twin.node import NodeError, environment, node, script  # noqa: PLC0415 - see above

    try:
        launcher = script("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    except NodeError as error:
        _fail(str(error))
    command = [str(node()), str(launcher), *context.args]
    os.execve(command[0], command, environment())  # noqa: S606 - no shell is wanted


@app.command()
def lint(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Policy documents; by default the rendered documents of the stack."
        ),
    ] = None,
    *,
    stack: Annotated[
        str, typer.Option(help="The stack whose policies are checked if no file is given.")
    ] = "dev",
    sku: Annotated[str, typer.Option(help="The tier of the service.")] = "BasicV2",
    named_value: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A declared named value. If none is given, every name is accepted."
        ),
    ] = None,
    scope: Annotated[str, typer.Option(help="global, api or operation.")] = "operation",
    streams: Annotated[
        bool, typer.Option("--streams", help="The API streams responses, so no policy may buffer them.")
    ] = False,
    protected: Annotated[bool, typer.Option("--protected", help="The API requires a token.")] = False,
    body_bytes: Annotated[
        int, typer.Option(min=0, help="Number of bytes of each body that diagnostics log.")
    ] = 0,
) -> None:
    """Checks policies. Exit status: 0 without findings, 1 with findings, 2 for invalid input."""
    from twin import lint_command  # noqa: PLC0415 - see above

    if scope not in {"global", "api", "operation"}:
        _fail(f"--scope must be global, api or operation, not {scope}.", status=2)
    options = lint_command.Options(
        sku=sku,
        named_values=tuple(named_value) if named_value else None,
        scope=scope,
        streams=streams,
        protected=protected,
        body_bytes=body_bytes,
    )
    try:
        findings = lint_command.check_files(files, options) if files else lint_command.check_stack(stack)
    except lint_command.UnusableError as error:
        _fail(str(error), status=2)
    lint_command.show(findings)
    raise typer.Exit(1 if findings else 0)


@app.command(name="eval")
def evaluate(
    expression: Annotated[
        str | None, typer.Argument(metavar="[EXPRESSION]", help="'@(...)' or '@{...}'.")
    ] = None,
    *,
    context: Annotated[Path | None, typer.Option(help="A JSON file with the content of `context`.")] = None,
    cases: Annotated[Path | None, typer.Option(help="A JSON file of cases with expected results.")] = None,
) -> None:
    """Evaluates a policy expression, or a file of cases.

    Prints the value and its .NET type, or the exception, or why and where the expression is rejected.

    The file of --context (all members are optional):
    {"request": {"method", "url", "headers": {"Name": ["value"]}, "body", "matchedParameters": {}},
    "response": {"status", "reason", "headers", "body"}, "variables": {"name": value}};
    a variable that is an object or an array becomes a JToken.

    The file of --cases: {"context": {...}, "cases": [{"form": "@(...)", "type": "Int32", "value": "3"}]},
    with "throws" or "compile_error" instead of type and value.

    Exit status: 1 if the expression is rejected or throws, or if a case has another result; 2 for invalid
    input.
    """
    from twin import eval_command  # noqa: PLC0415 - see above

    if (expression is None) == (cases is None):
        _fail("pass an expression or --cases FILE: python -m twin eval '@(1 + 1)'", status=2)
    try:
        passed = (
            eval_command.compare_file(cases)
            if cases is not None
            else eval_command.evaluate(expression or "", context)
        )
    except eval_command.UnusableError as error:
        _fail(str(error), status=2)
    raise typer.Exit(0 if passed else 1)


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            _fail(f"{option} takes KEY=VALUE, such as {option} sku=StandardV2.")
        pairs[key] = value
    return pairs


def _fail(message: str, status: int = 1) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(status)
