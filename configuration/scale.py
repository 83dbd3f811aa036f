"""The settings for the size of a stack: zones, regions, throughput, instances and replicas."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from configuration.container import Container
from configuration.presets import PRESETS
from configuration.reader import Reader
from configuration.region import programmatic_name
from configuration.setting import Choice, Integer, Secret, TextList, TextMap

_ZONES = ("1", "2", "3")
_LARGEST_TIER = "Premium"
# The limit of API Management.
_MAX_CONNECTION_LENGTH = 300

ZONES = TextList(
    key="zones",
    description=(
        "Availability zones of API Management, in the tier Premium. Without a list Azure chooses the zones "
        "of a new service of that tier, if the region has zones; Microsoft recommends this."
    ),
    limits="1, 2, 3; at least as many units (`capacity`) as zones.",
    default=(),
    example="1",
)
REGIONS = TextList(
    key="regions",
    description=(
        "Additional regions with a gateway of `capacity` units each, in the tier Premium. Cosmos DB is then "
        "replicated to them with provisioned throughput instead of serverless, so that it survives the loss "
        "of a region. Set this before the first deployment, because a Cosmos DB account cannot be changed "
        "from one capacity mode to the other. MCP servers run only in the stack's own region."
    ),
    limits="Regions in lower case without spaces; not azure-native:location.",
    default=(),
    example="northeurope",
)
STORE_THROUGHPUT = Integer(
    key="storeThroughput",
    description=(
        "With `regions`: maximum number of request units per second to which Cosmos DB scales; at least a "
        "tenth of them is billed in each region."
    ),
    limits="A multiple of 1000.",
    minimum=1000,
    maximum=100_000,
    default=4000,
    example="8000",
)
REDIS_CONNECTION = Secret(
    key="redisConnection",
    description=(
        "Connection string of a Redis-compatible cache that API Management uses instead of its own: updates "
        "of the service do not empty it, and it can be larger. It contains the status of grants, the owners "
        "of sessions, and public keys and metadata of clients, but no tokens and no secret keys."
    ),
    limits=(
        f"`<name>:10000,password=<access key>,ssl=True,abortConnect=False`; at most {_MAX_CONNECTION_LENGTH} "
        "characters."
    ),
    example="",
)
FUNCTIONS_INSTANCES = Integer(
    key="functionsInstances",
    description="Maximum number of instances of the project's own MCP server, which also scales to zero.",
    minimum=1,
    maximum=1000,
    default=40,
    example="100",
)
FUNCTIONS_ALWAYS_READY = Integer(
    key="functionsAlwaysReady",
    description=(
        "Instances of the project's own MCP server that always run, so that the first call after a pause "
        "does not wait for a start. They are also billed while they are idle."
    ),
    minimum=0,
    maximum=100,
    default=0,
    example="1",
)
FUNCTIONS_MEMORY = Choice(
    key="functionsMemory",
    description="Megabytes of memory of an instance of the project's own MCP server.",
    choices=("512", "2048", "4096"),
    default="2048",
    example="4096",
)
STATELESS = tuple(
    name
    for name, preset in PRESETS.items()
    if any(process.max_replicas > 1 for process in preset.container.processes)
)
"""The project's own containers that may have several replicas."""

REPLICAS = TextMap(
    key="replicas",
    description=(
        "Minimum and maximum number of replicas of the project's own containers that have streamable HTTP "
        "without sessions. With a minimum of 0 a server stops while it has no calls, and its next call "
        "waits for a start. Servers with sessions run in one replica, because requests of a session could "
        "reach a different replica. An entry of `containers` has its own key for it."
    ),
    limits=f"`<minimum>-<maximum>` with numbers from 0 to 30; only for {', '.join(STATELESS)}.",
    example="jira 0-10",
)

SETTINGS = (
    ZONES,
    REGIONS,
    STORE_THROUGHPUT,
    REDIS_CONNECTION,
    FUNCTIONS_INSTANCES,
    FUNCTIONS_ALWAYS_READY,
    FUNCTIONS_MEMORY,
    REPLICAS,
)

_MAX_REPLICAS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The size of a stack.

    Attributes:
        zones: availability zones of API Management; empty if Azure chooses them.
        regions: additional regions.
        store_throughput: maximum request units per second of Cosmos DB, with additional regions.
        redis_connection: connection string of an external cache; empty for API Management's own.
        functions_instances: maximum number of instances of the function app.
        functions_always_ready: number of instances of the function app that always run.
        functions_memory: megabytes of memory of each instance.
        replicas: minimum and maximum number of replicas of a container, by the name of the server.
    """

    zones: tuple[str, ...]
    regions: tuple[str, ...]
    store_throughput: int
    redis_connection: str
    functions_instances: int
    functions_always_ready: int
    functions_memory: int
    replicas: Mapping[str, tuple[int, int]]

    def apply(self, container: Container) -> Container:
        """A copy of a container whose process with streamable HTTP has the stack's numbers of replicas."""
        if container.name not in self.replicas:
            return container
        minimum, maximum = self.replicas[container.name]
        return replace(
            container,
            processes=tuple(
                replace(process, min_replicas=minimum, max_replicas=maximum)
                if process.transport == "streamable-http"
                else process
                for process in container.processes
            ),
        )


