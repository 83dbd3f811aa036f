"""A stack of this project, deployed by Pulumi's real engine into an Azure account of its own.

The engine is the Pulumi CLI; Pulumi's Automation API runs `__main__.py` in this process, as the CLI's language
host would in another. State, configuration and Pulumi's home are in a temporary folder.
"""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pulumi import automation

from tests.engine import cli, deployment_service, provider
from tests.engine.azure import Azure
from tests.engine.deployment_service import CLIENT_SECRET, DeploymentService
from tests.engine.record import Call

Operation = Literal["preview", "up", "refresh", "destroy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the engine did, or would do, with one resource.

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
    """One operation and all that it left behind.

    Attributes:
        operation: which one.
        failed: whether it ended with an error.
        output: what the CLI printed.
        steps: in the order in which they began.
        events: the event log, as JSON.
        calls: what the providers were asked.
    """

    operation: Operation
    failed: bool
    output: str
    steps: tuple[Step, ...]
    events: str = field(repr=False)
    calls: tuple[Call, ...] = field(repr=False)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps of resources that are not the same."""
        return tuple(step for step in self.steps if step.op not in ("same", "read", "refresh"))

    def counts(self) -> dict[str, int]:
        """How many steps of each kind changed something."""
        return dict(Counter(step.op for step in self.changes))

    def names(self, *ops: str) -> list[str]:
        """The logical names of the resources with steps of these kinds, sorted."""
        return sorted(step.name for step in self.steps if step.op in ops)


class Deployment:
    """A stack and the account that it is deployed to.

    Attributes:
        azure: the account.
        service: publishes the Function App's code.
        folder: the project's copy, the state and Pulumi's home.
        runs: every operation so far.
    """

    def __init__(self, *, azure: Azure, service: DeploymentService, stack: automation.Stack) -> None:
        self.azure = azure
        self.service = service
        self.folder = Path(stack.workspace.work_dir)
        self.runs: list[Run] = []
        self._stack = stack

    def configure(self, values: Mapping[str, str], secrets: Mapping[str, str] | None = None) -> None:
        """Sets values of the stack's configuration; lists and maps are JSON."""
        project = self._stack.workspace.project_settings().name
        config: dict[str, dict[str, Any]] = {}
        for key, value in {**values, **(secrets or {})}.items():
            full = key if ":" in key else f"{project}:{key}"
            config[full] = {"value": value, "secret": key in (secrets or {})}
            if value.startswith(("[", "{")):
                config[full]["objectValue"] = json.loads(value)
        self.pulumi("config", "set-all", "--json", json.dumps(config)).check_returncode()

    def preview(self) -> Run:
        """`pulumi preview`."""
        return self._run("preview", self._stack.preview)

    def up(self, **options: Any) -> Run:
        """`pulumi up --skip-preview --yes`."""
        return self._run("up", self._stack.up, **options)

    def refresh(self) -> Run:
        """`pulumi refresh --yes`."""
        return self._run("refresh", self._stack.refresh)

    def destroy(self) -> Run:
        """`pulumi destroy --skip-preview --yes`."""
        return self._run("destroy", self._stack.destroy)

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the CLI on the stack, with its output as text; a failure is in the return code."""
        workspace = self._stack.workspace
        return subprocess.run(
            [workspace.pulumi_command.command, "--non-interactive", *arguments, "--stack", self._stack.name],
            cwd=self.folder,
            env={**os.environ, **workspace.env_vars, "PULUMI_HOME": workspace.pulumi_home},
            capture_output=True,
            text=True,
            check=False,
        )

    def state(self) -> dict[str, Any]:
        """The stack's state as it is stored."""
        (file,) = (self.folder / "state").glob(".pulumi/stacks/*/*.json")
        return json.loads(file.read_text(encoding="utf-8"))

    def stored(self) -> Iterator[Path]:
        """All files of the deployment: state with its history, stack file, logs."""
        return (path for path in self.folder.rglob("*") if path.is_file())

    def _run(self, operation: Operation, run: Any, **options: Any) -> Run:
        since = len(self.azure.record)
        printed: list[str] = []
        events: list[Any] = []
        try:
            run(on_output=printed.append, on_error=printed.append, on_event=events.append, **options)
            failed = False
        except automation.CommandError:
            failed = True
        result = Run(
            operation=operation,
            failed=failed,
            output="\n".join(printed),
            steps=tuple(_steps(events)),
            events="\n".join(repr(event) for event in events),
            calls=self.azure.record.calls(since),
        )
        self.runs.append(result)
        return result


@contextmanager
def deployment(folder: Path, stack: str = "dev") -> Iterator[Deployment]:
    """A stack that is not deployed yet, with the committed configuration."""
    command = cli.command()
    azure = Azure()
    service = DeploymentService(azure=azure)
    for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        shutil.copy(cli.ROOT / name, folder)
    for name in ("state", "home", "plugins"):
        (folder / name).mkdir()
    with ExitStack() as stack_:
        proxy = stack_.enter_context(deployment_service.serve(service, folder))
        attached = stack_.enter_context(provider.serve(azure))
        _write_dynamic_provider(folder / "plugins", proxy)
        workspace = automation.LocalWorkspace(
            work_dir=str(folder),
            pulumi_home=str(folder / "home"),
            pulumi_command=command,
            program=_program,
            env_vars={
                "PATH": f"{folder / 'plugins'}{os.pathsep}{os.environ['PATH']}",
                "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE": "canary-passphrase",
                "PULUMI_DEBUG_PROVIDERS": attached,
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                # The state is written once, at the end: writing it after every step takes most of the time.
                "PULUMI_EXPERIMENTAL": "true",
                "PULUMI_SKIP_CHECKPOINTS": "true",
                "ARM_CLIENT_ID": "00000000-0000-4000-8000-000000000001",
                "ARM_CLIENT_SECRET": CLIENT_SECRET,
                "ARM_TENANT_ID": "00000000-0000-4000-8000-000000000002",
            },
        )
        yield Deployment(
            azure=azure, service=service, stack=automation.Stack.create_or_select(stack, workspace)
        )


def _program() -> None:
    root = str(cli.ROOT)
    if root not in sys.path:
        sys.path.insert(0, root)
    runpy.run_path(f"{root}/__main__.py", run_name="__main__")


def _write_dynamic_provider(folder: Path, proxy: deployment_service.Proxy) -> None:
    """The plugin for dynamic providers, which comes with the CLI's language host and not with its module."""
    plugin = folder / "pulumi-resource-pulumi-python"
    plugin.write_text(
        "#!/bin/sh\n"
        f'export PYTHONPATH="{cli.ROOT}" HTTPS_PROXY="{proxy.url}" REQUESTS_CA_BUNDLE="{proxy.authority}"\n'
        'export NO_PROXY="127.0.0.1,localhost"\n'
        f'exec "{sys.executable}" -u -m pulumi.dynamic "$@"\n',
        encoding="utf-8",
    )
    plugin.chmod(0o755)


def _steps(events: list[Any]) -> Iterator[Step]:
    for event in events:
        if event.resource_pre_event:
            metadata = event.resource_pre_event.metadata
            yield Step(
                op=str(getattr(metadata.op, "value", metadata.op)),
                urn=metadata.urn,
                changed=tuple(sorted(metadata.detailed_diff or metadata.diffs or ())),
            )

