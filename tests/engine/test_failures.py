"""A first deployment in which one kind of resource is refused, and a second deployment.

Azure refuses the resource only after all resources that do not depend on it were created. At this moment a
missing dependency has the largest effect.
"""

from dataclasses import dataclass

import pytest

from tests.engine import invariants
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.stacks import SMALL
from tests.engine.timeline import Timeline
from twin.stack import evaluate

PUBLICATION = "the publication"

KINDS = sorted(
    {
        resource.type
        for resource in evaluate(dict(SMALL.values), dict(SMALL.secrets)).resources
        if resource.custom and not resource.type.startswith("pulumi-python:")
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A deployment that failed and was repeated.

    Attributes:
        kind: type of the resources that were refused.
        stack: the stack.
        failed: the first deployment.
        again: the second deployment.
    """

    kind: str
    stack: Deployment
    failed: Run
    again: Run


@pytest.fixture(scope="module", params=[*KINDS, PUBLICATION])
def failure(request: pytest.FixtureRequest, new_stack: Deploy) -> Failure:
    """A deployment at which resources of one kind are refused."""
    stack, kind = new_stack(SMALL), request.param
    if kind == PUBLICATION:
        stack.service.broken = "Oryx: No matching distribution found for azure-functions"
    else:
        stack.azure.faults.refuse = lambda call: call.type == kind
    failed = stack.up()
    stack.service.broken = None
    stack.azure.faults.refuse = lambda _call: False
    return Failure(kind=kind, stack=stack, failed=failed, again=stack.up())


def test_the_failure_is_reported(failure: Failure) -> None:
    assert failure.failed.failed
    reason = "No matching distribution" if failure.kind == PUBLICATION else "was refused by the test"
    assert reason in failure.failed.output


def test_the_invariants_hold_at_all_times(failure: Failure) -> None:
    violations = invariants.violations(Timeline(failure.stack.azure.record.calls()))
    assert not violations, "\n".join(violations)


def test_the_next_deployment_completes_the_stack(failure: Failure) -> None:
    assert not failure.again.failed, failure.again.output
    existing = {resource.urn for resource in failure.stack.azure.resources.values()}
    missing = [
        step.name
        for step in failure.again.steps
        if step.type.startswith(("azure-native:", "azuread:")) and step.urn not in existing
    ]
    assert missing == []
    assert failure.stack.service.functions


def test_the_next_deployment_replaces_nothing(failure: Failure) -> None:
    assert failure.again.names("replace", "create-replacement", "delete-replaced", "delete") == []
