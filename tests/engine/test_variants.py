"""Stacks in a network, with a custom host name, and with existing resources, from preview to destroy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.engine import invariants
from tests.engine.azure import Azure
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.refusals import Existing
from tests.engine.stacks import ADOPTING, VARIANTS
from tests.engine.timeline import Timeline
from tests.existing import CERTIFICATE, EXISTING, SUBSCRIPTION, TYPES, resource_id

CHANGE = {"callsPerMinute": "1000", "tags": json.dumps({"costCenter": "4711"})}
"""One setting that changes policies, and one that changes every resource that the stack owns."""


def prepare(azure: Azure) -> None:
    """Creates the existing resources that the stacks of these tests adopt, and another API."""
    azure.place(
        "azure-native:resources:ResourceGroup", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shared"
    )
    for setting, type_ in TYPES.items():
        outputs = {
            "existingApiManagement": {
                "sku": {"name": "StandardV2", "capacity": 1},
                "identity": {
                    "type": "UserAssigned",
                    "userAssignedIdentities": {resource_id("existingIdentity"): {}},
                },
            }
        }.get(setting, {})
        azure.place(f"azure-native:{type_}", resource_id(setting), **outputs)
    azure.place("azure-native:keyvault:Secret", CERTIFICATE)
    service = resource_id("existingApiManagement")
    azure.place("azure-native:apimanagement:Policy", f"{service}/policies/policy")
    azure.place("azure-native:apimanagement:Api", f"{service}/apis/payments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The lifecycle of one stack, from its first preview until no resource remains.

    Attributes:
        stack: the stack, destroyed.
        before: the resources that existed before the stack.
        preview: of the first deployment.
        deployed: the first deployment.
        again: a second deployment, without a change.
        changed: a deployment with other settings.
        destroyed: the destruction of the stack.
    """

    stack: Deployment
    before: Mapping[str, Existing]
    preview: Run
    deployed: Run
    again: Run
    changed: Run
    destroyed: Run


@pytest.fixture(scope="module", params=VARIANTS)
def lifecycle(request: pytest.FixtureRequest, new_stack: Deploy) -> Lifecycle:
    """The lifecycle of each stack, run once for all tests."""
    stack = new_stack(VARIANTS[request.param])
    prepare(stack.azure)
    before = stack.azure.resources
    preview, deployed, again = stack.preview(), stack.up(), stack.up()
    stack.configure(CHANGE)
    changed = stack.up()
    stack.unprotect()
    return Lifecycle(
        stack=stack,
        before=before,
        preview=preview,
        deployed=deployed,
        again=again,
        changed=changed,
        destroyed=stack.destroy(),
    )


def test_a_preview_shows_what_is_created(lifecycle: Lifecycle) -> None:
    assert not lifecycle.deployed.failed, lifecycle.deployed.output
    assert lifecycle.deployed.names("create") == lifecycle.preview.names("create")
    assert set(lifecycle.deployed.counts()) == {"create"}


def test_no_resource_is_refused(lifecycle: Lifecycle) -> None:
    refused = [
        f"{call.kind} {call.name}: {call.error}"
        for call in lifecycle.stack.azure.record.calls()
        if call.error
    ]
    assert refused == []


def test_the_invariants_hold_at_all_times(lifecycle: Lifecycle) -> None:
    violations = invariants.violations(Timeline(lifecycle.stack.azure.record.calls()))
    assert not violations, "\n".join(violations)


def test_a_second_deployment_changes_nothing(lifecycle: Lifecycle) -> None:
    assert not lifecycle.again.failed, lifecycle.again.output
    assert lifecycle.again.changes == ()
    assert [call for call in lifecycle.again.calls if call.changed_azure] == []


def test_a_change_updates_and_replaces_nothing(lifecycle: Lifecycle) -> None:
    assert not lifecycle.changed.failed, lifecycle.changed.output
    assert set(lifecycle.changed.counts()) == {"update"}


def test_existing_resources_are_never_written_and_stay_unchanged(lifecycle: Lifecycle) -> None:
    assert not lifecycle.destroyed.failed, lifecycle.destroyed.output
    written = [
        f"{call.kind} {call.id}"
        for call in lifecycle.stack.azure.record.calls()
        if call.changed_azure and call.id.lower() in lifecycle.before
    ]
    assert written == []
    assert lifecycle.stack.azure.resources == lifecycle.before


@pytest.fixture(scope="module")
def interrupted(new_stack: Deploy) -> tuple[Deployment, Mapping[str, Existing], Run]:
    """A stack with adopted resources. Its first deployment fails at the end, and it is then destroyed."""
    stack = new_stack(ADOPTING)
    prepare(stack.azure)
    before = stack.azure.resources
    stack.azure.faults.refuse = lambda call: call.is_of("apimanagement:ApiOperation")
    failed = stack.up()
    stack.azure.faults.refuse = lambda _call: False
    stack.unprotect()
    destroyed = stack.destroy()
    assert not destroyed.failed, destroyed.output
    return stack, before, failed


def test_a_failed_deployment_does_not_change_adopted_resources(
    interrupted: tuple[Deployment, Mapping[str, Existing], Run],
) -> None:
    stack, before, failed = interrupted
    assert failed.failed
    written = [
        call.id for call in stack.azure.record.calls() if call.changed_azure and call.id.lower() in before
    ]
    assert written == []
    assert stack.azure.resources == before


def test_every_kind_of_resource_that_can_be_adopted_is_in_the_state_as_read_only(new_stack: Deploy) -> None:
    """Pulumi marks such a resource as external; `pulumi destroy` removes it only from the state."""
    stack = new_stack(ADOPTING)
    prepare(stack.azure)
    deployed = stack.up()
    assert not deployed.failed, deployed.output
    external = {resource["id"] for resource in stack.state()["resources"] if resource.get("external")}
    assert external == {resource_id(setting) for setting in TYPES}
    assert EXISTING["existingApplication"] in json.dumps(stack.state()["resources"])


def test_another_address_is_refused_in_the_preview(new_stack: Deploy) -> None:
    """The registration of every client contains the URL."""
    stack = new_stack(VARIANTS["own host name"])
    prepare(stack.azure)
    assert not stack.up().failed
    stack.configure({"gatewayHostname": "other.example.com"})
    preview = stack.preview()
    assert preview.failed
    assert "address-that-clients-registered-with" in preview.output
    assert "marked for protection" in preview.output
