"""What the user sees and is asked."""

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

# Gives `input` a history and keys for editing, which a dumb terminal cannot show; Windows has its own.
if os.environ.get("TERM") != "dumb":
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401

_LEAVE = frozenset({"exit", "quit", "bye"})
_ANSWERS = {"y": True, "yes": True, "": False, "n": False, "no": False}


class Terminal:
    """A conversation at a terminal, or one question from a script.

    Args:
        console: where it prints.
        interactive: whether a person can be asked.
        approve_all: whether calls that need an approval are approved without asking.
    """

    def __init__(self, console: Console, *, interactive: bool, approve_all: bool) -> None:
        self._console = console
        self._interactive = interactive
        self._approve_all = approve_all

    def show_service(self, settings: AgentSettings) -> None:
        """Says which agent service answers."""
        if settings.stand_in:
            self._line(
                "[yellow]This is the twin's stand-in for the agent service: it has no model, and picks tools "
                "by rules.[/yellow]"
            )
            self._line(
                "Name a tool, or words of its name, with arguments as name=value, for example: "
                "[bold]jira search jql='project = BUOY'[/bold]"
            )
        else:
            self._line(f"Foundry project {escape(settings.endpoint)}, model {escape(settings.model)}.")

    def show_servers(self, servers: Sequence[ServerTools], *, tools: bool) -> None:
        """Says which servers and tools the agent has, and which it does not have, and why.

        Args:
            servers: all servers.
            tools: whether to list every tool.
        """
        for found in servers:
            self._show_server(found)
            if tools:
                for tool in found.tools or ():
                    kind = "reads" if tool.read_only else "asks first"
                    text = escape(one_line(tool.description))
                    self._row(f"    {escape(one_line(tool.name))} [dim]({kind})[/dim] {text}")
            for name, reason in found.left_out.items():
                self._line(
                    f"    [yellow]left out:[/yellow] {escape(one_line(name))}: {escape(one_line(reason))}"
                )

    def _show_server(self, found: ServerTools) -> None:
        title = f"[bold]{escape(found.server.title)}[/bold] ({escape(found.server.name)})"
        if found.problem is not None:
            self._line(f"[red]✗[/red] {title}: {escape(printable(found.problem))}")
        elif found.tools is None:
            self._line(
                f"[green]✓[/green] {title}: through the connection {escape(str(found.server.connection))}; "
                "its tools are not read here, so each call asks first (set GITHUB_TOKEN in .env to read them)"
            )
        else:
            asking = sum(not tool.read_only for tool in found.tools)
            self._line(
                f"[green]✓[/green] {title}: {len(found.tools)} tools, {asking} of them ask before they run"
            )

    def talk(self, conversation: Conversation) -> None:
        """Talks until the user leaves; an error or Ctrl-C ends the message, not the conversation."""
        if self._interactive:
            self._line("[dim]Ctrl-C stops an answer; exit or Ctrl-D leaves.[/dim]")
        while (text := self._message()) is not None and text.lower() not in _LEAVE:
            if text:
                try:
                    self.ask(conversation, text)
                except AgentError as error:
                    self.show_error(error)
                except KeyboardInterrupt:
                    self._line("\n[yellow]Stopped.[/yellow] A tool that was already called is not undone.")

    def ask(self, conversation: Conversation, text: str) -> bool:
        """Sends one message and shows the answer.

        Returns:
            False when a call was not made because no person could approve it.

        Raises:
            AgentError: the agent service refuses or fails.
        """
        waiting = self._show(conversation.say(text))
        complete = True
        while waiting:
            decisions = [(request, self._approves(request)) for request in waiting]
            complete &= self._interactive or all(approved for _, approved in decisions)
            waiting = self._show(conversation.decide(decisions))
        return complete

    def show_error(self, error: AgentError) -> None:
        """Shows what went wrong."""
        self._line(f"[red]error:[/red] {escape(printable(str(error)))}")

    def _show(self, events: Iterator[ConversationEvent]) -> list[ApprovalRequest]:
        """Shows an answer as it arrives; returns the calls that wait for an approval."""
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
        what = f"{one_line(f'{request.server}.{request.tool}')} {_arguments(request.arguments)}".rstrip()
        if self._approve_all:
            self._line(f"[yellow]approved with --yes:[/yellow] {escape(what)}")
            return True
        if not self._interactive:
            self._line(
                f"[yellow]not approved:[/yellow] {escape(what)} (only a person, or --yes, can approve)"
            )
            return False
        self._line(f"[yellow]The agent wants to call[/yellow] {escape(what)}")
        while True:
            try:
                answer = self._read("Allow this call? [y/N] ") or ""
            except KeyboardInterrupt:
                return False
            if answer.lower() in _ANSWERS:
                return _ANSWERS[answer.lower()]
            self._line("Answer y or n.")

    def _message(self) -> str | None:
        """The user's next message; None when the user leaves: by Ctrl-D, or by Ctrl-C twice."""
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
                self._line("[dim]Ctrl-C again, or Ctrl-D, leaves.[/dim]")

    def _read(self, prompt: str) -> str | None:
        """A line of the user; None at the end of the input.

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
        """Prints text, which only a terminal breaks into lines."""
        self._console.print(markup, highlight=False, soft_wrap=not self._console.is_terminal)

    def _row(self, markup: str) -> None:
        """Prints one line, of which a terminal shows what fits."""
        fits = self._console.is_terminal
        self._console.print(
            markup, highlight=False, no_wrap=True, overflow="ellipsis" if fits else "ignore", crop=fits
        )


def printable(text: str) -> str:
    """The text without characters that move the cursor, change the terminal, or reverse the direction.

    Tools and models return text of strangers.
    """
    return "".join(
        char
        if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else "\ufffd"
        for char in text
    )


def one_line(text: str) -> str:
    """`printable` in one line, so that no text looks like a line of the demo's own."""
    return " ".join(printable(text).split())


def _arguments(text: str) -> str:
    """Arguments as `name=value`, in one line."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return one_line(text)
    if not isinstance(arguments, dict):
        return one_line(text)
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    return printable(" ".join(pairs).replace("\n", " "))
