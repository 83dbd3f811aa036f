"""A stack of this project, deployed by Pulumi's real engine into its own Azure account.

The engine is the Pulumi CLI, which runs `__main__.py` through the language host in `language_host.py` and
attaches the providers in `provider.py`. State, configuration and Pulumi's home are in a temporary folder.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from scripts import pulumi_cli
from tests.engine import cli, deployment_service, language_host, provider
from tests.engine.azure import Azure
from tests.engine.deployment_service import CLIENT_SECRET, DeploymentService
from tests.engine.program import Program, Project
from tests.engine.record import Call

PASSPHRASE = "canary-passphrase"
"""Encrypts the secrets in the stack's file and state; it must not appear anywhere."""

POLICY_SDK = pulumi_cli.ROOT / ".tools" / "policy"
"""Where `make test-engine` installs Pulumi's SDK for policy packs."""

Operation = Literal["preview", "up", "refresh", "destroy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The operation of the engine on one resource, done or planned.

    Attributes:
        op: `create`, `update`, `replace`, `delete`, `same`, ...
        urn: the resource.
        changed: paths of the properties that differ.
    """

    op: str
    urn: str
    changed: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The type token."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.split("::")[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One operation and its results.

    Attributes:
        operation: its name.
        failed: whether it ended with an error.
        output: what the CLI printed.
        steps: the steps in the order in which they began.
        calls: the calls of the providers.
    """

    operation: Operation
    failed: bool
    output: str
    steps: tuple[Step, ...]
    calls: tuple[Call, ...] = field(repr=False)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change a resource."""
        return tuple(step for step in self.steps if step.op not in ("same", "read", "refresh"))

    def counts(self) -> dict[str, int]:
        """The number of steps of each kind, except unchanged resources."""
        return dict(Counter(step.op for step in self.changes))

    def names(self, *ops: str) -> list[str]:
        """The logical names of the resources with steps of these kinds, sorted."""
        return sorted(step.name for step in self.steps if step.op in ops)


class Deployment:
    """A stack and the account that it is deployed to.

    Args:
        cli: path of the Pulumi CLI.
        folder: copies of `Pulumi.yaml` and the stack's file, the state and Pulumi's home.
        stack: name of the stack.
        environment: environment variables of the CLI.

    Attributes:
        azure: the account.
        service: publishes the Function App's code.
        program: the program that the CLI runs.
        runs: all operations so far.
    """

    def __init__(
        self,
        cli: Path,
        folder: Path,
        stack: str,
        environment: Mapping[str, str],
        *,
        azure: Azure,
        service: DeploymentService,
    ) -> None:
        self.azure = azure
        self.service = service
        self.folder = folder
        self.program: Program = Project(pulumi_cli.ROOT)
        self.runs: list[Run] = []
        self._cli = cli
        self._stack = stack
        self._environment = {**os.environ, **environment}

    def configure(self, values: Mapping[str, str], secrets: Mapping[str, str] | None = None) -> None:
        """Sets values of the stack's configuration; lists and maps are JSON."""
        project = yaml.safe_load((self.folder / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
        config: dict[str, dict[str, Any]] = {}
        for key, value in {**values, **(secrets or {})}.items():
            full = key if ":" in key else f"{project}:{key}"
            config[full] = {"value": value, "secret": key in (secrets or {})}
            if value.startswith(("[", "{")):
                config[full]["objectValue"] = json.loads(value)
        done = self.pulumi("config", "set-all", "--json", json.dumps(config))
        assert done.returncode == 0, done.stderr

    def preview(self, *options: str) -> Run:
        """`pulumi preview`."""
        return self._run("preview", "preview", *options)

    def up(self, *options: str) -> Run:
        """`pulumi up --yes`, without the preview before it."""
        return self._run("up", "up", "--yes", "--skip-preview", *options)

    def refresh(self) -> Run:
        """`pulumi refresh --yes`, without the preview before it."""
        return self._run("refresh", "refresh", "--yes", "--skip-preview")

    def destroy(self) -> Run:
        """`pulumi destroy --yes`, with the preview before it, as an operator runs it."""
        return self._run("destroy", "destroy", "--yes")

    @property
    def policy_pack(self) -> str:
        """The option of `preview` and `up` that applies the policy pack."""
        return f"--policy-pack={self.folder / 'plugins' / 'policy-pack'}"

    def unprotect(self) -> None:
        """`pulumi state unprotect --all`."""
        done = self.pulumi("state", "unprotect", "--all", "--yes")
        assert done.returncode == 0, done.stderr

    def run(self, program: Program) -> subprocess.CompletedProcess[str]:
        """Previews a program other than the project's, with the stack's configuration."""
        with language_host.serve(program) as client:
            return self.pulumi("preview", "--client", client, "--exec-kind", "auto.inline")

    def pulumi(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the CLI on the stack, with its output as text; a failure is in the return code."""
        return subprocess.run(
            [str(self._cli), "--non-interactive", "--color", "never", *arguments, "--stack", self._stack],
            cwd=self.folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def state(self) -> dict[str, Any]:
        """The stack's state as it is stored."""
        (file,) = (self.folder / "state").glob(f".pulumi/stacks/*/{self._stack}.json")
        return json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"]

    def stored(self) -> Iterator[Path]:
        """All files of the deployment: state with its history, stack file, event logs."""
        return (path for path in self.folder.rglob("*") if path.is_file())

    def _run(self, operation: Operation, *arguments: str) -> Run:
        since = len(self.azure.record)
        log = self.folder / "events" / f"{len(self.runs)}.json"
        with language_host.serve(self.program) as client:
            done = self.pulumi(
                *arguments, "--event-log", str(log), "--client", client, "--exec-kind", "auto.inline"
            )
        result = Run(
            operation=operation,
            failed=done.returncode != 0,
            output=done.stdout + done.stderr,
            steps=tuple(_steps(log)),
            calls=self.azure.record.calls(since),
        )
        self.runs.append(result)
        return result


@contextmanager
def deployment(folder: Path, stack: str = "dev") -> Generator[Deployment]:
    """A stack that is not deployed yet, with its committed configuration if it has one."""
    azure = Azure()
    service = DeploymentService(azure=azure)
    for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        if (pulumi_cli.ROOT / name).exists():
            shutil.copy(pulumi_cli.ROOT / name, folder)
    for name in ("events", "home", "plugins", "state"):
        (folder / name).mkdir()
    with ExitStack() as servers:
        proxy = servers.enter_context(deployment_service.serve(service, folder / "plugins"))
        attached = servers.enter_context(provider.serve(azure))
        _write_dynamic_provider(folder / "plugins", proxy)
        _write_policy_pack(folder / "plugins")
        environment = {
            "PATH": f"{folder / 'plugins'}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DEBUG_PROVIDERS": attached,
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Adds the option `--event-log`.
            "PULUMI_DEBUG_COMMANDS": "true",
            # The state is written once, at the end: writing it after every step takes most of the time.
            "PULUMI_EXPERIMENTAL": "true",
            "PULUMI_SKIP_CHECKPOINTS": "true",
            "ARM_CLIENT_ID": "00000000-0000-4000-8000-000000000001",
            "ARM_CLIENT_SECRET": CLIENT_SECRET,
            "ARM_TENANT_ID": "00000000-0000-4000-8000-000000000002",
        }
        created = Deployment(cli.path(), folder, stack, environment, azure=azure, service=service)
        assert created.pulumi("stack", "init").returncode == 0
        yield created


def _write_dynamic_provider(folder: Path, proxy: deployment_service.Proxy) -> None:
    """Writes the plugin for dynamic providers, which only released CLIs include."""
    plugin = folder / "pulumi-resource-pulumi-python"
    plugin.write_text(
        "#!/bin/sh\n"
        f'export HTTPS_PROXY="{proxy.url}" NO_PROXY="127.0.0.1,localhost"\n'
        f'export REQUESTS_CA_BUNDLE="{proxy.authority}" PYTHONPATH="{pulumi_cli.ROOT}"\n'
        f'exec "{sys.executable}" -u -m pulumi.dynamic "$@"\n',
        encoding="utf-8",
    )
    plugin.chmod(0o755)


def _write_policy_pack(folder: Path) -> None:
    """Writes the policy pack as an executable, which the CLI starts without Pulumi's own language host."""
    pack = folder / "policy-pack"
    pack.write_text(
        "#!/bin/sh\n"
        f'export PYTHONPATH="{POLICY_SDK}"\n'
        f'exec "{sys.executable}" -u -m pulumi.policy "$1" "{pulumi_cli.ROOT / "policy_pack"}"\n',
        encoding="utf-8",
    )
    pack.chmod(0o755)


def _steps(log: Path) -> Iterator[Step]:
    """The steps in an event log; none if the CLI stopped before the engine wrote a log."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    events = [json.loads(line) for line in lines]
    # Of a refresh, only the events after each step contain the result.
    refreshes = any(
        "resourcePreEvent" in event and _op(event["resourcePreEvent"]) == "refresh" for event in events
    )
    for event in events:
        if step := event.get("resOutputsEvent" if refreshes else "resourcePreEvent"):
            metadata = step["metadata"]
            yield Step(
                op=metadata["op"],
                urn=metadata["urn"],
                changed=tuple(sorted(metadata.get("detailedDiff") or metadata.get("diffs") or ())),
            )


def _op(event: Mapping[str, Any]) -> str:
    return event["metadata"]["op"]