def read(reader: Reader, backends: Collection[str], *, adopted: bool, in_network: bool) -> Scale:
    """Reads and checks the settings.

    Args:
        reader: collects the problems.
        backends: the project's own MCP servers that are enabled.
        adopted: whether the stack uses an existing API Management service.
        in_network: whether the stack has a virtual network.
    """
    instances = FUNCTIONS_INSTANCES.read(reader)
    return Scale(
        zones=_zones(reader, adopted=adopted),
        regions=_regions(reader, adopted=adopted, in_network=in_network),
        store_throughput=_throughput(reader),
        redis_connection=_redis_connection(reader, adopted=adopted),
        functions_instances=instances,
        functions_always_ready=FUNCTIONS_ALWAYS_READY.read(reader, maximum=min(instances, 100)),
        functions_memory=int(FUNCTIONS_MEMORY.read(reader) or FUNCTIONS_MEMORY.default),
        replicas=_replicas(reader, backends),
    )


def _reject_unsupported(reader: Reader, setting: TextList, *, adopted: bool) -> bool:
    """Reports a list, unless the stack has its own API Management service in the tier Premium.

    Returns:
        Whether the list was reported.
    """
    remedy = f"pulumi config rm {setting.key}"
    if adopted:
        setting.reject(
            reader,
            "Must not be set with existingApiManagement: the owner of that service sets it there.",
            remedy,
        )
    elif (sku := reader.peek("sku")) != _LARGEST_TIER:
        setting.reject(reader, f"Requires the tier {_LARGEST_TIER}, but the tier is {sku}.", remedy)
    else:
        return False
    return True


def _zones(reader: Reader, *, adopted: bool) -> tuple[str, ...]:
    zones = ZONES.read(reader)
    if not zones or _reject_unsupported(reader, ZONES, adopted=adopted):
        return ()
    for index, zone in enumerate(zones):
        if zone not in _ZONES:
            ZONES.reject(reader, f"'{zone}' is not a zone.", ZONES.command_without_entry(index))
    capacity = reader.peek("capacity")
    if capacity.isdecimal() and int(capacity) < len(zones):
        wrong = f"There are {len(zones)} zones and {capacity} units."
        ZONES.reject(reader, wrong, f"pulumi config set capacity {len(zones)}")
    return zones


def _regions(reader: Reader, *, adopted: bool, in_network: bool) -> tuple[str, ...]:
    regions = REGIONS.read(reader)
    if not regions or _reject_unsupported(reader, REGIONS, adopted=adopted):
        return ()
    if in_network:
        wrong = "Must not be set with vnetEnabled: each region would need a separate network with a peering."
        REGIONS.reject(reader, wrong, f"pulumi config rm {REGIONS.key}")
    for index, region in enumerate(regions):
        if not re.fullmatch(r"[a-z]+[a-z0-9]*", region):
            wrong = f"'{region}' is not an Azure region."
        elif region == programmatic_name(reader.peek("azure-native:location")):
            wrong = f"'{region}' is the stack's own region."
        else:
            continue
        REGIONS.reject(reader, wrong, REGIONS.command_without_entry(index))
    return regions


def _throughput(reader: Reader) -> int:
    throughput = STORE_THROUGHPUT.read(reader)
    if throughput % 1000:
        nearest = STORE_THROUGHPUT.command_for(str(throughput // 1000 * 1000 or 1000))
        STORE_THROUGHPUT.reject(reader, f"{throughput} is not a multiple of 1000.", nearest)
    return throughput


def _redis_connection(reader: Reader, *, adopted: bool) -> str:
    connection = REDIS_CONNECTION.read(reader)
    if connection and adopted:
        wrong = "Must not be set with existingApiManagement: the owner of that service sets it there."
        REDIS_CONNECTION.reject(reader, wrong, f"pulumi config rm {REDIS_CONNECTION.key}")
    if len(connection) > _MAX_CONNECTION_LENGTH:
        REDIS_CONNECTION.reject(reader, f"The connection string has {len(connection)} characters.")
    return connection


def _replicas(reader: Reader, backends: Collection[str]) -> Mapping[str, tuple[int, int]]:
    replicas = {}
    for name, value in REPLICAS.read(reader).items():
        key, remedy = f"{REPLICAS.key}.{name}", REPLICAS.command_without(name)
        match = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", value, re.ASCII)
        if name not in STATELESS or name not in backends:
            wrong = f"'{name}' is not an enabled server that may have several replicas."
            reader.reject(key, wrong, REPLICAS.reason, remedy)
        elif match is None or not 1 <= int(match[2]) <= _MAX_REPLICAS or int(match[1]) > int(match[2]):
            wrong = f"'{value}' is not `<minimum>-<maximum>` with numbers up to {_MAX_REPLICAS}."
            reader.reject(key, wrong, REPLICAS.reason, remedy)
        else:
            replicas[name] = (int(match[1]), int(match[2]))
    return replicas
