"""Changes outside of Pulumi are found and repaired; a destroyed stack can be deployed again."""

import pytest

from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment
from tests.engine.invariants import LOCKS
from tests.engine.stacks import SMALL


@pytest.fixture(scope="module")
def stack(new_stack: Deploy) -> Deployment:
    """A deployed stack."""
    stack = new_stack(SMALL)
    first = stack.up()
    assert not first.failed, first.output
    return stack


@pytest.mark.parametrize("app", LOCKS)
def test_a_lock_that_somebody_removed_is_put_back(stack: Deployment, app: str) -> None:
    (resource,) = stack.azure.of_type(app)
    lock = resource.id + LOCKS[app]
    stack.azure.remove(lock)
    assert stack.refresh().names("delete") != []
    repaired = stack.up()
    assert not repaired.failed, repaired.output
    assert lock.lower() in stack.azure.resources


def test_a_policy_that_somebody_edited_is_restored(stack: Deployment) -> None:
    edited = next(one for one in stack.azure.of_type("apimanagement:ApiPolicy") if "notes" in one.id)
    stack.azure.change(edited.id, value="<policies />")
    assert [step.urn for step in stack.refresh().changes if step.op == "update"] == [edited.urn]
    assert [step.urn for step in stack.up().changes if step.op == "update"] == [edited.urn]
    assert stack.azure.resources[edited.id.lower()].inputs["value"] == edited.inputs["value"]


def test_an_api_that_somebody_deleted_is_published_again(stack: Deployment) -> None:
    api = next(one for one in stack.azure.of_type("apimanagement:Api") if "notes" in one.id)
    below = [key for key in stack.azure.resources if key.startswith(f"{api.id.lower()}/")]
    assert below
    for key in (api.id, *below):
        stack.azure.remove(key)
    assert api.urn in {step.urn for step in stack.refresh().steps if step.op == "delete"}
    repaired = stack.up()
    assert not repaired.failed, repaired.output
    assert {api.id.lower(), *below} <= stack.azure.resources.keys()


def test_a_destroyed_stack_can_be_deployed_again(stack: Deployment) -> None:
    """API Management keeps the name of a deleted service for 48 hours."""
    (before,) = stack.azure.of_type("apimanagement:ApiManagementService")
    stack.unprotect()
    assert not stack.destroy().failed
    again = stack.up()
    assert not again.failed, again.output
    (after,) = stack.azure.of_type("apimanagement:ApiManagementService")
    assert after.id != before.id
