"""Keys and the servers' secrets are in a Key Vault, and each identity reads only its own."""

from typing import Any

import pytest

from tests.existing import ALL, EXISTING, SUBSCRIPTION
from tests.program.graph import Graph
from tests.program.test_adoption import OTHER_SUBSCRIPTION, ChangedCloud
from tests.program.test_adoption import stack as adopting
from tests.program.variants import CASES, SECRETS, UP, VARIANTS, Case
from twin.stack import UNKNOWN, Declared, Stack, StackError, evaluate

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_update = pytest.mark.parametrize("case", UP, ids=str)

CONTAINER_SECRETS = {
    "slack-http": {"SLACK_MCP_XOXB_TOKEN"},
    "slack-sse": {"SLACK_MCP_XOXB_TOKEN"},
    "jira-http": {"JIRA_API_TOKEN"},
    "jira-sse": {"JIRA_API_TOKEN"},
    "notes-http": {"NOTES_TOKEN"},
}


def keys_of(stack: Stack) -> dict[str, Any]:
    """The URLs of the keys for API Management, by the name of the named value."""
    return {
        resource.inputs["displayName"]: resource.inputs["keyVault"]["secretIdentifier"]
        for resource in stack.of_type("apimanagement:NamedValue")
        if resource.inputs["secret"]
    }


def stored(stack: Stack) -> dict[str, str]:
    """The secrets in the vault by their URL."""
    return {
        resource.outputs["properties"]["secretUriWithVersion"]: resource.inputs["properties"]["value"]
        for resource in stack.of_type("keyvault:Secret")
    }


@every_case
def test_the_vault_uses_roles_only_and_retains_deleted_secrets(case: Case) -> None:
    vault = case.stack.one("keyvault:Vault")
    properties = vault.inputs["properties"]
    assert properties["enableRbacAuthorization"] is True
    assert properties["enableSoftDelete"] is True
    assert properties["enablePurgeProtection"] is True
    assert properties["softDeleteRetentionInDays"] == 90
    assert not properties.get("accessPolicies")
    assert not any(value for key, value in properties.items() if key.startswith("enabledFor"))


@every_case
def test_api_management_has_no_key_but_refers_to_one_version_of_each(case: Case) -> None:
    for value in case.stack.of_type("apimanagement:NamedValue"):
        if value.inputs["secret"]:
            assert "value" not in value.inputs, value
    keys = keys_of(case.stack)
    assert {"token-key-v1", "consent-key-v1"} <= keys.keys()
    if case.preview:
        assert set(keys.values()) == {UNKNOWN}
    else:
        expected = {
            f"{key.name.removeprefix('gateway-keys-').replace('-v', '-key-v')}": key.outputs["base64"]
            for key in case.stack.of_type("RandomBytes")
            if key.name.startswith("gateway-keys-")
        }
        addresses = stored(case.stack)
        assert {name: addresses[address] for name, address in keys.items()} == expected


@every_case
def test_every_stored_secret_is_an_encrypted_input_and_outlives_its_removal_from_the_program(
    case: Case,
) -> None:
    """Only the data plane of the vault deletes secrets, and the deployer may have no rights there."""
    secrets = case.stack.of_type("keyvault:Secret")
    assert secrets
    for secret in secrets:
        assert secret.is_secret("properties.value")
        assert secret.retain_on_delete
        assert "tags" not in secret.inputs, "a changed tag would create another version"


@every_case
def test_keys_are_created_once_and_protected_against_replacement(case: Case) -> None:
    keys = case.stack.of_type("RandomBytes")
    assert keys
    for key in keys:
        assert {"length", "keepers"} <= set(key.ignore_changes), key


@every_case
def test_named_values_contain_two_key_versions_before_and_after_the_current_one(case: Case) -> None:
    in_use = 2 if case.variant == "large" else 1
    generated = {key.name for key in case.stack.of_type("RandomBytes")} - {"functions-keys-key"}
    assert generated == {
        f"gateway-keys-{purpose}-v{version}"
        for purpose in ("token", "consent")
        for version in range(1, in_use + 3)
    }
    assert keys_of(case.stack).keys() == {
        f"{purpose}-key-v{version}"
        for purpose in ("token", "consent")
        for version in range(max(1, in_use - 2), in_use + 3)
    }


