"""A deployment of newer settings, and the rollback to the older ones that docs/operations.md describes.

The project has one release, so both deployments run the same program and differ only in their settings.
"""

import json
from dataclasses import dataclass

import pytest

from tests.engine import invariants
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.stacks import CANARIES, NOTES, WIKI, StackSettings
from tests.engine.timeline import Timeline

OLDER = {
    "backends": json.dumps(["functions"]),
    "containers": json.dumps([NOTES]),
    "sku": "BasicV2",
    "capacity": "1",
    "callsPerMinute": "3000",
}
NEWER = {
    "backends": json.dumps(["functions"]),
    "containers": json.dumps([WIKI]),
    "sku": "StandardV2",
    "capacity": "2",
    "callsPerMinute": "600",
}
LASTING = ("ApiManagementService", "DatabaseAccount", "RandomBytes", "StorageAccount", "Vault")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The operations on one stack, in this order.

    Attributes:
        stack: the stack.
        keys: ids of the named values with keys after the upgrade.
        upgrade: the deployment of the newer settings, with another version of the keys.
        preview: the preview of the rollback.
        rollback: the deployment of the older settings; the version of the keys is left as it is.
        again: a deployment after it.
    """

    stack: Deployment
    keys: frozenset[str]
    upgrade: Run
    preview: Run
    rollback: Run
    again: Run


def keys_of(stack: Deployment) -> frozenset[str]:
    """The named values that refer to a key."""
    values = stack.azure.of_type("apimanagement:NamedValue")
    return frozenset(value.id for value in values if value.inputs.get("keyVault"))


@pytest.fixture(scope="module")
def history(new_stack: Deploy) -> History:
    """A stack that is upgraded and rolled back."""
    stack = new_stack(StackSettings(values=OLDER, secrets={"notesToken": CANARIES["notesToken"]}))
    first = stack.up()
    assert not first.failed, first.output
    stack.configure({**NEWER, "keyVersion": "2"})
    # The program refuses a secret that no server uses, so that it does not remain in the stack's file.
    assert "pulumi config rm notesToken" in stack.preview().output
    assert stack.pulumi("config", "rm", "notesToken").returncode == 0
    upgrade = stack.up()
    keys = keys_of(stack)
    stack.configure(OLDER, {"notesToken": CANARIES["notesToken"]})
    preview = stack.preview("--diff")
    return History(
        stack=stack, keys=keys, upgrade=upgrade, preview=preview, rollback=stack.up(), again=stack.up()
    )


def test_the_older_settings_are_deployed_again(history: History) -> None:
    for run in (history.upgrade, history.preview, history.rollback, history.again):
        assert not run.failed, run.output
    (service,) = history.stack.azure.of_type("apimanagement:ApiManagementService")
    assert service.inputs["sku"] == {"name": "BasicV2", "capacity": 1}
    apps = {app.inputs["tags"]["mcp-server"] for app in history.stack.azure.of_type("app:ContainerApp")}
    assert apps == {"notes"}


def test_a_rollback_does_not_change_the_keys(history: History) -> None:
    assert keys_of(history.stack) == history.keys
    assert {key.rpartition("/")[2] for key in history.keys} == {
        f"{purpose}-key-v{version}" for purpose in ("token", "consent") for version in range(1, 5)
    }


def test_no_resource_with_state_is_replaced(history: History) -> None:
    touched = [
        step.name
        for run in (history.upgrade, history.rollback)
        for step in run.steps
        if step.op not in ("same", "create", "update") and step.type.endswith(LASTING)
    ]
    assert touched == []


def test_a_server_that_was_removed_is_created_again_with_its_secret(history: History) -> None:
    assert "notes-http" in history.upgrade.names("delete")
    assert {"notes-http", "notes-secrets-notes-token"} <= set(history.rollback.names("create"))


def test_the_preview_shows_all_changes_of_the_rollback(history: History) -> None:
    previewed = {(step.urn, step.op) for step in history.preview.changes}
    assert [step.name for step in history.rollback.changes if (step.urn, step.op) not in previewed] == []


def test_the_invariants_hold_and_the_next_deployment_changes_nothing(history: History) -> None:
    violations = invariants.violations(Timeline(history.stack.azure.record.calls()))
    assert not violations, "\n".join(violations)
    assert history.again.changes == ()
