"""The command line of the demo."""

import logging
import sys
from typing import Annotated

import typer
from rich.console import Console

from agent_demo.error import AgentError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def agent(
    *,
    stack: Annotated[
        str | None, typer.Option(help="A deployed stack, whose outputs the Pulumi CLI reads.")
    ] = None,
    url: Annotated[
        str, typer.Option(help="Of a local twin's gateway; used without --stack.")
    ] = "http://localhost:8000",
    backend: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this MCP server; may be repeated.")
    ] = None,
    list_tools: Annotated[bool, typer.Option("--list-tools", help="List the tools, and leave.")] = False,
    ask: Annotated[str | None, typer.Option(metavar="TEXT", help="Ask one question, and leave.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Approve every call without asking. Use it with care.")
    ] = False,
) -> None:
    """Talks with an agent of Microsoft Foundry that uses the MCP servers of a stack.

    Exit status 0 if it worked; 1 if not, or if a call was not made because no person could approve it.
    """
    if ask is not None and list_tools:
        raise typer.BadParameter("it cannot be combined with --list-tools.", param_hint="--ask")
    if ask is not None and not ask.strip():
        raise typer.BadParameter("the question is empty.", param_hint="--ask")
    # The SDKs log what they also raise.
    logging.disable(logging.CRITICAL)
    # Imported here, because the SDKs take a while, and --help needs none of them.
    from agent_demo.agent import Agent  # noqa: PLC0415
    from agent_demo.settings import of_stack, of_twin  # noqa: PLC0415
    from agent_demo.terminal import Terminal  # noqa: PLC0415

    console = Console(highlight=False)
    interactive = sys.stdin.isatty()
    terminal = Terminal(console, interactive=interactive, approve_all=yes)
    try:
        settings = of_twin(url) if stack is None else of_stack(stack)
        terminal.show_service(settings)
        chosen = Agent(settings, tuple(backend or ()))
        servers = chosen.read_tools()
        terminal.show_servers(servers, tools=list_tools)
        if list_tools:
            raise typer.Exit(1 if any(each.problem for each in servers) else 0)
        with chosen.conversation(servers) as conversation:
            if ask is None:
                terminal.talk(conversation)
            elif not terminal.ask(conversation, ask):
                raise typer.Exit(1)
    except AgentError as error:
        terminal.show_error(error)
        raise typer.Exit(1) from None