def test_d4_a_rotation_changes_no_named_value() -> None:
    stacks = [Case(variant, preview=False).stack for variant in ("dev", "large")]
    before, after = map(keys_of, stacks)
    assert {name: after[name] for name in before} == before
    values = stored(stacks[1])
    assert len({values[address] for address in after.values()}) == len(after)


@every_case
def test_secrets_of_containers_are_read_from_the_vault_by_an_identity_that_the_server_cannot_use(
    case: Case,
) -> None:
    for app in case.stack.of_type("app:ContainerApp"):
        configuration = app.inputs["configuration"]
        declared = configuration.get("secrets") or []
        env = app.inputs["template"]["containers"][0]["env"]
        references = {pair["name"]: pair["secretRef"] for pair in env if "secretRef" in pair}
        assert references.keys() == CONTAINER_SECRETS.get(app.name, set())
        assert set(references.values()) == {secret["name"] for secret in declared}
        assert [secret for secret in declared if "value" in secret] == []
        if not declared:
            assert "identity" not in app.inputs
            continue
        (identity,) = app.inputs["identity"]["userAssignedIdentities"]
        assert {secret["identity"] for secret in declared} == {identity}
        assert configuration["identitySettings"] == [{"identity": identity, "lifecycle": "None"}]
        if not case.preview:
            addresses = stored(case.stack)
            values = {addresses[secret["keyVaultUrl"]] for secret in declared}
            assert values <= {VARIANTS[case.variant][key] for key in SECRETS if key in VARIANTS[case.variant]}


@every_case
def test_readers_of_a_secret_depend_on_its_role_assignment(case: Case) -> None:
    graph, stack = case.graph, case.stack
    roles = {resource.name: resource for resource in stack.of_type("authorization:RoleAssignment")}
    for value in stack.of_type("apimanagement:NamedValue"):
        if value.inputs["secret"]:
            access = roles[f"gateway-keys-{value.inputs['displayName']}-access"]
            assert graph.missing(value, [access]) == []
    for app in stack.of_type("app:ContainerApp"):
        for variable in CONTAINER_SECRETS.get(app.name, ()):
            server, secret = app.inputs["tags"]["mcp-server"], variable.lower().replace("_", "-")
            assert graph.missing(app, [roles[f"{server}-secrets-{secret}-access"]]) == []


# Built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
QUEUE_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


def granted(stack: Stack) -> set[tuple[str, str, str]]:
    """Every role assignment: the principal's name, the role, the name of the resource that is its scope."""
    principals = {
        resource.outputs["principalId"]: resource.name
        for resource in stack.of_type("managedidentity:UserAssignedIdentity")
    }
    service = stack.one("apimanagement:ApiManagementService")
    if own := (service.outputs.get("identity") or {}).get("principalId"):
        principals[own] = "service"
    scopes = {resource.id: resource.name for resource in stack.resources if resource.id}
    return {
        (
            principals[role.inputs["principalId"]],
            role.inputs["roleDefinitionId"].rpartition("/")[2],
            scopes.get(role.inputs["scope"], role.inputs["scope"]),
        )
        for role in stack.of_type("authorization:RoleAssignment")
    }


def allowed(stack: Stack, *, reader: str) -> set[tuple[str, str, str]]:
    """Exactly the role assignments that the identities of a stack need.

    Args:
        stack: the stack.
        reader: the identity with which API Management reads its keys.
    """
    functions, gateway, storage = "functions-identity", "gateway-service-identity", "mcpfunctions"
    insights = stack.one("applicationinsights:Component").name
    keys = {secret.name for secret in stack.of_type("keyvault:Secret") if "gateway-keys-" in secret.name}
    servers = {
        (f"{app.inputs['tags']['mcp-server']}-secrets", variable.lower().replace("_", "-"))
        for app in stack.of_type("app:ContainerApp")
        for variable in CONTAINER_SECRETS.get(app.name, ())
        if app.inputs["configuration"].get("secrets")
    }
    return {
        (functions, BLOB_OWNER, storage),
        (functions, QUEUE_CONTRIBUTOR, storage),
        (functions, METRICS_PUBLISHER, insights),
        (gateway, METRICS_PUBLISHER, insights),
        *((reader, SECRETS_USER, key) for key in keys),
        *((f"{server}-identity", SECRETS_USER, f"{server}-{secret}") for server, secret in servers),
    }


@every_update
def test_identities_have_only_the_roles_that_they_need(case: Case) -> None:
    reader = "service" if case.variant == "network" else "gateway-service-identity"
    assert granted(case.stack) == allowed(case.stack, reader=reader)


