"""The workflows of GitHub Actions: linters have no findings, and only some steps receive credentials."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.pulumi_cli import pinned_version

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.y*ml"))
DEPLOY = yaml.safe_load((FOLDER / "deploy.yml").read_text(encoding="utf-8"))
JOBS: Mapping[str, Any] = DEPLOY["jobs"]

REPOSITORY = "example/gateway"
PULL_REQUEST = {
    "github.event_name": "pull_request",
    "github.repository": REPOSITORY,
    "github.event.pull_request.head.repo.full_name": REPOSITORY,
    "github.event.pull_request.user.login": "ada",
    "vars.PULUMI_STACK": "prod",
}
"""Contexts of a pull request within the repository."""


def started(changed: Mapping[str, str]) -> set[str]:
    """The jobs of the deployment that run for an event: `PULL_REQUEST` with these values changed."""
    contexts = {**PULL_REQUEST, **changed}
    return {
        name
        for name, job in JOBS.items()
        if all(_holds(condition, contexts) for condition in job["if"].split("&&"))
    }


def _holds(comparison: str, contexts: Mapping[str, str]) -> bool:
    left, operator, right = comparison.split()
    values = [side[1:-1] if side.startswith("'") else contexts.get(side, "") for side in (left, right)]
    return (values[0] == values[1]) == {"==": True, "!=": False}[operator]


def position(job: Mapping[str, Any], text: str) -> int:
    """The index of the step whose command or action contains a string."""
    (index,) = [
        index for index, step in enumerate(job["steps"]) if text in step.get("run", step.get("uses", ""))
    ]
    return index


def test_zizmor_has_no_findings() -> None:
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "zizmor", "--offline", "--no-config", "--format=plain", FOLDER],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_zizmor_would_find_the_title_of_a_pull_request_in_a_command(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "wrong.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(
        "on: pull_request_target\njobs:\n  one:\n    runs-on: ubuntu-24.04\n"
        '    steps:\n      - run: echo "${{ github.event.pull_request.title }}"\n'
    )
    zizmor = [ROOT / ".venv" / "bin" / "zizmor", "--offline", "--no-config", "--format=plain", workflow]
    assert b"template-injection" in subprocess.run(zizmor, capture_output=True, check=False).stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_actions_are_pinned_by_commit_and_name_their_version(workflow: Path) -> None:
    uses = re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8"))
    assert uses
    wrong = [use for use in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)]
    assert wrong == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_no_workflow_runs_code_of_a_fork_with_credentials(workflow: Path) -> None:
    read = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    assert set(read[True]) <= {"pull_request", "push"}
    assert set(read["permissions"].items()) <= {("contents", "read")}


def test_each_pull_request_runs_make_check() -> None:
    check = yaml.safe_load((FOLDER / "check.yaml").read_text(encoding="utf-8"))
    # Without a filter, pull requests to every branch count. YAML 1.1 reads the key `on` as true.
    assert check[True]["pull_request"] is None
    jobs = [
        job for job in check["jobs"].values() if any(step.get("run") == "make check" for step in job["steps"])
    ]
    assert ["if" in job for job in jobs] == [False]


def test_pre_commit_runs_the_commands_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    listed = subprocess.run(
        ["make", "--dry-run", "lint"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wanted = [line.removesuffix(" .") for line in listed.stdout.splitlines() if line.startswith(".venv/bin/")]
    entries = [
        hook["entry"].replace(" --force-exclude", "") for repository in hooks for hook in repository["hooks"]
    ]
    # Nothing is downloaded: all hooks are local.
    assert {repository["repo"] for repository in hooks} == {"local"}
    assert sorted(entries) == sorted(wanted)


def test_deploying_jobs_may_only_read_the_repository_and_sign_in() -> None:
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        name: {"contents": "read", "id-token": "write"} for name in ("preview", "deploy")
    }


def test_a_pull_request_is_previewed_and_a_commit_on_main_is_deployed() -> None:
    assert DEPLOY[True] == {"pull_request": {"branches": ["main"]}, "push": {"branches": ["main"]}}
    assert started({}) == {"preview"}
    assert started({"github.event_name": "push"}) == {"deploy"}


@pytest.mark.parametrize(
    "changed",
    [
        {"github.event.pull_request.head.repo.full_name": "mallory/gateway"},
        {"github.event.pull_request.head.repo.full_name": ""},
        {"github.event.pull_request.user.login": "dependabot[bot]"},
    ],
    ids=["fork", "deleted fork", "dependabot"],
)
def test_no_job_runs_for_a_pull_request_from_a_fork_or_dependabot(changed: Mapping[str, str]) -> None:
    assert started(changed) == set()


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_no_job_runs_in_a_repository_without_a_stack(event: str) -> None:
    assert started({"github.event_name": event, "vars.PULUMI_STACK": ""}) == set()


def test_previews_and_deployments_have_environments_of_their_own() -> None:
    """Each environment has its own identity, approvals and variables."""
    assert {name: job["environment"] for name, job in JOBS.items()} == {
        "preview": "preview",
        "deploy": "production",
    }


def test_one_deployment_runs_at_a_time_and_is_never_cancelled() -> None:
    concurrency = JOBS["deploy"]["concurrency"]
    assert concurrency == {"group": "deploy-${{ vars.PULUMI_STACK }}", "cancel-in-progress": False}
    assert JOBS["preview"]["concurrency"]["group"] != concurrency["group"]


@pytest.mark.parametrize("name", JOBS)
def test_a_secret_reaches_only_the_steps_that_run_pulumi(name: str) -> None:
    job = JOBS[name]
    assert "secrets." not in str({key: value for key, value in job.items() if key != "steps"})
    for step in job["steps"]:
        if "secrets." in str(step):
            assert step["env"] == {"PULUMI_ACCESS_TOKEN": "${{ secrets.PULUMI_ACCESS_TOKEN }}"}
            assert re.search(r"pulumi (preview|up)|make verify", step["run"])


@pytest.mark.parametrize("name", JOBS)
def test_no_expression_is_part_of_a_command_and_no_command_prints_secrets(name: str) -> None:
    commands = [step["run"] for step in JOBS[name]["steps"] if "run" in step]
    assert commands
    assert [
        command
        for command in commands
        if "${{" in command or "--show-secrets" in command or "set -x" in command
    ] == []


@pytest.mark.parametrize("name", JOBS)
def test_a_checkout_does_not_store_its_token(name: str) -> None:
    checkout = JOBS[name]["steps"][position(JOBS[name], "actions/checkout@")]
    assert checkout["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", JOBS)
def test_the_program_signs_in_with_a_federated_credential(name: str) -> None:
    environment = JOBS[name]["env"]
    assert environment["ARM_USE_OIDC"] == "true"
    assert not [key for key in environment if "SECRET" in key or "PASSWORD" in key or "PASSPHRASE" in key]
    login = next(step for step in JOBS[name]["steps"] if "azure/login@" in step.get("uses", ""))
    assert set(login["with"]) == {"client-id", "tenant-id", "subscription-id"}


@pytest.mark.parametrize("name", JOBS)
def test_the_version_of_the_cli_is_that_of_the_engine_tests(name: str) -> None:
    install = JOBS[name]["steps"][position(JOBS[name], "pulumi/actions@")]
    assert install["with"] == {"pulumi-version": pinned_version()}


def test_a_deployment_is_checked_before_and_verified_after() -> None:
    job = JOBS["deploy"]
    order = [
        position(job, text) for text in ("make preflight", "pulumi/actions@", "pulumi up", "make verify")
    ]
    assert order == sorted(order)
    assert not [step for step in job["steps"] if "continue-on-error" in step or "if" in step]


def test_a_preview_changes_nothing() -> None:
    commands = " ".join(step.get("run", "") for step in JOBS["preview"]["steps"])
    assert re.findall(r"pulumi (\w+)", commands) == ["preview"]


def test_the_documented_subject_names_the_environment_of_the_deployment() -> None:
    page = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
    (credential,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    subject = json.loads(credential)["subject"]
    assert subject.endswith(f":environment:{JOBS['deploy']['environment']}")
    for job in JOBS.values():
        assert f"--env {job['environment']} " in page


def test_the_documented_variables_are_those_that_the_workflow_reads() -> None:
    page = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
    read = set(re.findall(r"vars\.(\w+)", (FOLDER / "deploy.yml").read_text(encoding="utf-8")))
    assert set(re.findall(r"gh variable set (\w+)", page)) == read
