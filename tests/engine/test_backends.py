"""MCP servers that are added to a deployed stack and removed from it."""

import json
from dataclasses import dataclass

import pytest

from tests.engine import invariants
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.stacks import CANARIES, DEV, NOTES
from tests.engine.timeline import Timeline

_WITHOUT_JIRA = json.dumps(["functions", "slack", "github"])
_ALL = json.dumps(["functions", "slack", "jira", "github"])

FAILING = (
    "apimanagement:ApiOperation",
    "apimanagement:ApiPolicy",
    "apimanagement:Api",
    "app:ContainerApp",
)
"""The types, in the order of their deletion, whose resources cannot be deleted in one deployment each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The deployments of one stack, in this order.

    Attributes:
        stack: the stack.
        removed: Jira is removed.
        added: a container is added.
        restored: Jira is added again.
        failed: Jira is removed, but resources of one type cannot be deleted; by type.
        completed: the removal is repeated and succeeds.
    """

    stack: Deployment
    removed: Run
    added: Run
    restored: Run
    failed: dict[str, Run]
    completed: Run


@pytest.fixture(scope="module")
def history(new_stack: Deploy) -> History:
    """The dev stack with all these deployments."""
    stack = new_stack(DEV)
    first = stack.up()
    assert not first.failed, first.output
    stack.configure({"backends": _WITHOUT_JIRA})
    removed = stack.up()
    stack.configure({"containers": json.dumps([NOTES])}, {"notesToken": CANARIES["notesToken"]})
    added = stack.up()
    stack.configure({"backends": _ALL})
    restored = stack.up()
    stack.configure({"backends": _WITHOUT_JIRA})
    failed = {}
    for kind in FAILING:
        stack.azure.faults.refuse = lambda call, kind=kind: call.kind == "delete" and call.is_of(kind)
        failed[kind] = stack.up()
    stack.azure.faults.refuse = lambda _call: False
    return History(
        stack=stack, removed=removed, added=added, restored=restored, failed=failed, completed=stack.up()
    )


@pytest.mark.parametrize("run", ["removed", "added", "restored", "completed"])
def test_a_change_of_servers_is_deployed(history: History, run: str) -> None:
    done: Run = getattr(history, run)
    assert not done.failed, done.output


@pytest.mark.parametrize("kind", FAILING)
def test_a_removal_that_fails_is_reported(history: History, kind: str) -> None:
    assert history.failed[kind].failed
    assert "was refused by the test" in history.failed[kind].output


def test_the_invariants_hold_at_all_times(history: History) -> None:
    violations = invariants.violations(Timeline(history.stack.azure.record.calls()))
    assert not violations, "\n".join(violations)


def test_a_removed_server_leaves_nothing_but_secrets_that_no_identity_can_read(history: History) -> None:
    """Only the data plane of the vault deletes secrets; purge protection would keep them in any case."""
    for run in (history.removed, history.completed):
        assert run.names("delete")
    left = [resource for resource in history.stack.azure.resources.values() if "jira" in resource.id]
    assert {resource.type for resource in left} == {"azure-native:keyvault:Secret"}


def test_a_removal_changes_no_other_server(history: History) -> None:
    touched = {call.name for call in history.removed.calls if call.changed_azure and not call.is_in("random")}
    assert [name for name in touched if name.startswith(("slack", "functions"))] == []


def test_an_added_server_changes_no_other_server(history: History) -> None:
    changed = [call for call in history.added.calls if call.changed_azure]
    assert [call.name for call in changed if call.name.startswith(("slack", "functions"))] == []
    assert {call.name for call in changed if call.kind == "create" and "notes" in call.name}
