"""The double of Azure refuses the same requests as Azure, and compares inputs like the providers."""

import threading
from collections.abc import Mapping

import pytest

from tests.engine.azure import Azure, AzureError, Hold
from tests.engine.record import Call, Kind
from tests.engine.replacement import changed_paths, replacement_inputs
from twin.monitor import UNKNOWN

_APIM = "Microsoft.ApiManagement/service"
GROUP = {"resourceGroupName": "group"}
SERVICE = {**GROUP, "serviceName": "apim-1", "location": "westeurope"}
API = {**GROUP, "serviceName": "apim-1", "apiId": "notes", "path": "notes"}


def deployment(diagnostic: Mapping[str, object], *depends_on: str) -> Mapping[str, object]:
    """A deployment of a logger and a diagnostic, with the dependencies of the diagnostic."""
    name = "apim-1/azuremonitor"
    resources = [
        {
            "type": f"{_APIM}/loggers",
            "name": name,
            "dependsOn": [],
            "properties": {"loggerType": "azureMonitor"},
        },
        {"type": f"{_APIM}/diagnostics", "name": name, "dependsOn": [*depends_on], "properties": diagnostic},
    ]
    return {**GROUP, "deploymentName": "d", "properties": {"template": {"resources": resources}}}


@pytest.fixture
def azure() -> Azure:
    """An account with a resource group and an API Management service that has an API."""
    azure = Azure()
    create(azure, "resources:ResourceGroup", "group", {**GROUP, "location": "westeurope"})
    create(azure, "apimanagement:ApiManagementService", "service", SERVICE)
    create(azure, "apimanagement:Api", "api", API)
    return azure


def call(kind: Kind, type_: str, name: str, inputs: Mapping[str, object], identifier: str = "") -> Call:
    urn = f"urn:pulumi:dev::p::azure-native:{type_}::{name}"
    return Call(kind=kind, preview=False, urn=urn, inputs=inputs, id=identifier)


def create(azure: Azure, type_: str, name: str, inputs: Mapping[str, object]) -> str:
    create = call("create", type_, name, inputs)
    with azure.record.of(create):
        identifier, outputs = azure.create(create)
        azure.keep(create, outputs)
    return identifier


def refused(azure: Azure, type_: str, inputs: Mapping[str, object]) -> str:
    with pytest.raises(AzureError) as caught:
        create(azure, type_, "another", inputs)
    return str(caught.value)


def policy(text: str) -> Mapping[str, object]:
    return {**API, "policyId": "policy", "value": text}


def test_a_resource_needs_its_parent(azure: Azure) -> None:
    assert "ParentResourceNotFound" in refused(
        azure, "apimanagement:ApiOperation", {**API, "apiId": "x", "operationId": "post"}
    )
    assert "ParentResourceNotFound" in refused(
        azure, "storage:StorageAccount", {"resourceGroupName": "x", "accountName": "abc"}
    )


def test_existing_resources_are_not_created_again(azure: Azure) -> None:
    assert "already existing" in refused(azure, "apimanagement:Api", API)


def test_the_policy_of_all_apis_exists_with_its_service(azure: Azure) -> None:
    own = {**GROUP, "serviceName": "apim-1", "policyId": "policy", "value": "<policies />"}
    assert "already existing" in refused(azure, "apimanagement:Policy", own)


@pytest.mark.parametrize("monitored", [True, False])
def test_a_template_creates_what_does_not_exist_and_updates_what_exists(monitored: bool) -> None:
    azure = Azure()
    azure.faults.monitored = monitored
    create(azure, "resources:ResourceGroup", "group", {**GROUP, "location": "westeurope"})
    service = create(azure, "apimanagement:ApiManagementService", "service", SERVICE)
    logger = f"{service}/loggers/azuremonitor"
    assert (logger.lower() in azure.resources) is monitored
    own = {**GROUP, "serviceName": "apim-1", "loggerId": "azuremonitor", "loggerType": "azureMonitor"}
    if monitored:
        assert "already existing" in refused(azure, "apimanagement:Logger", own)
    diagnostic = {"loggerId": logger, "logClientIp": False}
    record = create(azure, "resources:Deployment", "deployment", deployment(diagnostic, logger))
    deployed = azure.resources[f"{service}/diagnostics/azuremonitor".lower()]
    assert deployed.inputs == diagnostic
    azure.delete(call("delete", "resources:Deployment", "deployment", {}, record))
    assert deployed.id.lower() in azure.resources


