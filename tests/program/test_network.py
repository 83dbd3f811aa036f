"""The virtual network: the private resources in each tier, and the order of creation."""

import functools
import itertools
import json
from ipaddress import ip_network
from typing import Any

import pytest

from tests.program import schema
from tests.program.graph import Graph
from tests.program.variants import Case
from twin.stack import Stack, evaluate

_CONTAINER = {"image": "ghcr.io/example/notes:1.2.3", "port": 8080}
_SETTINGS = {
    "vnetEnabled": "true",
    "backends": '["functions"]',
    "containers": json.dumps([{**_CONTAINER, "name": "notes"}]),
}

PRIVATE_SKUS = ("StandardV2", "Premium")
"""Tiers whose gateway can call private addresses."""
SKUS = (*PRIVATE_SKUS, "BasicV2")


@functools.cache
def stack(sku: str) -> Stack:
    if sku == "StandardV2":
        return Case("network", preview=False).stack
    return evaluate({**_SETTINGS, "sku": sku})


def subnets(declared: Stack) -> dict[str, dict[str, Any]]:
    return {
        resource.inputs["subnetName"]: dict(resource.inputs)
        for resource in declared.of_type("network:Subnet")
    }


def endpoints(declared: Stack) -> set[str]:
    """The services that have private endpoints, such as `blob of mcpfunctions`."""
    names = {resource.id: resource.name for resource in declared.resources if resource.id}
    connections = [
        connection
        for resource in declared.of_type("network:PrivateEndpoint")
        for connection in resource.inputs["privateLinkServiceConnections"]
    ]
    return {
        f"{group} of {names[connection['privateLinkServiceId']]}"
        for connection in connections
        for group in connection["groupIds"]
    }


@pytest.mark.parametrize("sku", SKUS)
def test_every_resource_of_a_network_matches_the_schema_of_the_sdk(sku: str) -> None:
    problems = [problem for resource in stack(sku).resources for problem in schema.problems(resource)]
    assert problems == []


def test_without_the_setting_there_is_no_network() -> None:
    assert [
        resource for resource in Case("dev", preview=False).stack.resources if ":network:" in resource.type
    ] == []


@pytest.mark.parametrize("sku", SKUS)
def test_each_subnet_is_delegated_to_at_most_one_service_and_subnets_do_not_overlap(sku: str) -> None:
    by_name = subnets(stack(sku))
    delegations = {
        name: [delegation["serviceName"] for delegation in subnet.get("delegations") or ()]
        for name, subnet in by_name.items()
    }
    expected = {
        "functions": ["Microsoft.App/environments"],
        "endpoints": [],
        "environment-containers": ["Microsoft.App/environments"],
        "gateway": ["Microsoft.Web/serverFarms"] if sku.endswith("V2") else [],
    }
    if sku == "BasicV2":
        del expected["gateway"]
    assert delegations == expected
    ranges = [ip_network(subnet["addressPrefix"]) for subnet in by_name.values()]
    assert [pair for pair in itertools.combinations(ranges, 2) if pair[0].overlaps(pair[1])] == []


@pytest.mark.parametrize("sku", SKUS)
def test_a_subnet_admits_only_what_its_rules_list(sku: str) -> None:
    groups = {
        resource.id: resource.inputs["securityRules"]
        for resource in stack(sku).of_type("network:NetworkSecurityGroup")
    }
    for name, subnet in subnets(stack(sku)).items():
        rules = groups[subnet["networkSecurityGroup"]["id"]]
        *admitted, last = sorted(rules, key=lambda rule: rule["priority"])
        assert (last["access"], last["sourceAddressPrefix"], last["protocol"]) == ("Deny", "*", "*")
        assert {rule["access"] for rule in admitted} <= {"Allow"}
        from_internet = [rule for rule in admitted if rule["sourceAddressPrefix"] == "Internet"]
        public = {"Premium": ["gateway"], "BasicV2": ["environment-containers"]}.get(sku, [])
        assert bool(from_internet) is (name in public), name


