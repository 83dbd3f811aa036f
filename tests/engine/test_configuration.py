"""A list with a null, as the Pulumi CLI writes it: the commands in the message remove it.

The CLI itself refuses such a list where `Pulumi.yaml` declares its type; `containers` is not declared there.
"""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from settings import Settings, SettingsError
from tests.engine import cli
from tests.program.stack_settings import SECRETS, load
from tests.test_docs import ROOT


class Stack:
    """A stack whose file contains no list, in a separate folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "passphrase",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_STACK": "trial",
        }

    @classmethod
    def create(cls, folder: Path) -> "Stack":
        """Creates it, with the settings that every stack needs."""
        (folder / "state").mkdir()
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        stack = cls(folder)
        stack.run(
            "pulumi stack init trial"
            " && pulumi config set azure-native:location westeurope"
            " && pulumi config set publisherEmail platform@example.com"
            " && pulumi config set publisherName Example"
            " && pulumi config set requireDigests false"
        )
        return stack

    def run(self, commands: str) -> None:
        """Runs commands, and passes the secret to the CLI if it prompts for one."""
        for command in commands.split(" && "):
            words = shlex.split(command)
            self._pulumi(*words[1:], secret=SECRETS[words[-1]] if "--secret" in words else "")

    def load(self) -> Settings:
        """Reads the decrypted configuration that the CLI passes to the program, including defaults."""
        stored = json.loads(self._pulumi("config", "--show-secrets", "--json"))
        values = {key: entry["value"] for key, entry in stored.items()}
        secrets = [key.partition(":")[2] for key, entry in stored.items() if entry["secret"]]
        return load(values, secrets)

    def _pulumi(self, *arguments: str, secret: str = "") -> str:
        done = subprocess.run(
            [str(cli.path()), *arguments, *([] if secret else ["--non-interactive"])],
            cwd=self._folder,
            env=self._environment,
            input=secret,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack")
    Stack.create(folder)
    return folder


@pytest.fixture
def stack(created: Path, tmp_path: Path) -> Stack:
    shutil.copytree(created, tmp_path, dirs_exist_ok=True)
    return Stack(tmp_path)


def test_a_list_without_its_first_entry_is_refused_and_the_commands_in_the_message_fix_it(
    stack: Stack,
) -> None:
    stack.run("pulumi config set --path 'containers[1].name' notes")
    stack.run("pulumi config set --path 'containers[1].image' ghcr.io/example/notes:1.0.0")
    stack.run("pulumi config set --path 'containers[1].port' 8080")
    with pytest.raises(SettingsError, match=r"containers: Entry 0 is null") as refusal:
        stack.load()
    stack.run(refusal.value.problems[0].remedy)
    assert [container.name for container in stack.load().containers] == ["notes"]
