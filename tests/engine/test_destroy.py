"""A stack is destroyed, and each time another kind of resource cannot be deleted."""

from dataclasses import dataclass

import pytest

from tests.engine import invariants
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.stacks import SMALL
from tests.engine.timeline import Timeline

FAILING = (
    "app:HttpRouteConfig",
    "app:ContainerApp",
    "web:WebApp",
    "apimanagement:ApiManagementService",
    "resources:ResourceGroup",
)
"""In an order in which each still exists when its turn comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """A stack that was destroyed at last.

    Attributes:
        stack: the stack.
        failed: the attempts that failed, by the type that could not be deleted.
        last: the attempt that did not.
    """

    stack: Deployment
    failed: dict[str, Run]
    last: Run


@pytest.fixture(scope="module")
def destroyed(new_stack: Deploy) -> Destroyed:
    """A small stack, deployed and destroyed."""
    stack = new_stack(SMALL)
    first = stack.up()
    assert not first.failed, first.output
    stack.unprotect()
    failed = {}
    for kind in FAILING:
        stack.azure.faults.refuse = lambda call, kind=kind: call.kind == "delete" and call.is_of(kind)
        failed[kind] = stack.destroy()
    stack.azure.faults.refuse = lambda _call: False
    return Destroyed(stack=stack, failed=failed, last=stack.destroy())


@pytest.mark.parametrize("kind", FAILING)
def test_a_failure_is_reported(destroyed: Destroyed, kind: str) -> None:
    assert destroyed.failed[kind].failed
    assert "was refused by the test" in destroyed.failed[kind].output


def test_every_rule_holds_at_every_instant(destroyed: Destroyed) -> None:
    found = invariants.violations(Timeline(destroyed.stack.azure.record.calls()))
    assert not found, "\n".join(found)


def test_nothing_is_left(destroyed: Destroyed) -> None:
    assert not destroyed.last.failed, destroyed.last.output
    assert destroyed.stack.azure.resources == {}
