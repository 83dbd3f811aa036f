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
        str | None, typer.Option(help="A deployed stack; the Pulumi CLI reads its outputs.")
    ] = None,
    url: Annotated[
        str, typer.Option(help="URL of a local twin's gateway; used without --stack.")
    ] = "http://localhost:8000",
    backend: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this MCP server; may be repeated.")
    ] = None,
    list_tools: Annotated[bool, typer.Option("--list-tools", help="List the tools and exit.")] = False,
    ask: Annotated[str | None, typer.Option(metavar="TEXT", help="Ask one question and exit.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Approve every call without asking. Use with care.")
    ] = False,
) -> None:
    """Talks with an agent of Microsoft Foundry that uses the MCP servers of a stack.

    The exit status is 0 on success, and 1 on an error or if a call was not made because no person could
    approve it.
    """
    if ask is not None and list_tools:
        raise typer.BadParameter("cannot be combined with --list-tools; use one of them.", param_hint="--ask")
    if ask is not None and not ask.strip():
        raise typer.BadParameter("the question is empty; write it after --ask in quotes.", param_hint="--ask")
    # The SDKs log the errors that they raise.
    logging.disable(logging.CRITICAL)
    # Imported here, because importing the SDKs takes long and --help does not need them.
    from agent_demo.agent import Agent  # noqa: PLC0415
    from agent_demo.settings import read_stack, read_twin  # noqa: PLC0415
    from agent_demo.terminal import Terminal  # noqa: PLC0415

    console = Console(highlight=False)
    interactive = sys.stdin.isatty()
    terminal = Terminal(console, interactive=interactive, approve_all=yes)
    try:
        settings = read_twin(url) if stack is None else read_stack(stack)
        terminal.show_service(settings)
        demo_agent = Agent(settings, tuple(backend or ()))
        servers = demo_agent.read_tools()
        terminal.show_servers(servers, tools=list_tools)
        if list_tools:
            raise typer.Exit(1 if any(server_tools.problem for server_tools in servers) else 0)
        with demo_agent.conversation(servers) as conversation:
            if ask is None:
                terminal.talk(conversation)
            elif not terminal.ask(conversation, ask):
                raise typer.Exit(1)
    except AgentError as error:
        terminal.show_error(error)
        raise typer.Exit(1) from None
