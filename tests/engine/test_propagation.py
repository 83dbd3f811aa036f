"""Role assignments take effect minutes after their creation, and the first deployment waits for them."""

import pytest

from scripts import pulumi_cli
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.program import ProjectWithShortWaits
from tests.engine.record import Call
from tests.engine.stacks import SMALL

READERS = ("apimanagement:NamedValue", "app:ContainerApp")


@pytest.fixture(scope="module")
def stack(new_stack: Deploy) -> Deployment:
    """A stack whose role assignments take effect late."""
    created = new_stack(SMALL)
    created.program = ProjectWithShortWaits(pulumi_cli.ROOT)
    return created


@pytest.fixture(scope="module")
def first(stack: Deployment) -> Run:
    """The first deployment; Azure refuses each reference twice."""
    stack.azure.faults.unpropagated = 2
    return stack.up()


def creations(run: Run, type_: str) -> dict[str, list[Call]]:
    """The attempts to create resources that refer to a secret, by logical name."""
    calls: dict[str, list[Call]] = {}
    for call in run.calls:
        if (
            call.kind == "create"
            and call.is_of(type_)
            and (call.error or "secretIdentifier" in str(call.inputs))
        ):
            calls.setdefault(call.name, []).append(call)
    return calls


@pytest.mark.parametrize("type_", READERS)
def test_a_reference_to_a_secret_is_created_again_until_its_identity_may_read_it(
    first: Run, type_: str
) -> None:
    assert not first.failed, first.output
    refused = {name: calls for name, calls in creations(first, type_).items() if len(calls) > 1}
    assert refused
    for calls in refused.values():
        assert ["ForbiddenByRbac" in call.error for call in calls[:2]] == [True, True]


def test_the_output_explains_what_the_deployment_waits_for(first: Run) -> None:
    assert (
        "its identity cannot read the secret yet; a new role assignment takes up to ten minutes"
        in first.output
    )


def test_a_second_deployment_after_a_retry_changes_nothing(stack: Deployment, first: Run) -> None:
    assert not first.failed
    preview = stack.preview()
    assert not preview.failed
    assert preview.changes == ()


def test_a_failed_removal_shows_azures_error(stack: Deployment, first: Run) -> None:
    """The program registers the hooks that retry, and `pulumi destroy` does not run the program."""
    assert not first.failed
    stack.unprotect()
    stack.azure.faults.refuse = lambda call: call.kind == "delete" and call.is_of("app:ContainerApp")
    removed = stack.destroy()
    assert removed.failed
    assert "delete of notes-http was refused by the test" in removed.output
    stack.azure.faults.refuse = lambda _call: False
    assert not stack.destroy().failed
