"""The twin runs a stack that adopts every resource, and simulates the existing resources."""

import pytest

from tests.existing import ALL, EXISTING
from twin.azure.cloud import Cloud
from twin.gateway_plan import LOCAL
from twin.stack import Stack, evaluate
from twin.translation import gateway, tenant

CLOUD = Cloud(gateway_url=LOCAL["localUrl"])


@pytest.fixture(scope="module")
def stack() -> Stack:
    return evaluate({**ALL, **LOCAL}, cloud=CLOUD)


def test_the_gateway_runs_only_the_apis_of_the_stack_and_no_global_policy(stack: Stack) -> None:
    service = gateway.service(stack, CLOUD)
    assert service.name == "central"
    assert service.sku == ALL["sku"]
    assert service.gateway_url == LOCAL["localUrl"]
    assert service.policy is None
    assert {api.id for api in service.apis} == {"oauth", "functions-mcp", "notes-mcp", "registry"}


def test_the_gateway_has_the_existing_identity(stack: Stack) -> None:
    (identity,) = gateway.service(stack, CLOUD).identities
    values = {value.name: value.value for value in gateway.service(stack, CLOUD).named_values}
    assert identity.client_id == values["gateway-identity"]


def test_the_tenant_has_the_existing_applications(stack: Stack) -> None:
    directory = tenant.directory(stack, CLOUD, LOCAL["entraAuthority"])
    applications = {application.client_id: application for application in directory.applications}
    sign_in = applications[EXISTING["existingApplication"]]
    assert sign_in.redirect_uris == (f"{LOCAL['localUrl']}/oauth-callback",)
    (credential,) = sign_in.federated_credentials
    assert credential.issuer == directory.issuer
    assert credential.subject in {
        managed_identity.principal_id for managed_identity in directory.managed_identities
    }
    values = {value.name: value.value for value in gateway.service(stack, CLOUD).named_values}
    audiences = {values["functions-audience"], values["notes-audience"]}
    assert audiences == applications.keys() - {sign_in.client_id}
    assert all(
        application.has_service_principal and application.token_version == 2
        for application in applications.values()
    )
