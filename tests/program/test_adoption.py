"""Stacks that use existing resources read them, and neither change nor delete them."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.existing import ALL, EXISTING, IDENTITY, SUBSCRIPTION, TYPES, identifier, resource_id
from tests.program import schema
from tests.shared_results import shared
from twin.azure.cloud import Cloud
from twin.stack import Declared, Stack, StackError, evaluate

OTHER_SUBSCRIPTION = "00000000-0000-4000-8000-00000000bbbb"


@functools.cache
def stack(*, preview: bool = False) -> Stack:
    """A stack that adopts all existing resources."""
    return shared(f"adopting-{preview}", lambda: evaluate(dict(ALL), preview=preview))


@functools.cache
def own() -> Stack:
    """The same stack without adopted resources."""
    return evaluate({key: value for key, value in ALL.items() if key not in EXISTING})


def adopted(declared: Stack, type_: str) -> list[Declared]:
    return [resource for resource in declared.of_type(type_) if resource.external]


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("setting", TYPES)
def test_existing_resources_are_read_and_not_managed(setting: str, preview: bool) -> None:
    declared = stack(preview=preview)
    resources = adopted(declared, TYPES[setting])
    assert len(resources) == 1
    assert resources[0].id == resource_id(setting)
    assert resources[0].inputs == {}
    assert len(declared.of_type(TYPES[setting])) == (2 if setting == "existingIdentity" else 1)


def test_nothing_is_created_in_entra_when_all_applications_exist() -> None:
    assert [resource for resource in stack().resources if resource.type.startswith("azuread:")] == []
    assert [resource for resource in own().resources if resource.type.startswith("azuread:")] != []


def test_every_created_resource_matches_the_schema_of_the_sdk() -> None:
    assert [problem for resource in stack().resources for problem in schema.problems(resource)] == []


def test_no_resource_is_declared_as_deleted_with_an_existing_resource() -> None:
    """Pulumi does not delete a resource with `deletedWith` itself, so such a resource would remain."""
    declared = stack()
    adopted_urns = {resource.urn for resource in declared.resources if resource.external}
    assert adopted_urns
    assert [resource for resource in declared.resources if resource.deleted_with in adopted_urns] == []


def test_the_stack_writes_only_its_own_apis_to_an_existing_service() -> None:
    declared = stack()
    types = {
        resource.type.rpartition(":")[2]
        for resource in declared.resources
        if ":apimanagement:" in resource.type and not resource.external
    }
    assert types == {
        "Api",
        "ApiDiagnostic",
        "ApiOperation",
        "ApiOperationPolicy",
        "ApiPolicy",
        "Logger",
        "NamedValue",
        "PolicyFragment",
    }
    groups = {resource.inputs["resourceGroupName"] for resource in declared.of_type("apimanagement:Api")}
    assert groups == {"shared"}
    assert {resource.inputs["serviceName"] for resource in declared.of_type("apimanagement:Api")} == {
        "central"
    }


def test_every_api_on_an_existing_service_has_its_own_diagnostic() -> None:
    declared = stack()
    apis = {resource.outputs["name"] for resource in declared.of_type("apimanagement:Api")}
    logged = {
        resource.inputs["apiId"]: resource.inputs
        for resource in declared.of_type("apimanagement:ApiDiagnostic")
    }
    assert logged.keys() == apis
    (service_wide,) = (
        resource
        for resource in own().of_type("apimanagement:Diagnostic")
        if resource.inputs["diagnosticId"] == "applicationinsights"
    )
    for inputs in logged.values():
        assert inputs["frontend"] == service_wide.inputs["frontend"]
        assert inputs["loggerId"] == declared.one("apimanagement:Logger").id


def test_no_stack_declares_the_policy_of_all_apis_and_each_api_answers_its_errors() -> None:
    """Azure creates that policy with a service, and azure-native refuses to create what exists."""
    for declared in (own(), stack()):
        assert not declared.of_type("apimanagement:Policy")
        policies = declared.of_type("apimanagement:ApiPolicy")
        assert len(policies) == len(declared.of_type("apimanagement:Api"))
        for policy in policies:
            text = policy.inputs["value"]
            assert "The gateway could not answer." in text or "mcp-failure" in text, policy.name


def test_the_gateway_acts_as_the_existing_identity() -> None:
    declared = stack()
    identity = adopted(declared, "managedidentity:UserAssignedIdentity")[0]
    cosmos = declared.one("cosmosdb:SqlResourceSqlRoleAssignment")
    assert cosmos.inputs["principalId"] == identity.outputs["principalId"]
    value = next(
        resource
        for resource in declared.of_type("apimanagement:NamedValue")
        if resource.inputs["displayName"] == "gateway-identity"
    )
    assert value.inputs["value"] == identity.outputs["clientId"]


def test_a_role_on_a_resource_of_another_subscription_is_defined_in_that_subscription() -> None:
    insights = identifier("Microsoft.Insights/components", "traces", subscription=OTHER_SUBSCRIPTION)
    declared = evaluate({**ALL, "existingApplicationInsights": insights}, preview=True)
    roles = [
        resource.inputs
        for resource in declared.of_type("authorization:RoleAssignment")
        if resource.inputs["scope"] == insights
    ]
    assert len(roles) == 2
    assert {role["roleDefinitionId"].split("/")[2] for role in roles} == {OTHER_SUBSCRIPTION}


@pytest.mark.parametrize("setting", ["existingApiManagement", "existingEnvironment"])
def test_a_resource_that_the_stack_writes_to_must_be_in_its_own_subscription(setting: str) -> None:
    elsewhere = EXISTING[setting].replace(SUBSCRIPTION, OTHER_SUBSCRIPTION)
    with pytest.raises(
        StackError, match=f"pulumi config set azure-native:subscriptionId {OTHER_SUBSCRIPTION}"
    ):
        evaluate({**ALL, setting: elsewhere})


def test_the_outputs_list_the_settings_of_an_existing_application() -> None:
    declared = stack()
    registration = declared.outputs["entraRegistration"]
    identity = adopted(declared, "managedidentity:UserAssignedIdentity")[0]
    assert registration["redirectUri"] == f"{declared.outputs['gatewayUrl']}/oauth-callback"
    assert registration["federatedCredential"] == {
        "issuer": f"https://login.microsoftonline.com/{Cloud().tenant}/v2.0",
        "subject": identity.outputs["principalId"],
        "audience": "api://AzureADTokenExchange",
    }
    assert declared.outputs["entraClientId"] == EXISTING["existingApplication"]
    assert "entraRegistration" not in own().outputs


def test_an_existing_environment_keeps_its_own_logs() -> None:
    declared = stack()
    environment = adopted(declared, "app:ManagedEnvironment")[0]
    assert [
        resource
        for resource in declared.of_type("monitor:DiagnosticSetting")
        if resource.inputs["resourceUri"] == environment.id
    ] == []
    assert {resource.inputs["resourceGroupName"] for resource in declared.of_type("app:HttpRouteConfig")} == {
        "shared"
    }
    assert {resource.inputs["resourceGroupName"] for resource in declared.of_type("app:ContainerApp")} == {
        "platform"
    }


@dataclass(frozen=True, kw_only=True)
class ChangedCloud(Cloud):
    """A subscription in which an existing resource differs from the settings.

    Attributes:
        type_: the end of the type token, or a tuple of ends for several types of resources.
        changes: the outputs that differ.
    """

    type_: str | tuple[str, ...] = ":ApiManagementService"
    changes: Mapping[str, Any]

    def read(self, type_: str, identifier: str, *, assigned: Sequence[str] = ()) -> dict[str, Any]:
        outputs = super().read(type_, identifier, assigned=assigned)
        return {**outputs, **self.changes} if type_.endswith(self.type_) else outputs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sku": {"name": "BasicV2", "capacity": 1}},
            "has the tier BasicV2, but the setting sku is StandardV2",
        ),
        ({"identity": {"type": "SystemAssigned"}}, f"does not have the identity {IDENTITY}"),
    ],
)
def test_an_unsuitable_service_is_rejected_before_anything_is_written_to_it(
    changes: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(StackError, match=message):
        evaluate(dict(ALL), cloud=ChangedCloud(changes=changes))


def test_apps_and_alerts_are_in_the_regions_of_an_existing_environment_and_workspace() -> None:
    """Azure requires an app in the region of its environment, and returns the region's display name."""
    changed = ChangedCloud(type_=(":ManagedEnvironment", ":Workspace"), changes={"location": "North Europe"})
    declared = evaluate(dict(ALL), cloud=changed)
    in_other_regions = (
        *declared.of_type("app:ContainerApp"),
        *declared.of_type("monitor:ScheduledQueryRule"),
    )
    assert len(in_other_regions) == 5
    assert {resource.inputs["location"] for resource in in_other_regions} == {"northeurope"}
    assert declared.one("applicationinsights:Workbook").inputs["location"] == "westeurope"


def test_two_servers_cannot_share_an_application() -> None:
    """A token for one server would be valid for the other."""
    client_id = EXISTING["existingApplication"]
    with pytest.raises(StackError, match="is listed twice"):
        evaluate({**ALL, "existingAudiences": json.dumps({"notes": client_id, "functions": client_id})})