def test_the_units_of_a_classic_gateway_share_counters_and_cache() -> None:
    """Rate limits are counted together through UDP 4290, and the cache is at TCP 6381 to 6383."""
    gateway = subnets(stack("Premium"))["gateway"]["addressPrefix"]
    ((protocol, ports),) = [
        (rule["protocol"], rule["destinationPortRanges"])
        for group in stack("Premium").of_type("network:NetworkSecurityGroup")
        for rule in group.inputs["securityRules"]
        if rule["access"] == "Allow" and rule["sourceAddressPrefix"] == gateway
        if rule["destinationAddressPrefix"] == gateway
    ]
    assert (protocol, ports) == ("*", ["4290", "6381-6383"])


@pytest.mark.parametrize("sku", SKUS)
def test_machines_of_one_environment_may_send_each_other_any_protocol(sku: str) -> None:
    prefix = subnets(stack(sku))["environment-containers"]["addressPrefix"]
    protocols = {
        rule["protocol"]
        for group in stack(sku).of_type("network:NetworkSecurityGroup")
        for rule in group.inputs["securityRules"]
        if rule["sourceAddressPrefix"] == rule["destinationAddressPrefix"] == prefix
    }
    assert protocols == {"*"}


@pytest.mark.parametrize("sku", PRIVATE_SKUS)
def test_services_with_private_access_have_no_public_address(sku: str) -> None:
    declared = stack(sku)
    assert endpoints(declared) == {
        "Sql of gateway-store-cosmos",
        "blob of mcpfunctions",
        "queue of mcpfunctions",
        "sites of functions-app",
        "vault of mcp-vault",
    }
    assert declared.one("cosmosdb:DatabaseAccount").inputs["publicNetworkAccess"] == "Disabled"
    assert declared.one("storage:StorageAccount").inputs["publicNetworkAccess"] == "Disabled"
    environment = declared.one("app:ManagedEnvironment").inputs
    assert environment["vnetConfiguration"]["internal"] is True
    assert environment["publicNetworkAccess"] == "Disabled"
    service = declared.one("apimanagement:ApiManagementService").inputs
    assert service["virtualNetworkType"] == "External"
    assert service["virtualNetworkConfiguration"]["subnetResourceId"].endswith("/subnets/gateway")


def test_services_stay_public_for_a_tier_that_is_not_in_the_network() -> None:
    """The gateway of BasicV2 is not in the network; only resources that it does not call become private."""
    declared = stack("BasicV2")
    assert endpoints(declared) == {"blob of mcpfunctions", "queue of mcpfunctions", "vault of mcp-vault"}
    assert declared.one("cosmosdb:DatabaseAccount").inputs["publicNetworkAccess"] == "Enabled"
    assert declared.one("storage:StorageAccount").inputs["publicNetworkAccess"] == "Disabled"
    assert declared.one("app:ManagedEnvironment").inputs["vnetConfiguration"]["internal"] is False
    assert declared.one("web:WebApp").inputs["virtualNetworkSubnetId"].endswith("/subnets/functions")
    service = declared.one("apimanagement:ApiManagementService").inputs
    assert service["virtualNetworkType"] == "None"
    assert "virtualNetworkConfiguration" not in service


@pytest.mark.parametrize("sku", SKUS)
def test_code_can_be_published_from_outside_of_the_network(sku: str) -> None:
    """A private endpoint closes the app itself; its deployment service still accepts packages."""
    app = stack(sku).one("web:WebApp").inputs
    config = app["siteConfig"]
    assert app["publicNetworkAccess"] == "Enabled"
    if sku == "BasicV2":
        assert "ipSecurityRestrictionsDefaultAction" not in config
    else:
        assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
        assert config["scmIpSecurityRestrictionsDefaultAction"] == "Allow"
        assert config["scmIpSecurityRestrictionsUseMain"] is False


