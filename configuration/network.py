"""The virtual network of a stack."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from configuration.reader import Reader
from configuration.setting import Boolean, Text

INTEGRATED = ("StandardV2", "PremiumV2")
"""Tiers of API Management that send requests through a delegated subnet.

https://learn.microsoft.com/azure/api-management/integrate-vnet-outbound
"""

INJECTED = ("Developer", "Premium")
"""Tiers of API Management that run in a subnet.

https://learn.microsoft.com/azure/api-management/virtual-network-injection-resources
"""

_LARGEST, _SMALLEST = 16, 22
_SUBNET = 26
# Subnets in addition to those of environments: API Management, functions, private endpoints.
_SERVICES = 3


def _address_problem(value: str) -> str | None:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        return f"'{value}' is not an IPv4 network, such as 10.80.0.0/22."
    if not network.is_private:
        return f"'{value}' is not a private network (RFC 1918)."
    if not _LARGEST <= network.prefixlen <= _SMALLEST:
        return f"'{value}' is not between /{_LARGEST} and /{_SMALLEST}."
    return None


VNET_ENABLED = Boolean(
    key="vnetEnabled",
    description=(
        "Create a virtual network for the stack, with private endpoints for storage, Cosmos DB and the "
        "function app. How much becomes private depends on `sku`: StandardV2, PremiumV2, Developer and "
        "Premium can reach the network, so everything behind the gateway becomes private. BasicV2, Basic and "
        "Standard cannot; with them only the storage of the functions becomes private. See docs/network.md."
    ),
    default=False,
    example="true",
)
VNET_ADDRESSES = Text(
    key="vnetAddresses",
    description=(
        "Address space of the virtual network. It must not overlap with networks with which it will be "
        "peered; a later change replaces the network and the resources in it."
    ),
    limits="A private IPv4 network from /16 to /22.",
    default="10.80.0.0/22",
    example="10.20.0.0/22",
    problem=_address_problem,
)
PRIVATE_FUNCTIONS = Boolean(
    key="privateFunctions",
    description=(
        "In a virtual network that the gateway can reach: create a private endpoint for the function app, "
        "and accept requests only through it. Its deployment endpoint stays reachable for identities that "
        "may deploy. Some deployments of Flex Consumption behind a private endpoint hang at "
        "`Kudu-RemoveWorkersStep` (Azure/Azure-Functions#2635, open); then set this to false: the app gets a "
        "public URL, and accepts only requests of the gateway's identity."
    ),
    default=True,
    example="false",
)

SETTINGS = (VNET_ENABLED, VNET_ADDRESSES, PRIVATE_FUNCTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The settings of a stack's virtual network.

    Attributes:
        addresses: its address space.
        gateway: how API Management is connected: `integrated` sends requests through the network, `injected`
            runs in it, `none` does neither.
        private_functions: whether the function app can be reached only through a private endpoint.
    """

    addresses: ipaddress.IPv4Network
    gateway: str
    private_functions: bool

    @property
    def reached_by_gateway(self) -> bool:
        """Whether API Management can reach private addresses."""
        return self.gateway != "none"

    def subnets(self) -> Iterator[ipaddress.IPv4Network]:
        """Subnets of 64 addresses, one after the other.

        All services accept /26: API Management, Flex Consumption and workload profiles of Container Apps need
        /27 or larger.
        """
        return self.addresses.subnets(new_prefix=_SUBNET)


def read(reader: Reader, sku: str, *, adopted: bool, servers: int) -> NetworkSettings | None:
    """Reads the settings; None without a virtual network.

    Args:
        reader: collects the problems.
        sku: tier of API Management.
        servers: number of MCP servers in containers.
        adopted: whether the stack uses an existing API Management service; its owner manages its network.
    """
    enabled = VNET_ENABLED.read(reader)
    addresses = VNET_ADDRESSES.read(reader)
    private_functions = PRIVATE_FUNCTIONS.read(reader)
    if not enabled or VNET_ADDRESSES.problem(addresses):
        return None
    network = ipaddress.IPv4Network(addresses)
    isolated = reader.peek("isolateEnvironments").lower() == "true"
    environments = servers if isolated else min(servers, 1)
    if environments + _SERVICES > 2 ** (_SUBNET - network.prefixlen):
        wrong = f"'{addresses}' is too small for {environments} Container Apps environments."
        VNET_ADDRESSES.reject(reader, wrong, VNET_ADDRESSES.command_for("10.80.0.0/20"))
    gateway = "integrated" if sku in INTEGRATED else "injected" if sku in INJECTED else "none"
    return NetworkSettings(
        addresses=network,
        gateway="none" if adopted else gateway,
        private_functions=private_functions and not adopted and gateway != "none",
    )
