"""The output and the prompts of the demo."""

import contextlib
import json
import os
import unicodedata
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape

from agent_demo.conversation import (
    ApprovalRequest,
    ConsentRequest,
    Conversation,
    ConversationEvent,
    TextDelta,
    ToolCalled,
)
from agent_demo.error import AgentError
from agent_demo.settings import AgentSettings
from agent_demo.tools import ServerTools

# Importing readline adds a history and editing keys to `input`. A dumb terminal does not support them, and
# Windows has its own.
if os.environ.get("TERM") != "dumb":
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401

_EXIT_WORDS = frozenset({"exit", "quit", "bye"})
_ANSWERS = {"y": True, "yes": True, "": False, "n": False, "no": False}


class Terminal:
    """A conversation at a terminal, or one question from a script.

    Args:
        console: the console to print to.
        interactive: whether a person can answer prompts.
        approve_all: whether calls that need an approval are approved without asking.
    """

    def __init__(self, console: Console, *, interactive: bool, approve_all: bool) -> None:
        self._console = console
        self._interactive = interactive
        self._approve_all = approve_all

    def show_service(self, settings: AgentSettings) -> None:
        """Shows which agent service is used."""
        if settings.stand_in:
            self._line(
                "[yellow]This is the twin's stand-in for the agent service: it has no model and selects "
                "tools by rules.[/yellow]"
            )
            self._line(
                "Write a tool's name, or words of it, and arguments as name=value, for example: "
                "[bold]jira search jql='project = BUOY'[/bold]"
            )
        else:
            self._line(f"Foundry project {escape(settings.endpoint)}, model {escape(settings.model)}.")

    def show_servers(self, servers: Sequence[ServerTools], *, tools: bool) -> None:
        """Shows the servers and tools that the agent can use, and the reasons why it cannot use the others.

        Args:
            servers: all servers.
            tools: whether to list every tool.
        """
        for server_tools in servers:
            self._show_server(server_tools)
            if tools:
                for tool in server_tools.tools or ():
                    kind = "read-only" if tool.read_only else "needs approval"
                    text = escape(one_line(tool.description))
                    self._row(f"    {escape(one_line(tool.name))} [dim]({kind})[/dim] {text}")
            for name, reason in server_tools.left_out.items():
                self._line(
                    f"    [yellow]left out:[/yellow] {escape(one_line(name))}: {escape(one_line(reason))}"
                )

    def _show_server(self, server_tools: ServerTools) -> None:
        title = f"[bold]{escape(server_tools.server.title)}[/bold] ({escape(server_tools.server.name)})"
        if server_tools.problem is not None:
            self._line(f"[red]✗[/red] {title}: {escape(printable(server_tools.problem))}")
        elif server_tools.tools is None:
            self._line(
                f"[green]✓[/green] {title}: through the connection "
                f"{escape(str(server_tools.server.connection))}; "
                "the demo cannot read its tools, so each call needs approval (set GITHUB_TOKEN in .env to "
                "read them)"
            )
        else:
            writing = sum(not tool.read_only for tool in server_tools.tools)
            self._line(
                f"[green]✓[/green] {title}: {len(server_tools.tools)} tools, {writing} of them need approval"
            )

    def talk(self, conversation: Conversation) -> None:
        """Runs the conversation until the user ends it. An error or Ctrl-C ends only the current answer."""
        if self._interactive:
            self._line("[dim]Press Ctrl-C to stop an answer; type exit or press Ctrl-D to leave.[/dim]")
        while (text := self._message()) is not None and text.lower() not in _EXIT_WORDS:
            if text:
                try:
                    self.ask(conversation, text)
                except AgentError as error:
                    self.show_error(error)
                except KeyboardInterrupt:
                    self._line("\n[yellow]Stopped.[/yellow] Calls that were already made are not undone.")

    def ask(self, conversation: Conversation, text: str) -> bool:
        """Sends one message and shows the answer.

        Returns:
            False if a call was not made because no person could approve it.

        Raises:
            AgentError: the agent service rejects the request or fails.
        """
        waiting = self._show(conversation.send(text))
        complete = True
        while waiting:
            decisions = [(request, self._approves(request)) for request in waiting]
            complete &= self._interactive or all(approved for _, approved in decisions)
            waiting = self._show(conversation.answer(decisions))
        return complete

    def show_error(self, error: AgentError) -> None:
        """Shows the message of an error."""
        self._line(f"[red]error:[/red] {escape(printable(str(error)))}")

    def _show(self, events: Iterator[ConversationEvent]) -> list[ApprovalRequest]:
        """Shows an answer as it arrives; returns the calls that need an approval."""
        waiting: list[ApprovalRequest] = []
        within_text = False
        for event in events:
            if within_text and not isinstance(event, TextDelta):
                self._line("")
                within_text = False
            match event:
                case TextDelta(text):
                    self._console.out(printable(text), end="", highlight=False)
                    within_text = True
                case ToolCalled():
                    self._show_call(event)
                case ApprovalRequest():
                    waiting.append(event)
                case ConsentRequest(server, link):
                    self._line(f"Sign in to {escape(one_line(server))}, then send the message again:")
                    self._console.print(escape(one_line(link)), highlight=False, soft_wrap=True)
        if within_text:
            self._line("")
        return waiting

    def _show_call(self, call: ToolCalled) -> None:
        mark = "[green]✓[/green]" if call.error is None else "[red]✗[/red]"
        name = f"[bold]{escape(one_line(f'{call.server}.{call.tool}'))}[/bold]"
        self._line(f"{mark} {name} {escape(_arguments(call.arguments))}".rstrip())
        if call.error is not None:
            self._line(f"  {escape(printable(call.error))}")

    def _approves(self, request: ApprovalRequest) -> bool:
        call = f"{one_line(f'{request.server}.{request.tool}')} {_arguments(request.arguments)}".rstrip()
        if self._approve_all:
            self._line(f"[yellow]approved with --yes:[/yellow] {escape(call)}")
            return True
        if not self._interactive:
            self._line(
                f"[yellow]not approved:[/yellow] {escape(call)} (a person must approve it, or pass --yes)"
            )
            return False
        self._line(f"[yellow]The agent wants to call[/yellow] {escape(call)}")
        while True:
            try:
                answer = self._read("Allow this call? [y/N] ") or ""
            except KeyboardInterrupt:
                return False
            if answer.lower() in _ANSWERS:
                return _ANSWERS[answer.lower()]
            self._line("Type y or n.")

    def _message(self) -> str | None:
        """The next message of the user; None after Ctrl-D, or after Ctrl-C twice."""
        interrupted = False
        while True:
            if self._interactive:
                self._line("")
            try:
                return self._read("> ")
            except KeyboardInterrupt:
                if interrupted:
                    return None
                interrupted = True
                self._line("[dim]Press Ctrl-C again, or Ctrl-D, to leave.[/dim]")

    def _read(self, prompt: str) -> str | None:
        """A line that the user typed; None at the end of the input.

        Raises:
            KeyboardInterrupt: the user presses Ctrl-C.
        """
        try:
            text = input(prompt if self._interactive else "").strip()
        except EOFError:
            if self._interactive:
                self._line("")
            return None
        except KeyboardInterrupt:
            self._line("")
            raise
        if not self._interactive:
            self._line(f"\n{prompt}{escape(printable(text))}")
        return text

    def _line(self, markup: str) -> None:
        """Prints text; lines are wrapped only on a terminal."""
        self._console.print(markup, highlight=False, soft_wrap=not self._console.is_terminal)

    def _row(self, markup: str) -> None:
        """Prints one line, which is cut off at the width of a terminal."""
        fits = self._console.is_terminal
        self._console.print(
            markup, highlight=False, no_wrap=True, overflow="ellipsis" if fits else "ignore", crop=fits
        )


def printable(text: str) -> str:
    """Replaces characters that move the cursor, control the terminal or reverse the direction of text.

    Text of tools and models is untrusted.
    """
    return "".join(
        char
        if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else "\ufffd"
        for char in text
    )


def one_line(text: str) -> str:
    """Printable text in one line, so that untrusted text cannot look like a line of the demo itself."""
    return " ".join(printable(text).split())


def _arguments(text: str) -> str:
    """The arguments of a call as `name=value`, in one line."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return one_line(text)
    if not isinstance(arguments, dict):
        return one_line(text)
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    return printable(" ".join(pairs).replace("\n", " "))
