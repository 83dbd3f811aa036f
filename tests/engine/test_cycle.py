"""The lifecycle of a stack, for every tier: preview, deploy, deploy again, refresh, destroy."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.engine import invariants
from tests.engine.azure import Hold
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.invariants import AUTHENTICATION
from tests.engine.record import Call
from tests.engine.stacks import TIERS
from tests.engine.timeline import Timeline

_SERVICE = "apimanagement:ApiManagementService"
_LOGS = ("gateway-logs-apim", "gateway-azure-monitor-deployment")
"""The diagnostic setting of the service, and the template with its logger: they need the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """The lifecycle of one stack, from its first preview until no resource remains.

    Attributes:
        stack: the stack, destroyed.
        preview: of the first deployment.
        deployed: the first deployment; API Management is created after all resources that do not need it.
        dependencies: the dependencies of each resource, by URN.
        again: a second deployment, without a change.
        refreshed: a refresh after that.
        refused: a destroy while resources are protected.
        destroyed: another destroy, after `pulumi state unprotect --all`.
    """

    stack: Deployment
    preview: Run
    deployed: Run
    dependencies: Mapping[str, frozenset[str]]
    again: Run
    refreshed: Run
    refused: Run
    destroyed: Run

    @property
    def timeline(self) -> Timeline:
        """The history of the account."""
        return Timeline(self.stack.azure.record.calls())

    def waits_for(self, urn: str) -> frozenset[str]:
        """All direct and indirect dependencies of a resource."""
        dependencies: set[str] = set()
        ahead = set(self.dependencies.get(urn, ()))
        while ahead:
            dependencies |= ahead
            ahead = {further for urn in ahead for further in self.dependencies.get(urn, ())} - dependencies
        return frozenset(dependencies)

    def created(self) -> dict[str, Call]:
        """The creations of the first deployment, by URN."""
        return {call.urn: call for call in self.deployed.calls if call.kind == "create" and not call.error}


@pytest.fixture(scope="module", params=TIERS)
def cycle(request: pytest.FixtureRequest, new_stack: Deploy) -> Cycle:
    """The whole cycle, run once for all tests of a tier."""
    stack = new_stack(TIERS[request.param])
    preview = stack.preview()
    expected = {
        step.urn
        for step in preview.steps
        if step.type.startswith(("azure-native:", "azuread:"))
        and not step.type.startswith("azure-native:apimanagement:")
        and step.name not in _LOGS
    }

    def others_are_ready() -> bool:
        created = {call.urn for call in stack.azure.record.calls() if call.kind == "create" and call.ended}
        return expected <= created and bool(stack.service.packages)

    stack.azure.faults.hold = Hold(calls=lambda call: call.is_of(_SERVICE), until=others_are_ready)
    deployed = stack.up()
    stack.azure.faults.hold = None
    dependencies = {
        resource["urn"]: frozenset(resource.get("dependencies", ()))
        for resource in stack.state()["resources"]
    }
    again, refreshed, refused = stack.up(), stack.refresh(), stack.destroy()
    stack.unprotect()
    return Cycle(
        stack=stack,
        preview=preview,
        deployed=deployed,
        dependencies=dependencies,
        again=again,
        refreshed=refreshed,
        refused=refused,
        destroyed=stack.destroy(),
    )


def test_a_preview_changes_nothing(cycle: Cycle) -> None:
    assert not cycle.preview.failed, cycle.preview.output
    assert [call for call in cycle.preview.calls if call.changed_azure] == []


def test_a_deployment_creates_what_its_preview_shows(cycle: Cycle) -> None:
    assert not cycle.deployed.failed, cycle.deployed.output
    assert cycle.deployed.names("create") == cycle.preview.names("create")
    assert set(cycle.deployed.counts()) == {"create"}


def test_no_resource_is_refused(cycle: Cycle) -> None:
    assert [
        f"{call.kind} {call.name}: {call.error}" for call in cycle.stack.azure.record.calls() if call.error
    ] == []


def test_the_invariants_hold_at_all_times(cycle: Cycle) -> None:
    violations = invariants.violations(cycle.timeline)
    assert not violations, "\n".join(violations)


def test_authentication_follows_its_app_directly(cycle: Cycle) -> None:
    """All other dependencies of authentication settings exist before their app."""
    created = cycle.created()
    apps = {call.id: call for call in created.values() if call.is_of(*AUTHENTICATION)}
    settings = [
        call for call in created.values() if call.is_of("ContainerAppsAuthConfig", "WebAppAuthSettingsV2")
    ]
    assert len(apps) == len(settings) > 0
    for authentication in settings:
        app = next(app for identifier, app in apps.items() if authentication.id.startswith(f"{identifier}/"))
        needed = (created[urn] for urn in cycle.waits_for(authentication.urn) - {app.urn} if urn in created)
        assert [call.name for call in needed if call.ended > app.began] == [], authentication.name


def test_only_its_own_children_wait_for_api_management(cycle: Cycle) -> None:
    (service,) = (call for call in cycle.created().values() if call.is_of(_SERVICE))
    waited = [
        call.name
        for call in cycle.created().values()
        if not call.id.startswith(f"{service.id}/")
        and call.name not in _LOGS
        and call.ended > service.ended
        and call is not service
    ]
    assert waited == []


def test_the_code_is_published_without_waiting_for_api_management(cycle: Cycle) -> None:
    (service,) = (call for call in cycle.created().values() if call.is_of(_SERVICE))
    (upload,) = (call for call in cycle.deployed.calls if call.kind == "upload")
    assert upload.began < service.ended
    ((package,),) = cycle.stack.service.packages.values()
    assert {"host.json", "function_app.py", "requirements.txt"} <= package


def test_a_second_deployment_changes_nothing(cycle: Cycle) -> None:
    assert not cycle.again.failed, cycle.again.output
    assert cycle.again.changes == ()
    assert [call for call in cycle.again.calls if call.changed_azure or call.kind == "upload"] == []


def test_a_refresh_finds_no_drift(cycle: Cycle) -> None:
    assert not cycle.refreshed.failed, cycle.refreshed.output
    assert cycle.refreshed.changes == ()
    assert {call.name for call in cycle.refreshed.calls if call.kind == "read"} >= {
        call.name for call in cycle.created().values()
    }
    assert [call for call in cycle.refreshed.calls if call.changed_azure] == []


def test_a_destroy_of_a_protected_stack_stops_before_it_deletes_anything(cycle: Cycle) -> None:
    assert cycle.refused.failed
    assert "cannot be deleted" in cycle.refused.output
    assert "pulumi state unprotect" in cycle.refused.output
    assert [call for call in cycle.refused.calls if call.changed_azure] == []


def test_a_destroy_without_protection_deletes_all_resources(cycle: Cycle) -> None:
    assert not cycle.destroyed.failed, cycle.destroyed.output
    assert cycle.stack.azure.resources == {}
    assert cycle.stack.state().get("resources", []) == []
