"""The settings of a stack's virtual network."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from configuration.reader import Reader
from configuration.setting import Boolean, Text

INTEGRATED = ("StandardV2", "PremiumV2")
"""The tiers of API Management that can send requests through a delegated subnet.

https://learn.microsoft.com/azure/api-management/integrate-vnet-outbound
"""

INJECTED = ("Developer", "Premium")
"""The tiers of API Management that can run in a subnet.

https://learn.microsoft.com/azure/api-management/virtual-network-injection-resources
"""

_MIN_PREFIX_LENGTH, _MAX_PREFIX_LENGTH = 16, 22
_SUBNET = 26
# The number of subnets in addition to those of environments: for API Management, functions and private
# endpoints.
_SERVICES = 3


def _address_problem(value: str) -> str | None:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        return f"'{value}' is not an IPv4 network, such as 10.80.0.0/22."
    if not network.is_private:
        return f"'{value}' is not a private network (RFC 1918)."
    if not _MIN_PREFIX_LENGTH <= network.prefixlen <= _MAX_PREFIX_LENGTH:
        return f"'{value}' is not between /{_MIN_PREFIX_LENGTH} and /{_MAX_PREFIX_LENGTH}."
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
        addresses: the address space.
        gateway: the connection of API Management: `integrated` if it sends requests through the network,
            `injected` if it runs in the network, otherwise `none`.
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
        """The subnets of 64 addresses (/26) in the network.

        This size is sufficient for all services: API Management, Flex Consumption and workload profiles of
        Container Apps need /27 or larger.
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