@every_update
def test_one_role_of_cosmos_db_is_assigned_for_one_database(case: Case) -> None:
    (role,) = case.stack.of_type("cosmosdb:SqlResourceSqlRoleAssignment")
    assert role.inputs["scope"].endswith("/dbs/oauth")


def test_a_stack_that_adopts_all_existing_resources_assigns_the_same_roles() -> None:
    assert granted(adopting()) == allowed(adopting(), reader="gateway-service-identity")


def test_the_gateway_may_also_read_its_certificate_and_no_other_secret() -> None:
    certificate = f"{EXISTING['existingKeyVault']}/secrets/mcp"
    stack = evaluate(
        {
            "backends": '["functions"]',
            "gatewayHostname": "mcp.example.com",
            "gatewayCertificate": certificate,
        }
    )
    additional = granted(stack) - allowed(stack, reader="gateway-service-identity")
    assert additional == {("gateway-service-identity", SECRETS_USER, certificate)}


def test_the_stacks_secrets_are_in_an_existing_vault_and_deleted_with_the_stack() -> None:
    secrets = adopting().of_type("keyvault:Secret")
    assert {(secret.inputs["resourceGroupName"], secret.inputs["vaultName"]) for secret in secrets} == {
        ("shared", "secrets")
    }
    assert not any(secret.retain_on_delete for secret in secrets)


def _logs_of(stack: Stack) -> list[Declared]:
    """Diagnostic settings of the vault."""
    vault = stack.one("keyvault:Vault").id
    return [
        resource
        for resource in stack.of_type("monitor:DiagnosticSetting")
        if resource.inputs["resourceUri"] == vault
    ]


def test_the_audit_log_is_sent_only_for_a_vault_that_the_stack_created() -> None:
    assert _logs_of(adopting()) == []
    (setting,) = _logs_of(Case("dev", preview=False).stack)
    assert [log["category"] for log in setting.inputs["logs"]] == ["AuditEvent"]


def test_an_existing_vault_must_be_in_the_stacks_subscription() -> None:
    vault_of_other_subscription = EXISTING["existingKeyVault"].replace(SUBSCRIPTION, OTHER_SUBSCRIPTION)
    with pytest.raises(
        StackError, match=f"pulumi config set azure-native:subscriptionId {OTHER_SUBSCRIPTION}"
    ):
        evaluate({**ALL, "existingKeyVault": vault_of_other_subscription})


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"enableRbacAuthorization": False}, "az keyvault update --name secrets --enable-rbac-authorization"),
        ({"enableRbacAuthorization": True, "publicNetworkAccess": "Disabled"}, "has a firewall"),
        ({"enableRbacAuthorization": True, "networkAcls": {"defaultAction": "Deny"}}, "has a firewall"),
    ],
)
def test_an_unsuitable_vault_is_rejected_before_anything_is_written_to_it(
    properties: dict[str, Any], message: str
) -> None:
    cloud = ChangedCloud(type_=":Vault", changes={"properties": properties})
    with pytest.raises(StackError, match=message):
        evaluate(dict(ALL), cloud=cloud)


def test_a_vault_in_a_network_admits_private_endpoints_and_trusted_services_only() -> None:
    stack = Case("network", preview=False).stack
    properties = stack.one("keyvault:Vault").inputs["properties"]
    assert properties["publicNetworkAccess"] == "Disabled"
    assert properties["networkAcls"] == {"bypass": "AzureServices", "defaultAction": "Deny"}
    references = [
        resource.inputs["keyVault"]
        for resource in stack.of_type("apimanagement:NamedValue")
        if resource.inputs["secret"]
    ]
    assert [reference for reference in references if "identityClientId" in reference] == []
    dev = Case("dev", preview=False).stack.one("keyvault:Vault").inputs["properties"]
    assert dev["publicNetworkAccess"] == "Enabled"


def test_a_container_waits_for_the_vaults_private_address() -> None:
    stack = Case("network", preview=False).stack
    needed = [
        resource
        for type_ in ("network:PrivateDnsZoneGroup", "privatedns:VirtualNetworkLink")
        for resource in stack.of_type(type_)
        if "vault" in resource.name
    ]
    assert len(needed) == 2
    assert Graph(stack).missing(stack.one("app:ContainerApp"), needed) == []
