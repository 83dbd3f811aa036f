"""Declared resources are translated to the twin's services, which run exactly what is declared."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.stacks import FUNCTIONS_ONLY
from twin.azure.cloud import Cloud
from twin.blobs import BlobAccount, local_settings
from twin.entra.directory import Application
from twin.gateway_plan import LOCAL
from twin.stack import Declared, Stack, StackError, evaluate
from twin.translation import database, function_app, gateway, tenant
from twin.translation.vault import UnreadableError, vaults

AUTHORITY = "http://localhost:8002"
CLOUD = Cloud(gateway_url="http://localhost:8000")


@pytest.fixture(scope="module")
def stack() -> Stack:
    return evaluate({**FUNCTIONS_ONLY, **LOCAL}, cloud=CLOUD)


def without(stack: Stack, type_: str) -> Stack:
    """The stack without the resources of a type."""
    removed = set(stack.of_type(type_))
    assert removed
    kept = tuple(resource for resource in stack.resources if resource not in removed)
    return replace(stack, resources=kept)


def changed(stack: Stack, type_: str, change: Callable[[Declared], dict[str, Any]]) -> Stack:
    """The stack with some inputs of all resources of a type changed."""
    changed = set(stack.of_type(type_))
    assert changed
    return replace(
        stack,
        resources=tuple(
            replace(resource, inputs={**resource.inputs, **change(resource)})
            if resource in changed
            else resource
            for resource in stack.resources
        ),
    )


def test_the_gateway_has_the_declared_apis_policies_values_and_identities(stack: Stack) -> None:
    service = gateway.service(stack, CLOUD)
    assert service.gateway_url == "http://localhost:8000"
    assert service.sku == "BasicV2"
    assert {(api.id, api.path) for api in service.apis} == {
        ("oauth", ""),
        ("functions-mcp", "mcp"),
        ("registry", "v0.1"),
    }
    (mcp,) = (api for api in service.apis if api.path == "mcp")
    assert mcp.service_url == f"https://{stack.one('web:WebApp').outputs['defaultHostName']}"
    assert not mcp.subscription_required
    posts = [operation for operation in mcp.operations if operation.id == "post"]
    assert [(post.method, post.url_template) for post in posts] == [("POST", "/")]
    assert mcp.policy is not None
    assert mcp.policy.name == "API functions-mcp"
    assert posts[0].policy is None
    (oauth,) = (api for api in service.apis if api.path == "")
    (token,) = (operation for operation in oauth.operations if operation.id == "token")
    assert token.policy is not None
    assert token.policy.name == "API oauth, operation token"
    assert "mcp-token" in {fragment.id for fragment in service.fragments}
    values = {value.name: value for value in service.named_values}
    assert values["gateway-url"].value == "http://localhost:8000"
    assert values["token-key-v1"].secret
    identity = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity").outputs
    assert {(identity.client_id, identity.principal_id) for identity in service.identities} >= {
        (identity["clientId"], identity["principalId"])
    }
    assert None in {identity.client_id for identity in service.identities}


def test_a_named_value_is_read_from_the_vault_with_the_identity_that_it_names(stack: Stack) -> None:
    values = {value.name: value.value for value in gateway.service(stack, CLOUD).named_values}
    (key,) = (
        resource for resource in stack.of_type("RandomBytes") if resource.name == "gateway-keys-token-v1"
    )
    assert values["token-key-v1"] == key.outputs["base64"]


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("authorization:RoleAssignment", "Failed to access KeyVault secret .* ForbiddenByRbac"),
        ("keyvault:Secret", "Failed to access KeyVault secret"),
    ],
)
def test_a_named_value_whose_secret_cannot_be_read_is_refused(stack: Stack, type_: str, message: str) -> None:
    with pytest.raises(StackError, match=message):
        gateway.service(without(stack, type_), CLOUD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"identityClientId": "another"}, "API Management has no identity another"),
        ({"identityClientId": None}, "Type: SystemAssigned"),
        ({"secretIdentifier": "https://example.com/secrets/a"}, "is not the address of a secret"),
    ],
)
def test_a_reference_that_api_management_would_refuse_is_refused(
    stack: Stack, change: dict[str, Any], message: str
) -> None:
    wrong = changed(
        stack,
        "apimanagement:NamedValue",
        lambda value: (
            {"keyVault": {**value.inputs["keyVault"], **change}} if "keyVault" in value.inputs else {}
        ),
    )
    with pytest.raises(StackError, match=message):
        gateway.service(wrong, CLOUD)


def test_another_version_of_a_secret_is_not_found(stack: Stack) -> None:
    (value, *_) = (
        resource for resource in stack.of_type("apimanagement:NamedValue") if "keyVault" in resource.inputs
    )
    reference = value.inputs["keyVault"]
    principal = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity").outputs
    address = reference["secretIdentifier"].rpartition("/")[0]
    stack_vaults = vaults(stack)
    newest = stack_vaults.read(address, principal["principalId"])
    assert newest == stack_vaults.read(reference["secretIdentifier"], principal["principalId"])
    with pytest.raises(UnreadableError, match="SecretNotFound"):
        stack_vaults.read(f"{address}/{'0' * 32}", principal["principalId"])


def test_a_role_on_another_secret_or_another_role_cannot_read_the_secret(stack: Stack) -> None:
    for change in ({"scope": "/subscriptions/other"}, {"roleDefinitionId": "/x/b7e6dc6d"}):
        wrong = changed(stack, "authorization:RoleAssignment", lambda _, change=change: change)
        with pytest.raises(StackError, match="ForbiddenByRbac"):
            gateway.service(wrong, CLOUD)


def test_an_undeclared_policy_does_not_exist(stack: Stack) -> None:
    service = gateway.service(without(stack, "apimanagement:ApiPolicy"), CLOUD)
    assert {api.policy for api in service.apis} == {None}


def test_a_policy_in_another_format_is_refused(stack: Stack) -> None:
    wrong = changed(stack, "apimanagement:ApiPolicy", lambda _: {"format": "xml"})
    with pytest.raises(StackError, match='Set format="rawxml"'):
        gateway.service(wrong, CLOUD)


def test_a_stack_without_a_gateway_is_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match="declares 0"):
        gateway.service(without(stack, "apimanagement:ApiManagementService"), CLOUD)


def gateways_application(stack: Stack) -> Application:
    """The application with which the gateway signs users in."""
    client_id = stack.one("Application", "gateway-application-registration").outputs["clientId"]
    applications = tenant.directory(stack, CLOUD, AUTHORITY).applications
    return next(application for application in applications if application.client_id == client_id)


def test_the_tenant_accepts_assertions_of_the_federated_credential(stack: Stack) -> None:
    application = gateways_application(stack)
    (credential,) = application.federated_credentials
    identity = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity").outputs
    assert credential.subject == identity["principalId"]
    assert credential.audience == "api://AzureADTokenExchange"
    assert credential.issuer == tenant.directory(stack, CLOUD, AUTHORITY).issuer
    assert application.redirect_uris == ("http://localhost:8000/oauth-callback",)

    wrong = changed(
        stack,
        "ApplicationFederatedIdentityCredential",
        lambda _: {"subject": "another identity", "audiences": ["api://azureadtokenexchange"]},
    )
    application = gateways_application(wrong)
    (credential,) = application.federated_credentials
    assert (credential.subject, credential.audience) == ("another identity", "api://azureadtokenexchange")


def test_an_application_has_a_service_principal_only_if_it_is_declared(stack: Stack) -> None:
    applications = tenant.directory(stack, CLOUD, AUTHORITY).applications
    assert len(applications) == 2
    assert all(application.has_service_principal for application in applications)
    applications = tenant.directory(without(stack, "ServicePrincipal"), CLOUD, AUTHORITY).applications
    assert not any(application.has_service_principal for application in applications)


def test_each_service_has_the_identities_that_are_attached_to_it(stack: Stack) -> None:
    directory = tenant.directory(stack, CLOUD, AUTHORITY)
    hosts = {host.name: host for host in directory.identity_hosts}
    ids = {
        name: stack.one("managedidentity:UserAssignedIdentity", name).outputs["clientId"]
        for name in ("gateway-service-identity", "functions-identity")
    }
    assert hosts["gateway"].user_assigned == (ids["gateway-service-identity"],)
    assert hosts["functions"].user_assigned == (ids["functions-identity"],)
    assert hosts["functions"].system_assigned is None
    system = hosts["gateway"].system_assigned
    assert system is not None
    assert directory.identity(system) is not None


def test_cosmos_has_the_declared_containers_and_role_assignments(stack: Stack) -> None:
    account = database.cosmos_account(stack, "http://localhost:8003")
    assert account is not None
    (oauth,) = account.databases
    assert {container.name for container in oauth.containers} == {
        "clients",
        "consents",
        "transactions",
        "grants",
        "sessions",
    }
    assert {(container.partition_key, container.default_ttl) for container in oauth.containers} == {
        ("/id", -1)
    }
    (role,) = account.role_assignments
    assert (role.scope, role.read_only) == ("/dbs/oauth", False)

    closed = database.cosmos_account(
        without(stack, "cosmosdb:SqlResourceSqlRoleAssignment"), "http://localhost:8003"
    )
    assert closed is not None
    assert closed.role_assignments == ()


def test_a_reader_of_cosmos_may_only_read(stack: Stack) -> None:
    reader = changed(
        stack,
        "cosmosdb:SqlResourceSqlRoleAssignment",
        lambda assignment: {"roleDefinitionId": assignment.inputs["roleDefinitionId"][:-1] + "1"},
    )
    account = database.cosmos_account(reader, "http://localhost:8003")
    assert account is not None
    assert account.role_assignments[0].read_only


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"roleDefinitionId": "/subscriptions/x/sqlRoleDefinitions/custom"},
            "The twin supports the built-in roles",
        ),
        ({"scope": "/subscriptions/other"}, "which is not in its account"),
    ],
)
def test_a_role_assignment_that_cosmos_would_reject_is_rejected(
    stack: Stack, change: dict[str, str], message: str
) -> None:
    wrong = changed(stack, "cosmosdb:SqlResourceSqlRoleAssignment", lambda _: change)
    with pytest.raises(StackError, match=message):
        database.cosmos_account(wrong, "http://localhost:8003")


def test_the_function_app_admits_the_declared_callers(stack: Stack) -> None:
    app = function_app.function_app(stack)
    assert app is not None
    assert app.auth is not None
    gateway_identity = stack.one("managedidentity:UserAssignedIdentity", "gateway-service-identity").outputs
    assert app.auth.identities == {gateway_identity["principalId"]}
    assert app.auth.issuer == f"{AUTHORITY}/{CLOUD.tenant}/v2.0"
    assert app.auth.jwks_url == f"{AUTHORITY}/{CLOUD.tenant}/discovery/v2.0/keys"
    assert app.auth.audiences == {
        stack.one("Application", "functions-audience-application").outputs["clientId"]
    }


@pytest.mark.parametrize(
    "change",
    [
        {"platform": {"enabled": False}},
        {
            "globalValidation": {
                "requireAuthentication": True,
                "unauthenticatedClientAction": "AllowAnonymous",
            }
        },
        {"globalValidation": {"requireAuthentication": False, "unauthenticatedClientAction": "Return401"}},
    ],
)
def test_an_app_with_disabled_authentication_accepts_all_callers_in_the_twin(
    stack: Stack, change: dict[str, Any]
) -> None:
    app = function_app.function_app(changed(stack, "web:WebAppAuthSettingsV2", lambda _: change))
    assert app is not None
    assert app.auth is None


def test_an_app_without_authentication_accepts_all_callers_in_the_twin(stack: Stack) -> None:
    app = function_app.function_app(without(stack, "web:WebAppAuthSettingsV2"))
    assert app is not None
    assert app.auth is None


def entra(validation: dict[str, Any], issuer: str = f"{AUTHORITY}/t/v2.0") -> dict[str, Any]:
    """The setting `identityProviders` with Entra as the provider, and with this validation."""
    registration = {"openIdIssuer": issuer, "clientId": "app"}
    return {
        "identityProviders": {
            "azureActiveDirectory": {"registration": registration, "validation": validation, "enabled": True}
        }
    }


def principals(*identities: str) -> dict[str, Any]:
    return {"allowedPrincipals": {"identities": list(identities)}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            entra({"allowedAudiences": ["app"], "defaultAuthorizationPolicy": principals()}),
            "allowed identity",
        ),
        (entra({"defaultAuthorizationPolicy": principals("someone")}), "allowed audience"),
        (entra({"allowedAudiences": ["app"]}, issuer=f"{AUTHORITY}/t"), r"must end in /v2\.0"),
        (
            {
                "globalValidation": {
                    "requireAuthentication": True,
                    "unauthenticatedClientAction": "RedirectToLoginPage",
                }
            },
            "has the action RedirectToLoginPage for unauthenticated requests",
        ),
        (
            {
                "globalValidation": {
                    "requireAuthentication": True,
                    "unauthenticatedClientAction": "Return401",
                    "excludedPaths": ["/x"],
                }
            },
            "excludes paths",
        ),
    ],
)
def test_unsupported_authentication_settings_are_rejected(
    stack: Stack, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(StackError, match=message):
        function_app.function_app(changed(stack, "web:WebAppAuthSettingsV2", lambda _: change))


def test_an_app_whose_identity_has_no_role_on_the_blobs_is_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match="no identity of the app has a role on its blobs"):
        function_app.function_app(without(stack, "authorization:RoleAssignment"))


def test_the_apps_identity_based_connection_becomes_a_connection_to_local_blobs(stack: Stack) -> None:
    app = function_app.function_app(stack)
    assert app is not None
    name = stack.one("storage:StorageAccount").outputs["name"]
    account = BlobAccount(name=name, key="a2V5", port=8004)
    settings = local_settings(app.settings, {f"{name}.blob.core.windows.net": account})
    assert settings["SNIPPETS_STORAGE"] == account.connection_string
    assert settings["SNIPPETS_CONTAINER"] == "snippets"
    assert [key for key in settings if key.startswith("SNIPPETS_STORAGE__")] == []


def test_separately_declared_settings_replace_those_of_the_app(stack: Stack) -> None:
    app = stack.one("web:WebApp")
    settings = replace(
        app,
        urn=f"{app.urn}-settings",
        type="azure-native:web:WebAppApplicationSettings",
        inputs={"name": app.outputs["name"], "properties": {"ONLY": "this"}},
    )
    changed = function_app.function_app(replace(stack, resources=(*stack.resources, settings)))
    assert changed is not None
    assert changed.settings == {"ONLY": "this"}


def test_every_declared_blob_container_is_created(stack: Stack) -> None:
    name = stack.one("storage:StorageAccount").outputs["name"]
    assert {(container.account, container.name) for container in function_app.blob_containers(stack)} == {
        (name, "deployments"),
        (name, "snippets"),
    }


def test_both_keys_of_a_subscription_are_valid_and_a_rotation_keeps_one() -> None:
    config = {**FUNCTIONS_ONLY, **LOCAL, "access": '{"functions": "keys"}'}
    (before,) = gateway.service(evaluate(config, cloud=CLOUD), CLOUD).subscriptions
    (after,) = gateway.service(
        evaluate({**config, "subscriptionKeyVersion": "2"}, cloud=CLOUD), CLOUD
    ).subscriptions
    assert after.secondary_key == before.key
    assert after.id == before.id
    assert len({before.key, before.secondary_key, after.key}) == 3
