"""The virtual network of a stack, and the private endpoints in it.

Every service has its own subnet, because Azure allows only one service in a delegated subnet.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import network, privatedns

from configuration.network import NetworkSettings

_WEB = "Microsoft.Web/serverFarms"
_APP = "Microsoft.App/environments"

# https://learn.microsoft.com/azure/private-link/private-endpoint-dns
_ZONES = {
    "blob": "privatelink.blob.core.windows.net",
    "queue": "privatelink.queue.core.windows.net",
    "Sql": "privatelink.documents.azure.com",
    "vault": "privatelink.vaultcore.azure.net",
    "sites": "privatelink.azurewebsites.net",
}
"""The private DNS zone of each kind of private endpoint, by the group id of Private Link."""

# The index of each subnet among the network's equal parts; environments use the rest.
_GATEWAY, _FUNCTIONS, _ENDPOINTS, _FIRST_ENVIRONMENT = range(4)
_ANY = ("0-65535",)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """Arguments of `Network`.

    Attributes:
        resource_group_name: resource group of the network.
        location: the region.
        tags: tags of its resources.
        settings: its address space, and how API Management is connected to it.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    settings: NetworkSettings


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule that admits requests to a subnet.

    Attributes:
        source: service tag or address prefix.
        ports: the destination ports.
    """

    source: str
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneArgs:
    """Arguments of `PrivateZone`.

    Attributes:
        domain: the domain of the zone.
        vnet_id: the virtual network that is linked to it.
        network: resource group and tags.
    """

    domain: pulumi.Input[str]
    vnet_id: pulumi.Input[str]
    network: NetworkArgs


class PrivateZone(pulumi.ComponentResource):
    """A private DNS zone that is linked to the virtual network.

    Attributes:
        id: its resource id.
        name: the domain.
        link: the link to the network, without which the network uses the public DNS.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    link: pulumi.Resource

    def __init__(self, name: str, args: ZoneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:PrivateZone", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        network_args = args.network
        zone = privatedns.PrivateZone(
            f"{name}-zone",
            privatedns.PrivateZoneArgs(
                resource_group_name=network_args.resource_group_name,
                # Zones have no region.
                location="global",
                private_zone_name=args.domain,
                tags=network_args.tags,
            ),
            opts=child,
        )
        self.link = privatedns.VirtualNetworkLink(
            f"{name}-link",
            privatedns.VirtualNetworkLinkArgs(
                resource_group_name=network_args.resource_group_name,
                location="global",
                private_zone_name=zone.name,
                virtual_network_link_name="stack",
                virtual_network=privatedns.SubResourceArgs(id=args.vnet_id),
                registration_enabled=False,
                tags=network_args.tags,
            ),
            opts=child,
        )
        self.id = zone.id
        self.name = zone.name
        self.register_outputs({"id": self.id})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointArgs:
    """Arguments of `PrivateEndpoint`.

    Attributes:
        target_id: the resource behind it.
        group: group id of the resource's service in Private Link.
        subnet_id: the subnet with its address.
        zone: the zone in which the service's name is resolved.
        network: resource group, region and tags.
    """

    target_id: pulumi.Input[str]
    group: str
    subnet_id: pulumi.Input[str]
    zone: PrivateZone
    network: NetworkArgs


class PrivateEndpoint(pulumi.ComponentResource):
    """An address in the virtual network for one service of one resource.

    Attributes:
        ready: the resources that must exist before the network resolves the service's name to that address.
    """

    ready: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: EndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:PrivateEndpoint", name, None, opts)
        network_args = args.network
        endpoint = network.PrivateEndpoint(
            f"{name}-endpoint",
            network.PrivateEndpointArgs(
                resource_group_name=network_args.resource_group_name,
                location=network_args.location,
                subnet=network.SubnetArgs(id=args.subnet_id),
                private_link_service_connections=[
                    network.PrivateLinkServiceConnectionArgs(
                        name=args.group, private_link_service_id=args.target_id, group_ids=[args.group]
                    )
                ],
                tags=network_args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        records = network.PrivateDnsZoneGroup(
            f"{name}-records",
            network.PrivateDnsZoneGroupArgs(
                resource_group_name=network_args.resource_group_name,
                private_endpoint_name=endpoint.name,
                private_dns_zone_group_name="default",
                private_dns_zone_configs=[
                    network.PrivateDnsZoneConfigArgs(name=args.group, private_dns_zone_id=args.zone.id)
                ],
            ),
            opts=pulumi.ResourceOptions(parent=self, deleted_with=endpoint),
        )
        self.ready = (records, args.zone.link)
        self.register_outputs({})


class Network(pulumi.ComponentResource):
    """A virtual network with a subnet for each connected service.

    Attributes:
        settings: the settings of the network.
        gateway_subnet: id of API Management's subnet; None when it is not connected.
    """

    settings: NetworkSettings
    gateway_subnet: pulumi.Output[str] | None

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Network", name, None, opts)
        self.settings = args.settings
        self._name = name
        self._args = args
        self._zones: dict[str, PrivateZone] = {}
        self._last_subnet: pulumi.Resource | None = None
        self._subnets: dict[int, pulumi.Output[str]] = {}
        self._prefixes = list(args.settings.subnets())
        self._vnet = network.VirtualNetwork(
            f"{name}-vnet",
            network.VirtualNetworkInitArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                address_space=network.AddressSpaceArgs(address_prefixes=[str(args.settings.addresses)]),
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.gateway_subnet = self._gateway_subnet()
        # The servers, whose subnets are created later, resolve the names of private endpoints.
        self._endpoints_subnet = self._subnet(
            _ENDPOINTS, "endpoints", [_Rule(str(args.settings.addresses), ("443",))]
        )
        self.register_outputs({"id": self._vnet.id})

    def functions_subnet(self) -> pulumi.Output[str]:
        """Id of a subnet for a function app on Flex Consumption."""
        return self._subnet(
            _FUNCTIONS,
            "functions",
            [_Rule("AzureLoadBalancer", _ANY), _Rule(str(self._prefixes[_FUNCTIONS]), _ANY)],
            delegation=_APP,
            # The platform calls the app when it publishes code (Azure/Azure-Functions#2635).
            endpoints=("Microsoft.Web",),
        )

    def environment_subnet(self, environment: str) -> pulumi.Output[str]:
        """Id of a subnet for a Container Apps environment.

        Its addresses are derived from the name, so that they do not change when other environments are added
        or removed; the larger the network, the less likely is a collision of two names.
        https://learn.microsoft.com/azure/container-apps/firewall-integration
        """
        count = len(self._prefixes) - _FIRST_ENVIRONMENT
        first = zlib.crc32(environment.encode()) % count
        slots = (_FIRST_ENVIRONMENT + (first + step) % count for step in range(count))
        slot = next(slot for slot in slots if slot not in self._subnets)
        reached = self.settings.reached_by_gateway
        return self._subnet(
            slot,
            f"environment-{environment}",
            [
                _Rule(str(self._prefixes[_GATEWAY]) if reached else "Internet", ("443", "31443")),
                _Rule("AzureLoadBalancer", ("30000-32767",)),
                _Rule(str(self._prefixes[slot]), _ANY),
            ],
            delegation=_APP,
        )

    def zone(self, name: str, domain: pulumi.Input[str], parent: pulumi.Resource) -> PrivateZone:
        """A private DNS zone that is linked to the network."""
        return PrivateZone(
            name,
            ZoneArgs(domain=domain, vnet_id=self._vnet.id, network=self._args),
            opts=pulumi.ResourceOptions(parent=parent),
        )

    def endpoint(
        self, name: str, target_id: pulumi.Input[str], group: str, parent: pulumi.Resource
    ) -> PrivateEndpoint:
        """A private endpoint.

        Args:
            name: its logical name.
            target_id: the resource behind it.
            group: group id of the resource's service in Private Link: a key of `_ZONES`.
            parent: the component that it belongs to.
        """
        if group not in self._zones:
            self._zones[group] = self.zone(f"{self._name}-{group.lower()}", _ZONES[group], self)
        return PrivateEndpoint(
            name,
            EndpointArgs(
                target_id=target_id,
                group=group,
                subnet_id=self._endpoints_subnet,
                zone=self._zones[group],
                network=self._args,
            ),
            opts=pulumi.ResourceOptions(parent=parent),
        )

    def _gateway_subnet(self) -> pulumi.Output[str] | None:
        match self.settings.gateway:
            case "integrated":
                return self._subnet(_GATEWAY, "gateway", [], delegation=_WEB)
            case "injected":
                # https://learn.microsoft.com/azure/api-management/virtual-network-reference
                rules = [
                    _Rule("Internet", ("443",)),
                    _Rule("ApiManagement", ("3443",)),
                    _Rule("AzureLoadBalancer", ("6390",)),
                    # Units of API Management share counters and the cache.
                    _Rule(str(self._prefixes[_GATEWAY]), ("4290", "6381-6383")),
                ]
                return self._subnet(_GATEWAY, "gateway", rules)
            case _:
                return None

    def _subnet(
        self,
        slot: int,
        name: str,
        admitted: Sequence[_Rule],
        *,
        delegation: str = "",
        endpoints: Sequence[str] = (),
    ) -> pulumi.Output[str]:
        """A subnet that admits only the listed traffic, even from inside the virtual network."""
        prefix = str(self._prefixes[slot])
        group = network.NetworkSecurityGroup(
            f"{self._name}-{name}-rules",
            network.NetworkSecurityGroupInitArgs(
                resource_group_name=self._args.resource_group_name,
                location=self._args.location,
                security_rules=list(_rules(admitted, prefix)),
                tags=self._args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        subnet = network.Subnet(
            f"{self._name}-{name}",
            network.SubnetInitArgs(
                resource_group_name=self._args.resource_group_name,
                virtual_network_name=self._vnet.name,
                subnet_name=name,
                address_prefix=prefix,
                delegations=[network.DelegationArgs(name="service", service_name=delegation)]
                if delegation
                else None,
                network_security_group=network.NetworkSecurityGroupArgs(id=group.id),
                # Otherwise the rules would not apply to private endpoints.
                private_endpoint_network_policies=(
                    network.VirtualNetworkPrivateEndpointNetworkPolicies.NETWORK_SECURITY_GROUP_ENABLED
                ),
                service_endpoints=[
                    network.ServiceEndpointPropertiesFormatArgs(service=service) for service in endpoints
                ]
                or None,
            ),
            # Azure writes one subnet of a network at a time.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[self._last_subnet] if self._last_subnet else None
            ),
        )
        self._last_subnet = subnet
        self._subnets[slot] = subnet.id
        return subnet.id


def _rules(admitted: Sequence[_Rule], prefix: str) -> "Iterator[network.SecurityRuleArgs]":
    def rule(
        name: str, priority: int, access: str, source: str, ports: Sequence[str]
    ) -> "network.SecurityRuleArgs":
        return network.SecurityRuleArgs(
            name=name,
            priority=priority,
            access=access,
            direction="Inbound",
            # Machines in the same subnet also communicate over UDP.
            protocol="*" if access == "Deny" or source == prefix else "Tcp",
            source_address_prefix=source,
            source_port_range="*",
            destination_address_prefix=prefix,
            destination_port_ranges=list(ports),
        )

    for index, allowed in enumerate(admitted):
        yield rule(f"admit-{index}", 100 + 10 * index, "Allow", allowed.source, allowed.ports)
    yield rule("deny-others", 4096, "Deny", "*", _ANY)