def test_a_template_without_the_order_of_its_resources_is_refused() -> None:
    azure = Azure()
    azure.faults.monitored = False
    create(azure, "resources:ResourceGroup", "group", {**GROUP, "location": "westeurope"})
    service = create(azure, "apimanagement:ApiManagementService", "service", SERVICE)
    logger = f"{service}/loggers/azuremonitor"
    assert "ResourceNotFound" in refused(azure, "resources:Deployment", deployment({"loggerId": logger}))


def test_a_classic_tier_refuses_to_disable_client_certificates(azure: Azure) -> None:
    for sku, refusing in (("Developer", True), ("Premium", True), ("BasicV2", False)):
        service = {**SERVICE, "serviceName": f"apim-{sku}", "sku": {"name": sku, "capacity": 1}}
        disabled = {**service, "enableClientCertificate": False}
        if refusing:
            expected = f"Setting EnableClientCertificate flag to false is not supported for {sku} SKU."
            assert expected in refused(azure, "apimanagement:ApiManagementService", disabled)
        else:
            create(azure, "apimanagement:ApiManagementService", sku, disabled)


def test_resources_that_are_referenced_by_id_must_exist(azure: Azure) -> None:
    (group,) = azure.of_type("resources:ResourceGroup")
    plan = f"{group.id}/providers/Microsoft.Web/serverfarms/plan"
    assert "ResourceNotFound" in refused(azure, "web:WebApp", {**GROUP, "name": "app", "serverFarmId": plan})


def test_the_location_of_a_resource_cannot_be_updated(azure: Azure) -> None:
    (service,) = azure.of_type("apimanagement:ApiManagementService")
    moved = call(
        "update",
        service.type.partition(":")[2],
        "service",
        {**SERVICE, "location": "northeurope"},
        service.id,
    )
    with pytest.raises(AzureError, match="InvalidResourceLocation"):
        azure.update(moved, service.outputs)


def test_a_deleted_service_keeps_its_name(azure: Azure) -> None:
    (service,) = azure.of_type("apimanagement:ApiManagementService")
    azure.delete(call("delete", "apimanagement:ApiManagementService", "service", SERVICE, service.id))
    assert azure.of_type("apimanagement:Api") == ()
    assert "SoftDeleted" in refused(azure, "apimanagement:ApiManagementService", SERVICE)


VAULT = {**GROUP, "vaultName": "mcp-vault", "properties": {"enableRbacAuthorization": True}}
SECRET = {**GROUP, "vaultName": "mcp-vault", "secretName": "key", "properties": {"value": "1"}}


def test_a_deleted_secret_keeps_its_name(azure: Azure) -> None:
    create(azure, "keyvault:Vault", "vault", VAULT)
    identifier = create(azure, "keyvault:Secret", "secret", SECRET)
    azure.delete(call("delete", "keyvault:Secret", "secret", SECRET, identifier))
    assert "deleted but recoverable" in refused(azure, "keyvault:Secret", SECRET)


def test_a_named_value_needs_the_right_to_read_its_secret(azure: Azure) -> None:
    create(azure, "keyvault:Vault", "vault", VAULT)
    scope = create(azure, "keyvault:Secret", "secret", SECRET)
    identity = create(
        azure, "managedidentity:UserAssignedIdentity", "identity", {**GROUP, "resourceName": "gateway"}
    )
    existing = azure.resources
    value = {
        **GROUP,
        "serviceName": "apim-1",
        "namedValueId": "key",
        "displayName": "key",
        "keyVault": {
            "secretIdentifier": existing[scope.lower()].outputs["properties"]["secretUriWithVersion"],
            "identityClientId": existing[identity.lower()].outputs["clientId"],
        },
    }
    assert "Failed to access KeyVault secret" in refused(azure, "apimanagement:NamedValue", value)
    role = {
        "scope": scope,
        "roleDefinitionId": "/subscriptions/s/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6",
        "principalId": existing[identity.lower()].outputs["principalId"],
    }
    create(azure, "authorization:RoleAssignment", "role", role)
    create(azure, "apimanagement:NamedValue", "value", value)


