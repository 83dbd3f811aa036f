"""The demo's prompts and the input at them, without an agent service."""

import builtins
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent_demo.command import app
from agent_demo.conversation import (
    ApprovalRequest,
    ConsentRequest,
    Conversation,
    ConversationEvent,
    TextDelta,
    ToolCalled,
)
from agent_demo.error import AgentError
from agent_demo.settings import Server
from agent_demo.terminal import Terminal
from agent_demo.tools import ServerTools, Tool

APPROVAL = ApprovalRequest("1", "functions", "save\nAllow this call? [y/N] y", '{"name": "a\\nb"}')


class Scripted:
    """A conversation whose agent requests one approval; records the decision."""

    def __init__(self) -> None:
        self.decided: list[bool] = []

    def send(self, text: str) -> Iterator[ConversationEvent]:
        match text:
            case "stop":
                yield TextDelta("half of an answer")
                raise KeyboardInterrupt
            case "fail":
                raise AgentError("the agent fails")
            case "consent":
                yield ConsentRequest("github", f"https://example.com/{'x' * 100}")
            case _:
                yield APPROVAL

    def answer(self, decisions: Sequence[tuple[ApprovalRequest, bool]]) -> Iterator[ConversationEvent]:
        self.decided += [approved for _, approved in decisions]
        yield ToolCalled("functions", "save", "{}", None)


Types = Callable[..., None]


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Types:
    """Sets what the user types: lines, or errors for Ctrl-C and Ctrl-D."""

    def set_lines(*lines: str | type[BaseException]) -> None:
        waiting = iter(lines)

        def read(_prompt: str = "") -> str:
            line = next(waiting, EOFError)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr(builtins, "input", read)

    return set_lines


def talk(*, interactive: bool = True, **options: Any) -> tuple[str, list[bool]]:
    shown, conversation = io.StringIO(), Scripted()
    terminal = Terminal(Console(file=shown, width=40, **options), interactive=interactive, approve_all=False)
    terminal.talk(cast("Conversation", conversation))
    return shown.getvalue(), conversation.decided


@pytest.mark.parametrize(
    ("answers", "approved"),
    [
        (["y"], True),
        ([" YES "], True),
        ([""], False),
        (["no"], False),
        (["maybe", "yes please", "y"], True),
        ([KeyboardInterrupt], False),
        ([EOFError], False),
    ],
    ids=str,
)
def test_a_call_is_approved_only_by_y_or_yes(
    types: Types, answers: list[str | type[BaseException]], approved: bool
) -> None:
    types("save", *answers, "exit")
    shown, decided = talk()
    assert decided == [approved]
    assert shown.count("Type y or n.") == len(answers) - 1


def test_a_tool_name_or_an_argument_cannot_imitate_a_prompt(types: Types) -> None:
    types("save", "n")
    lines = talk()[0].splitlines()
    assert 'The agent wants to call functions.save Allow this call? [y/N] y name="a\\nb"' in lines
    assert not any(line.startswith("Allow") for line in lines)


def test_the_conversation_continues_after_control_c_and_after_an_error(types: Types) -> None:
    types("stop", "fail", "save", "y")
    shown, decided = talk()
    assert "half of an answer\nStopped. Calls that were already made are not undone." in shown
    assert "error: the agent fails" in shown
    assert decided == [True]


def test_control_c_twice_control_d_or_quit_ends_the_conversation(types: Types) -> None:
    types(KeyboardInterrupt, "save", "y", KeyboardInterrupt, KeyboardInterrupt, "save")
    shown, decided = talk()
    assert decided == [True]
    assert shown.count("Press Ctrl-C again, or Ctrl-D, to leave.") == 2
    for last in (EOFError, "QUIT"):
        types(last, "save", "y")
        assert talk()[1] == []


def test_messages_from_a_pipe_are_shown_and_no_call_is_approved(types: Types) -> None:
    types("save", "save")
    shown, decided = talk(interactive=False)
    assert decided == [False, False]
    assert shown.count("\n> save\n") == 2
    assert "Ctrl" not in shown


def test_a_narrow_terminal_cuts_off_tools_at_its_width_and_shows_links_whole(types: Types) -> None:
    server = Server(name="notes", title="Notes", url="http://x", behind_gateway=True, connection=None)
    tool = Tool(name="save", description="Saves a note. " * 9, schema={}, read_only=False)
    for terminal, longest in ((True, 40), (False, 200)):
        shown = io.StringIO()
        console = Console(file=shown, width=40, force_terminal=terminal, color_system=None)
        Terminal(console, interactive=True, approve_all=False).show_servers(
            [ServerTools(server=server, tools=(tool,), left_out={})], tools=True
        )
        (line,) = [line for line in shown.getvalue().splitlines() if "Saves" in line]
        assert ("…" in line, "note. Saves a note." in line) == (terminal, not terminal)
        assert len(line) <= longest
    types("consent")
    assert f"https://example.com/{'x' * 100}" in talk(force_terminal=True, color_system=None)[0].splitlines()


@pytest.mark.parametrize("arguments", [["--ask", " "], ["--ask", "x", "--list-tools"]], ids=str)
def test_an_empty_question_and_conflicting_options_are_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, "--ask" in result.output) == (2, True)
