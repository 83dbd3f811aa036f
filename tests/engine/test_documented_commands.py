"""The commands that documents and messages name, run by the real CLI on a real stack file.

What they leave there is read by the program's own reader, in the way in which the CLI hands it over.
"""

import pickle
import re
import shlex
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from scripts.pulumi_cli import ROOT
from settings import Settings
from tests.engine.deployment import Deployment, deployment
from tests.engine.program import SettingsReader
from tests.program.test_settings import SECRETS

DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def _blocks() -> Iterator[tuple[str, str]]:
    """The shell blocks of the documents, each with a name for it."""
    for page in DOCUMENTS:
        blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        yield from ((f"{page.stem}-{number}", block) for number, block in enumerate(blocks))


def _commands() -> Iterator[str]:
    """Every `pulumi config set` in a document, without a comment.

    The examples of the generated page run on the reader alone, in tests/program/test_settings.py.
    """
    written = [page for page in DOCUMENTS if page.name != "settings.md"]
    for page in (*written, ROOT / "Pulumi.yaml"):
        for command in re.findall(r"pulumi config set [^`\n#]+", page.read_text(encoding="utf-8")):
            yield command.strip()


COMPLETE = [
    pytest.param(block, id=name)
    for name, block in _blocks()
    if "pulumi stack init" in block and "pulumi config set" in block
]
"""Shell blocks that set up a stack from nothing."""

SINGLE = sorted(
    {
        command
        for command in _commands()
        # A placeholder, an element of a list, a key that only a stack with that container has.
        if not any(part in command for part in ("...", "backends[", "notesToken"))
    }
)
"""Every command that is not part of a block that sets up a stack."""


@contextmanager
def fresh(folder: Path, name: str) -> Generator[Deployment]:
    """A stack as `pulumi stack init` leaves it."""
    with deployment(folder, name) as stack:
        yield stack


def run(stack: Deployment, command: str) -> None:
    """Runs `pulumi config ...` as it is written; a secret comes from standard input."""
    words = shlex.split(command, comments=True)
    assert words[:2] == ["pulumi", "config"], command
    done = stack.pulumi(*words[1:], stdin=SECRETS.get(words[-1], ""))
    assert done.returncode == 0, f"{command}: {done.stderr}"


def read(stack: Deployment) -> Settings:
    """What the program's reader makes of the stack's configuration."""
    file = stack.folder / "settings.pickle"
    file.unlink(missing_ok=True)
    done = stack.run(SettingsReader(file))
    assert file.exists(), done.stdout
    return pickle.loads(file.read_bytes())


@pytest.mark.parametrize("block", COMPLETE)
def test_the_commands_that_set_up_a_stack_are_accepted(block: str, tmp_path: Path) -> None:
    (name,) = re.findall(r"pulumi stack init (\S+)", block)
    with fresh(tmp_path, name) as stack:
        for line in block.splitlines():
            if line.startswith("pulumi config"):
                run(stack, line)
        loaded = read(stack)
    assert loaded.publisher_email == "you@your-organisation.example"
    assert set(re.findall(r"'backends\[\d\]' (\w+)", block)) <= set(loaded.backends)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Generator[Deployment]:
    """A stack without lists of its own, and with everything that Slack and Jira need."""
    with fresh(tmp_path_factory.mktemp("trial"), "trial") as stack:
        run(stack, "pulumi config set azure-native:location northeurope")
        run(stack, "pulumi config set publisherEmail you@example.com")
        run(stack, 'pulumi config set publisherName "Example"')
        for number, backend in enumerate(("functions", "slack", "jira", "github")):
            run(stack, f"pulumi config set --path 'backends[{number}]' {backend}")
        for key in ("slackBotToken", "jiraApiToken"):
            run(stack, f"pulumi config set --secret {key}")
        run(stack, "pulumi config set jiraUrl https://example.atlassian.net")
        run(stack, "pulumi config set jiraUsername jira@example.com")
        yield stack


def test_documents_name_commands() -> None:
    assert len(COMPLETE) >= 3
    assert len(SINGLE) >= 10


@pytest.mark.parametrize("command", SINGLE)
def test_a_command_of_the_documents_is_accepted(command: str, trial: Deployment) -> None:
    run(trial, command)
    loaded = read(trial)
    assert None not in loaded.backends


def test_a_secret_is_encrypted_in_the_stacks_file(trial: Deployment) -> None:
    file = yaml.safe_load((trial.folder / "Pulumi.trial.yaml").read_text(encoding="utf-8"))
    for key in ("slackBotToken", "jiraApiToken"):
        assert set(file["config"][f"remote-mcp-gateway:{key}"]) == {"secure"}


def test_a_list_with_a_gap_never_reaches_the_program(tmp_path: Path) -> None:
    """The CLI writes a null for each element that is skipped, and then refuses the list."""
    with fresh(tmp_path, "gap") as stack:
        run(stack, "pulumi config set azure-native:location northeurope")
        run(stack, "pulumi config set publisherEmail you@example.com")
        run(stack, 'pulumi config set publisherName "Example"')
        run(stack, "pulumi config set --path 'backends[1]' functions")
        refused = stack.run(SettingsReader(tmp_path / "settings.pickle"))
        assert not (tmp_path / "settings.pickle").exists()
        assert "'backends' must be of type 'array<string>'" in refused.stderr
        run(stack, "pulumi config rm backends")
        run(stack, "pulumi config set --path 'backends[0]' functions")
        assert read(stack).backends == ("functions",)