def test_a_policy_needs_the_named_values_and_fragments_that_it_references(azure: Azure) -> None:
    assert "'key'" in refused(azure, "apimanagement:ApiPolicy", policy('<a b="{{key}}" />'))
    assert "'token'" in refused(
        azure, "apimanagement:ApiPolicy", policy('<include-fragment fragment-id="token" />')
    )


def test_named_values_and_fragments_in_use_are_not_deleted(azure: Azure) -> None:
    value = {**GROUP, "serviceName": "apim-1", "namedValueId": "key", "displayName": "key", "value": "1"}
    fragment = {**GROUP, "serviceName": "apim-1", "id": "token", "value": "<fragment />"}
    value_id = create(azure, "apimanagement:NamedValue", "key", value)
    fragment_id = create(azure, "apimanagement:PolicyFragment", "token", fragment)
    text = '<inbound><a b="{{key}}" /><include-fragment fragment-id="token" /></inbound>'
    create(azure, "apimanagement:ApiPolicy", "policy", policy(text))
    with pytest.raises(AzureError, match="in use"):
        azure.delete(call("delete", "apimanagement:NamedValue", "key", value, value_id))
    with pytest.raises(AzureError, match="in use"):
        azure.delete(call("delete", "apimanagement:PolicyFragment", "token", fragment, fragment_id))


def test_a_policy_has_at_most_one_policy_in_its_section_backend(azure: Azure) -> None:
    backend = "<policies><inbound /><backend>{}</backend></policies>"
    both = policy(backend.format("<base /><set-variable name='a' value='b' />"))
    assert "backend section allows only one policy" in refused(azure, "apimanagement:ApiPolicy", both)
    create(azure, "apimanagement:ApiPolicy", "policy", policy(backend.format("<base />")))


def test_flex_consumption_accepts_few_site_properties(azure: Azure) -> None:
    site = {
        **GROUP,
        "name": "app",
        "functionAppConfig": {"runtime": {}},
        "siteConfig": {"ftpsState": "Disabled"},
    }
    assert "51021" in refused(azure, "web:WebApp", site)


def test_a_name_that_azure_does_not_accept_is_refused(azure: Azure) -> None:
    assert "InvalidResourceName" in refused(
        azure, "storage:StorageAccount", {**GROUP, "accountName": "With-Hyphen"}
    )


def test_a_write_to_an_api_during_another_write_to_it_is_refused(azure: Azure) -> None:
    started = threading.Event()

    def is_second() -> bool:
        started.set()
        return any("another" in call.urn for call in azure.record.calls())

    azure.faults.hold = Hold(calls=lambda call: call.name == "first", until=is_second, seconds=10)
    operation = {**API, "operationId": "get"}
    first = threading.Thread(target=create, args=(azure, "apimanagement:ApiOperation", "first", operation))
    first.start()
    started.wait(10)
    assert "PessimisticConcurrencyConflict" in refused(
        azure, "apimanagement:ApiOperation", {**API, "operationId": "post"}
    )
    first.join()


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["a.b[1]"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a[1]"]),
        ({"a": 1}, {}, ["a"]),
        ({"a": "known"}, {"a": UNKNOWN}, ["a"]),
        ({"location": "West Europe"}, {"location": "westeurope"}, []),
    ],
)
def test_the_difference_of_inputs_is_found(
    old: dict[str, object], new: dict[str, object], paths: list[str]
) -> None:
    assert list(changed_paths(old, new)) == paths


def test_a_change_of_an_id_property_replaces_the_resource() -> None:
    operation = replacement_inputs("azure-native:apimanagement:ApiOperation", {})
    assert {"apiId", "operationId", "resourceGroupName", "serviceName"} <= operation
    assert "displayName" not in operation
    assert "principalId" in replacement_inputs("azure-native:authorization:RoleAssignment", {})
    with pytest.raises(LookupError):
        replacement_inputs("random:index/randomPet:RandomPet", {})
