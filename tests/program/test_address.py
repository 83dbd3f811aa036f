"""A custom host name: the identity that reads its certificate, and the URLs that contain the name."""

import functools
import json

import pytest

from configuration.address import CERTIFICATE
from tests.existing import ALL
from tests.program import schema
from tests.program.graph import Graph
from twin.stack import Stack, evaluate

HOST = "mcp.example.com"
URL = f"https://{HOST}"
FROM_VAULT = {"gatewayHostname": HOST, "gatewayCertificate": CERTIFICATE.example}


@functools.cache
def stack() -> Stack:
    return evaluate({"backends": '["functions"]', **FROM_VAULT})


def test_every_resource_matches_the_schema_of_the_sdk() -> None:
    assert [problem for resource in stack().resources for problem in schema.problems(resource)] == []


def test_the_certificate_is_read_from_its_vault_by_the_gateways_identity() -> None:
    service = stack().one("apimanagement:ApiManagementService")
    identity = stack().one("managedidentity:UserAssignedIdentity", "gateway-service-identity")
    assert service.inputs["hostnameConfigurations"] == [
        {
            "type": "Proxy",
            "hostName": HOST,
            "defaultSslBinding": True,
            "certificateSource": "KeyVault",
            "keyVaultId": "https://certificates.vault.azure.net/secrets/mcp",
            "identityClientId": identity.outputs["clientId"],
            "negotiateClientCertificate": False,
        }
    ]


def test_the_identity_may_read_only_that_certificate_and_gets_its_role_before_the_service_exists() -> None:
    access = stack().one("authorization:RoleAssignment", "gateway-service-certificate-access")
    assert access.inputs["scope"] == CERTIFICATE.example
    assert access.inputs["roleDefinitionId"].endswith("/4633458b-17de-408a-b874-0445c86b69e6")
    service = stack().one("apimanagement:ApiManagementService")
    assert Graph(stack()).missing(service, [access]) == []


def test_a_managed_certificate_needs_no_vault() -> None:
    declared = evaluate(
        {
            "backends": '["functions"]',
            "sku": "Basic",
            "gatewayHostname": HOST,
            "gatewayCertificate": "managed",
        },
        preview=True,
    )
    (hostname,) = declared.one("apimanagement:ApiManagementService").inputs["hostnameConfigurations"]
    assert hostname["certificateSource"] == "Managed"
    assert "keyVaultId" not in hostname
    assert [
        resource for resource in declared.resources if resource.name.endswith("-certificate-access")
    ] == []


def test_every_url_of_the_gateway_contains_the_custom_host_name() -> None:
    declared = stack()
    value = next(
        resource.inputs["value"]
        for resource in declared.of_type("apimanagement:NamedValue")
        if resource.inputs["displayName"] == "gateway-url"
    )
    assert value == URL
    application = next(
        resource
        for resource in declared.of_type("azuread:index/application:Application")
        if "web" in resource.inputs
    )
    assert application.inputs["web"]["redirectUris"] == [f"{URL}/oauth-callback"]
    assert declared.outputs["gatewayUrl"] == URL
    assert declared.outputs["oauthMetadataUrl"].startswith(f"{URL}/")
    assert declared.outputs["gatewayCname"].endswith(".azure-api.net")
    assert ".azure-api.net" not in json.dumps({**declared.outputs, "gatewayCname": ""})


def test_a_protected_stack_refuses_another_address() -> None:
    """Pulumi replaces the resource when its keepers change, and refuses to replace a protected resource."""
    address = stack().one(
        "random:index/randomString:RandomString", "gateway-service-address-that-clients-registered-with"
    )
    assert address.inputs["keepers"] == {"url": URL}
    assert address.protect


@pytest.mark.parametrize("host", [HOST, ""])
def test_the_stack_uses_the_host_name_of_an_existing_service_without_configuring_it(host: str) -> None:
    declared = evaluate({**ALL, "gatewayHostname": host})
    assert declared.outputs["gatewayUrl"] == (URL if host else "https://central.azure-api.net")
    assert [
        resource for resource in declared.resources if resource.name.endswith("-certificate-access")
    ] == []
