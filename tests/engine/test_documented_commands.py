"""The commands in documents and messages, run by the real CLI on a real stack file.

The program's own reader then reads the file, in the form in which the CLI passes it.
"""

import copy
import pickle
import re
import shlex
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import yaml

from preflight import images
from scripts.pulumi_cli import ROOT
from settings import Settings
from tests.engine.deployment import Deployment, deployment
from tests.engine.program import SettingsReader
from tests.existing import EXISTING
from tests.program.stack_settings import SECRETS

DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def _blocks() -> Iterator[tuple[str, str]]:
    """The shell blocks of the documents, each with a unique name."""
    for page in DOCUMENTS:
        blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        yield from ((f"{page.stem}-{number}", block) for number, block in enumerate(blocks))


def _config_commands(text: str) -> list[str]:
    """Every command `pulumi config set` in a document, without comments."""
    return [command.strip() for command in re.findall(r"pulumi config set [^`\n#]+", text)]


def _examples() -> Iterator[tuple[str, ...]]:
    """The commands that belong together: those of a shell block, or one in a sentence.

    The examples of the generated page run on the reader alone, in tests/program/test_declared_settings.py.
    """
    for page in (*DOCUMENTS, ROOT / "Pulumi.yaml"):
        text = page.read_text(encoding="utf-8")
        if page.name == "settings.md":
            continue
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            if "pulumi stack init" not in block and (commands := _config_commands(block)):
                yield tuple(commands)
        for command in _config_commands(re.sub(r"```sh\n.*?```", "", text, flags=re.DOTALL)):
            yield (command,)


COMPLETE = [
    pytest.param(block, id=name)
    for name, block in _blocks()
    if "pulumi stack init" in block and "pulumi config set" in block
]
"""Shell blocks that set up a stack from nothing."""

EXAMPLES = sorted(
    {
        example
        for example in _examples()
        # Excluded: a placeholder, one element of a list, and a key that needs a certain container.
        if not any(part in command for command in example for part in ("...", "backends[", "notesToken"))
    }
)
"""The commands that change an existing stack."""

_FOUNDRY_PROJECT = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/agents/providers"
    "/Microsoft.CognitiveServices/accounts/agents/projects/demo"
)
REQUIRED = {
    "githubSignIn": [f"pulumi config set foundryProject {_FOUNDRY_PROJECT}"],
    "githubToken": [f"pulumi config set foundryProject {_FOUNDRY_PROJECT}"],
    "existingAudiences.": ["pulumi config set existingApplication 00000000-0000-0000-0000-000000000001"],
    "pathPrefix": [
        f"pulumi config set {key} {EXISTING[key]}" for key in ("existingApiManagement", "existingIdentity")
    ],
    "roleMembers.": ["pulumi config set --path tools.functions.save_snippet.role SnippetWriter"],
}
"""Further settings that a command in a sentence requires, by a part of the command."""


@contextmanager
def initialized(folder: Path, name: str) -> Generator[Deployment]:
    """A stack after `pulumi stack init`, without further settings."""
    with deployment(folder, name) as stack:
        yield stack


def run(stack: Deployment, command: str) -> None:
    """Runs `pulumi config ...` as it is written; a secret comes from standard input."""
    words = shlex.split(command, comments=True)
    assert words[:2] == ["pulumi", "config"], command
    done = stack.pulumi(*words[1:], stdin=SECRETS.get(words[-1], ""))
    assert done.returncode == 0, f"{command}: {done.stderr}"


def read(stack: Deployment) -> Settings:
    """The settings that the program reads from the stack's configuration."""
    file = stack.folder / "settings.pickle"
    file.unlink(missing_ok=True)
    done = stack.run(SettingsReader(file))
    assert file.exists(), done.stdout
    return pickle.loads(file.read_bytes())


def pin(
    stack: Deployment, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs the commands that `make pin` runs, with a stand-in for the registries."""
    monkeypatch.setattr(images, "_ROOT", stack.folder)
    capsys.readouterr()
    registry = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=b"{}"))
    assert images.main(["--stack", name, "--print"], registry) == 0
    commands = [line.removeprefix("> ") for line in capsys.readouterr().out.splitlines()]
    assert commands
    for command in commands:
        run(stack, command)


@pytest.mark.parametrize("block", COMPLETE)
def test_the_commands_that_set_up_a_stack_are_accepted(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (name,) = re.findall(r"pulumi stack init (\S+)", block)
    with initialized(tmp_path, name) as stack:
        for line in block.splitlines():
            if line.startswith("pulumi config"):
                run(stack, line)
            elif line.startswith("make pin"):
                assert line == f"make pin STACK={name}"
                pin(stack, name, monkeypatch, capsys)
        loaded = read(stack)
    assert loaded.publisher_email == "you@your-organisation.example"
    assert set(re.findall(r"'backends\[\d\]' (\w+)", block)) <= set(loaded.backends)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Generator[Deployment]:
    """A complete stack with all servers, configured by commands."""
    with initialized(tmp_path_factory.mktemp("trial"), "trial") as stack:
        run(stack, "pulumi config set azure-native:location northeurope")
        run(stack, "pulumi config set publisherEmail you@example.com")
        run(stack, 'pulumi config set publisherName "Example"')
        for number, backend in enumerate(("functions", "slack", "jira", "github")):
            run(stack, f"pulumi config set --path 'backends[{number}]' {backend}")
        for key in ("slackBotToken", "jiraApiToken"):
            run(stack, f"pulumi config set --secret {key}")
        run(stack, "pulumi config set jiraUrl https://example.atlassian.net")
        run(stack, "pulumi config set jiraUsername jira@example.com")
        run(stack, "pulumi config set requireDigests false")
        yield stack


def test_documents_contain_commands() -> None:
    assert len(COMPLETE) >= 3
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[0])
def test_the_commands_of_an_example_are_accepted(example: tuple[str, ...], trial: Deployment) -> None:
    file = trial.folder / "Pulumi.trial.yaml"
    before = file.read_bytes()
    try:
        for part, required in REQUIRED.items():
            if part in example[0]:
                for command in required:
                    run(trial, command)
        for command in example:
            run(trial, command)
        loaded = read(trial)
    finally:
        file.write_bytes(before)
    assert loaded.backends == ("functions", "slack", "jira", "github")


def test_a_secret_is_encrypted_in_the_stacks_file(trial: Deployment) -> None:
    file = yaml.safe_load((trial.folder / "Pulumi.trial.yaml").read_text(encoding="utf-8"))
    for key in ("slackBotToken", "jiraApiToken"):
        assert set(file["config"][f"remote-mcp-gateway:{key}"]) == {"secure"}


def test_a_copied_stack_reads_the_secrets_of_the_original_stack(trial: Deployment) -> None:
    staging = copy.copy(trial)
    staging._stack = "staging"
    done = staging.pulumi("stack", "init", "--copy-config-from", "trial")
    assert done.returncode == 0, done.stderr
    assert read(staging) == read(trial)
    files = [
        (trial.folder / f"Pulumi.{name}.yaml").read_text(encoding="utf-8") for name in ("trial", "staging")
    ]
    assert len({re.findall(r"secure: (\S+)", file)[0] for file in files}) == 2


def test_a_list_with_a_gap_never_reaches_the_program(tmp_path: Path) -> None:
    """The CLI writes a null for each element that is skipped, and then refuses the list."""
    with initialized(tmp_path, "gap") as stack:
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
