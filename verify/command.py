"""The command line of the verification."""

import asyncio
import json
import logging
import webbrowser
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from verify import report
from verify.progress import Progress
from verify.readings import readings
from verify.resource_manager import AzureCredential, LocalCredential, ResourceManager
from verify.run import all_checks, run
from verify.session import Durations, Session
from verify.stack import Options, TargetError, find_target
from verify.target import Azure, Target

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_WIDTH = 100
"""Width of a report that is written to a file or a pipe."""


@app.command()
def verify(
    url: Annotated[
        str | None,
        typer.Argument(help="URL of the gateway; by default the output gatewayUrl of the stack."),
    ] = None,
    *,
    stack: Annotated[str, typer.Option(help="The stack; Pulumi.<stack>.yaml contains its settings.")] = "dev",
    config: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Overrides a setting of the stack's file.")
    ] = None,
    server: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this MCP server; may be repeated.")
    ] = None,
    sign_in: Annotated[bool, typer.Option(help="Sign in, and run the checks that need a token.")] = True,
    browser: Annotated[
        bool, typer.Option(help="Open the browser; otherwise only print the URL of the page.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    stream_seconds: Annotated[
        float, typer.Option(min=1, help="Seconds for which streams must stay open.")
    ] = 60,
    call_seconds: Annotated[float, typer.Option(min=1, help="Seconds that the slow call takes.")] = 45,
    sign_in_seconds: Annotated[float, typer.Option(min=1, help="Seconds that a sign-in may take.")] = 300,
    subscription: Annotated[
        str | None, typer.Option(metavar="ID", help="Azure subscription; by default it is looked up.")
    ] = None,
    resource_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Resource group; by default it is looked up.")
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="API Management service; by default it is looked up by its URL."),
    ] = None,
    resource_manager: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Azure Resource Manager, or the control port of a local twin."),
    ] = None,
) -> None:
    """Checks a running stack from outside and through Azure Resource Manager.

    The exit status is 0 if no check failed, 1 if one failed, and 2 if the stack cannot be determined.
    """
    try:
        target = find_target(
            Options(
                url=url,
                stack=stack,
                config=_pairs(config or []),
                servers=tuple(server or ()),
                azure=Azure(subscription=subscription, resource_group=resource_group, service=service),
                resource_manager=resource_manager,
            )
        )
    except TargetError as error:
        _fail(str(error))
    durations = Durations(stream=stream_seconds, call=call_seconds, sign_in=sign_in_seconds)
    # The report contains the details that the SDK would log.
    logging.disable(logging.CRITICAL)
    succeeded = asyncio.run(_verify(target, durations, sign_in=sign_in, browser=browser, as_json=as_json))
    raise typer.Exit(0 if succeeded else 1)


async def _verify(
    target: Target, durations: Durations, *, sign_in: bool, browser: bool, as_json: bool
) -> bool:
    output, errors = _console(stderr=False), _console(stderr=True)

    def open_page(purpose: str, page: str) -> None:
        opened = browser and webbrowser.open(page)
        progress.ask_to_sign_in(purpose, page, opened=opened)

    session = Session(target=target, durations=durations, open_browser=open_page if sign_in else None)
    credential = LocalCredential() if target.azure.local else AzureCredential()
    manager = ResourceManager(target.azure.url, credential, session.http)
    checks = all_checks(target.expected, manager)
    with Progress(errors, checks) as progress:
        rows = await run(checks, session, progress.listen)
    observed = readings(session, rows)
    if as_json:
        typer.echo(json.dumps(report.as_json(target, rows, observed), indent=2))
    else:
        report.show(output, target, rows, observed)
    return report.succeeded(rows)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            _fail("--config must be KEY=VALUE, such as --config sku=StandardV2.")
        pairs[key] = value
    return pairs


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(2)