def test_the_function_app_can_keep_a_public_address() -> None:
    declared = evaluate({**_SETTINGS, "sku": "StandardV2", "privateFunctions": "false"})
    assert "sites of functions-app" not in endpoints(declared)
    assert "ipSecurityRestrictionsDefaultAction" not in declared.one("web:WebApp").inputs["siteConfig"]


@pytest.mark.parametrize("sku", SKUS)
def test_the_network_is_linked_to_the_dns_zone_of_every_endpoint(sku: str) -> None:
    declared = stack(sku)
    zones = {resource.id: resource.outputs["name"] for resource in declared.of_type("privatedns:PrivateZone")}
    links = {
        resource.inputs["privateZoneName"] for resource in declared.of_type("privatedns:VirtualNetworkLink")
    }
    assert links == set(zones.values())
    groups = declared.of_type("network:PrivateDnsZoneGroup")
    assert len(groups) == len(declared.of_type("network:PrivateEndpoint"))
    used = {
        config["privateDnsZoneId"] for group in groups for config in group.inputs["privateDnsZoneConfigs"]
    }
    assert used <= zones.keys()


@pytest.mark.parametrize("sku", SKUS)
def test_an_app_starts_after_its_private_dns_records_exist(sku: str) -> None:
    declared = stack(sku)
    graph = Graph(declared)
    app = declared.one("web:WebApp")
    needed = [
        resource
        for type_ in (
            "network:PrivateDnsZoneGroup",
            "privatedns:VirtualNetworkLink",
            "authorization:RoleAssignment",
        )
        for resource in declared.of_type(type_)
        if any(word in resource.name for word in ("blob", "queue"))
    ]
    assert len(needed) == 6
    assert graph.missing(app, needed) == []


@pytest.mark.parametrize("sku", PRIVATE_SKUS)
def test_an_internal_environment_can_be_resolved_before_its_routes_exist(sku: str) -> None:
    declared = stack(sku)
    record = declared.one("privatedns:PrivateRecordSet")
    environment = declared.one("app:ManagedEnvironment")
    assert record.inputs["relativeRecordSetName"] == "*"
    assert record.inputs["aRecords"] == [{"ipv4Address": environment.outputs["staticIp"]}]
    assert record.inputs["privateZoneName"] == environment.outputs["defaultDomain"]
    assert Graph(declared).missing(declared.one("app:HttpRouteConfig"), [record]) == []


@pytest.mark.parametrize("sku", PRIVATE_SKUS)
def test_api_management_depends_on_its_subnet_and_on_no_private_endpoint(sku: str) -> None:
    declared = stack(sku)
    before = Graph(declared).dependencies(declared.one("apimanagement:ApiManagementService")).values()
    types = {resource.type.rpartition(":")[2] for resource in before if resource.custom}
    assert "Subnet" in types
    assert not types & {
        "PrivateEndpoint",
        "PrivateDnsZoneGroup",
        "DatabaseAccount",
        "WebApp",
        "ManagedEnvironment",
    }


def test_subnets_are_written_one_after_the_other() -> None:
    declared = stack("StandardV2")
    graph = Graph(declared)
    chain = sorted(declared.of_type("network:Subnet"), key=lambda resource: len(graph.dependencies(resource)))
    for position, subnet in enumerate(chain):
        assert graph.missing(subnet, chain[:position]) == []


def test_the_subnet_of_an_environment_does_not_depend_on_other_environments() -> None:
    def prefixes(*names: str) -> dict[str, object]:
        containers = json.dumps([{**_CONTAINER, "name": name} for name in names])
        declared = evaluate(
            {**_SETTINGS, "sku": "StandardV2", "isolateEnvironments": "true", "containers": containers},
            preview=True,
        )
        return {name: subnet["addressPrefix"] for name, subnet in subnets(declared).items()}

    before, after = prefixes("notes", "wiki", "tickets"), prefixes("tickets", "wiki")
    assert len(set(before.values())) == len(before) == 6
    assert after == {name: prefix for name, prefix in before.items() if name in after}
