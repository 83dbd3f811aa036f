"""The demo, run at a terminal and from a script against a twin with all four servers."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent_demo.pseudo_terminal import PseudoTerminal
from tests.e2e.conftest import ROOT, RunningTwin, started_twin

PAGE = ROOT / "docs" / "agents.md"
_BLOCK = re.compile(r"(?<=<!-- recorded -->\n```text\n).*?(?=\n```)", re.DOTALL)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTwin]:
    with started_twin(tmp_path_factory.mktemp("twin") / "state", {}, agents=True) as twin:
        yield twin


def environment() -> dict[str, str]:
    """The variables of a new user, without those of Azure.

    In some runs, readline exports the variable LINES. With LINES and COLUMNS, rich does not use its fixed
    width for dumb terminals.
    """
    excluded = ("AZURE_", "IDENTITY_", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(excluded)}
    return {**kept, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "agent_demo", *arguments]


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def recorded(shown: str, twin: RunningTwin) -> str:
    """The output of a terminal, with the ports that differ in each run replaced."""
    text = re.sub(r"(?<=:)\d{4,5}\b", lambda port: str(int(port[0]) - twin.port + 8000), shown)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.timeout(300)
def test_a_conversation_at_a_terminal_uses_all_four_servers(
    twin: RunningTwin, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with PseudoTerminal(command("--url", twin.gateway), environment(), tmp_path) as terminal:
        output = terminal.expect("\n> ")
        assert "stand-in for the agent service" in output
        assert all(name in output for name in ("(functions)", "(slack)", "(jira)", "(github)"))
        assert "left out: issue_write: parameter IssueField.value uses anyOf" in output

        terminal.type("slack users_search query=mara; github get_me")
        output = terminal.expect("\n> ")
        assert "✓ slack.users_search" in output
        assert "✓ github.get_me" in output

        terminal.type("jira search jql='key = BUOY-9' fields=summary")
        output = terminal.expect("\n> ")
        assert "✓ jira.jira_search" in output
        assert "Buoy 17 drifts" in output

        terminal.type("save_snippet snippetname=greeting snippet='Hello from the agent'")
        terminal.expect("Allow this call? [y/N] ")
        terminal.type("y")
        output = terminal.expect("\n> ")
        assert "✓ functions.save_snippet" in output

        terminal.type("get_snippet snippetname=greeting")
        assert "Hello from the agent" in terminal.expect("\n> ")

        terminal.type("create_issue owner=fairlight-buoys repo=tide-app title='Written by an agent'")
        terminal.expect("Allow this call? [y/N] ")
        terminal.type("")
        assert "github.create_issue was not approved, so it was not called." in terminal.expect("\n> ")

        terminal.type("exit")
        assert terminal.end() == 0

    access = twin.control.get("/agent").raise_for_status().json()
    for secret in (access["environment"]["IDENTITY_HEADER"], access["tokens"]["github"], "eyJ"):
        assert secret not in terminal.shown
    conversation = recorded(terminal.shown, twin)
    if request.config.getoption("update_snapshots"):
        PAGE.write_text(_BLOCK.sub(lambda _: conversation, PAGE.read_text()))
    assert _BLOCK.findall(PAGE.read_text()) == [conversation], "run this test with --snapshot-update"


def test_a_script_can_call_writing_tools_only_with_the_option_yes(twin: RunningTwin, tmp_path: Path) -> None:
    question = "create_issue owner=fairlight-buoys repo=buoy-firmware title='From a script'"
    arguments = ("--url", twin.gateway, "--backend", "github", "--ask", question)

    status, shown = run(tmp_path, *arguments)
    assert (status, "✓ github.create_issue" in shown) == (1, False)
    assert "a person must approve it, or pass --yes" in shown
    status, shown = run(tmp_path, *arguments, "--yes")
    assert (status, "✓ github.create_issue" in shown) == (0, True)


def test_listed_tools_show_their_description_and_whether_they_need_approval(
    twin: RunningTwin, tmp_path: Path
) -> None:
    status, shown = run(tmp_path, "--url", twin.gateway, "--list-tools", "--backend", "github")

    assert status == 0
    assert "get_me (read-only) Get details of the authenticated GitHub user." in shown
    assert "create_issue (needs approval)" in shown
    assert "Slack" not in shown
