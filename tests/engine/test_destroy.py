"""A stack is destroyed; the first attempt fails because resources of one kind cannot be deleted."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """A stack that was destroyed at the second attempt.

    Attributes:
        stack: the stack.
        first: the attempt that failed.
        second: the attempt after it.
    """

    stack: Deployment
    first: Run
    second: Run


@pytest.fixture(scope="module", params=FAILING)
def destroyed(request: pytest.FixtureRequest, new_stack: Deploy) -> Destroyed:
    """A small stack for each kind of resource: deployed, and destroyed at the second attempt."""
    stack, kind = new_stack(SMALL), request.param
    deployed = stack.up()
    assert not deployed.failed, deployed.output
    stack.unprotect()
    stack.azure.faults.refuse = lambda call: call.kind == "delete" and call.is_of(kind)
    first = stack.destroy()
    stack.azure.faults.refuse = lambda _call: False
    return Destroyed(stack=stack, first=first, second=stack.destroy())


def test_a_failure_is_reported(destroyed: Destroyed) -> None:
    assert destroyed.first.failed
    assert "was refused by the test" in destroyed.first.output


def test_the_invariants_hold_at_all_times(destroyed: Destroyed) -> None:
    violations = invariants.violations(Timeline(destroyed.stack.azure.record.calls()))
    assert not violations, "\n".join(violations)


def test_no_resource_remains(destroyed: Destroyed) -> None:
    assert not destroyed.second.failed, destroyed.second.output
    assert destroyed.stack.azure.resources == {}
