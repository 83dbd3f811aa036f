"""Reads and checks the configuration of a stack.

The settings are declared in `configuration.declared`. `load` is the only place that reads `pulumi.Config`.
All problems are reported together, each with the reason and the command that fixes it, before any resource is
declared.
"""

import base64
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import pulumi

from configuration import address, callers, declared, existing, foundry, monitoring, network, scale
from configuration import containers as entries
from configuration.access import Access, Agent
from configuration.address import Address
from configuration.container import Container
from configuration.declared import KEYS
from configuration.existing import Existing
from configuration.foundry import ApiCenter, Foundry, FoundryProject
from configuration.monitoring import Monitoring
from configuration.names import SERVERS as BACKENDS
from configuration.names import behind_the_gateway
from configuration.network import NetworkSettings
from configuration.origin import is_loopback, is_origin
from configuration.presets import PRESETS
from configuration.problem import Problem, SettingsError
from configuration.reader import Reader
from configuration.region import programmatic_name
from configuration.scale import Scale
from configuration.tool_lock import Tools
from configuration.tool_rule import OTHER_TOOLS, ToolRule
from configuration.unpinned import reject_unpinned

__all__ = [
    "BACKENDS",
    "KEYS",
    "OTHER_TOOLS",
    "Access",
    "Agent",
    "ApiCenter",
    "Container",
    "Foundry",
    "FoundryProject",
    "Monitoring",
    "Problem",
    "RateLimits",
    "Settings",
    "SettingsError",
    "ToolLock",
    "ToolRule",
    "load",
]

Audience = Literal["backend", "gateway"]
ToolLock = Literal["off", "report", "refuse"]

# Names of the public cloud that Azure Native accepts; case is ignored.
_PUBLIC_CLOUD = ("public", "azurecloud", "azurepubliccloud")

_DAY = 24 * 60 * 60
_PROJECT = Path(__file__).resolve().parent
# Each policy that returns pages contains the logo, and classic tiers limit a policy to 256 KiB.
_MAX_LOGO_BYTES = 12 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """Lifetimes in seconds.

    Attributes:
        access_token: an access token.
        grant: a grant; its refresh tokens are valid for this time after the sign-in.
        refresh_grace: the time after a refresh in which the same refresh token gets the same response.
        registration: a client's registration after its last sign-in; at least as long as a grant.
        consent: a remembered consent; 0 when consents are not remembered.
        transaction: from a client's authorization request to the end of the sign-in.
        code: an authorization code.
        session: the record of the owner of an MCP session.
        unused_registration: a client's registration until its first sign-in.
    """

    access_token: int
    grant: int
    refresh_grace: int
    registration: int
    consent: int
    transaction: int = 600
    code: int = 60
    session: int = _DAY
    unused_registration: int = _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Rate limits.

    Attributes:
        register_per_minute: client registrations from one IP address.
        stack_registers_per_minute: client registrations from all IP addresses together.
        authorize_per_minute: sign-ins that are started from one IP address.
        token_per_minute: token requests from one IP address.
        calls_per_minute: calls of one user to one MCP server that is not in `calls_by_backend`.
        calls_by_backend: calls of one user to the MCP server of that name.
        bad_tokens_per_minute: calls to MCP servers with a bad token from one IP address.
        open_requests: requests, including streams, that one user may have open at one MCP server.
    """

    register_per_minute: int
    stack_registers_per_minute: int
    authorize_per_minute: int
    token_per_minute: int
    calls_per_minute: int
    calls_by_backend: Mapping[str, int]
    bad_tokens_per_minute: int
    open_requests: int

    def calls_of(self, backend: str) -> int:
        """Calls per minute that one user may make to an MCP server."""
        return self.calls_by_backend.get(backend, self.calls_per_minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a stack.

    Attributes:
        location: Azure region, such as `westeurope`.
        publisher_email: the address to which API Management sends service notices.
        publisher_name: the organisation that runs the gateway.
        publisher_logo: its logo as a `data:` URI; empty for none.
        sku: tier of API Management.
        capacity: its units.
        tags: tags of every resource that can have tags.
        address: the gateway's custom host name; None for the host name that Azure assigns.
        path_prefix: the first segments of all URLs of the gateway, without slashes; empty for none.
        network: the virtual network; None without one.
        existing: existing resources that the stack uses instead of creating its own.
        scale: the size of the stack, in addition to tier and units.
        audience: whether a token is valid at one backend or at all of them.
        require_resource: whether a client must name an MCP server as the resource (RFC 8707).
        assignment_required: whether only users who are assigned to the application may sign in.
        app_schemes: private-use URI schemes without a dot that redirect URIs may have.
        client_domains: domains whose metadata documents of clients are accepted; empty for the public DNS.
        backends: names of the project's MCP servers that are enabled, in the order of the configuration.
        presets: those of them that are container images, by name.
        containers: further MCP servers.
        isolate_environments: whether each backend's containers have a separate environment.
        access: the kinds of callers that may call each backend, by its name.
        scopes: the scopes of each backend, by its name, the default scope first.
        tools: the rules for tools of each backend, by its name and the name of the tool.
        tool_lock: the treatment of tools that differ from the reviewed ones.
        locked_tools: the only tools of each backend that the gateway admits, by its name;
            empty unless `tool_lock` is `refuse`.
        role_members: object ids of the users and groups to which a role of a tool is assigned, by the role.
        agents: principals of Entra that call backends on their own behalf.
        foundry: the Foundry project whose agents use the servers, or None.
        github_url: URL of GitHub's hosted MCP server.
        registry: whether the gateway publishes the list of servers.
        api_center: the API Center that lists the servers, or None.
        allowed_origins: origins, in addition to the gateway's own, whose pages may call MCP servers.
        lifetimes: lifetimes of tokens and records.
        rate_limits: the rate limits.
        monitoring: the settings of logs, alerts and costs.
        key_version: version of the keys that encrypt tokens; see `accepted_key_versions`.
        subscription_key_version: version of the subscription keys; the previous version stays valid.
        entra_authority: origin of the Entra sign-in service, without a trailing slash.
        protect: whether Pulumi refuses to delete or replace resources with state; never in the twin.
        local: true only in the twin.
        local_url: origin of the twin's gateway, without a trailing slash; empty on Azure.
    """

    location: str
    publisher_email: str
    publisher_name: str
    publisher_logo: str
    sku: str
    capacity: int
    tags: Mapping[str, str]
    address: Address | None
    path_prefix: str
    network: NetworkSettings | None
    existing: Existing
    scale: Scale
    audience: Audience
    require_resource: bool
    assignment_required: bool
    app_schemes: tuple[str, ...]
    client_domains: tuple[str, ...]
    backends: tuple[str, ...]
    presets: Mapping[str, Container]
    containers: tuple[Container, ...]
    isolate_environments: bool
    access: Mapping[str, tuple[Access, ...]]
    scopes: Mapping[str, tuple[str, ...]]
    tools: Mapping[str, Mapping[str, ToolRule]]
    tool_lock: ToolLock
    locked_tools: Mapping[str, Tools]
    agents: tuple[Agent, ...]
    role_members: Mapping[str, tuple[str, ...]]
    foundry: Foundry | None
    github_url: str
    registry: bool
    api_center: ApiCenter | None
    allowed_origins: tuple[str, ...]
    lifetimes: Lifetimes
    rate_limits: RateLimits
    monitoring: Monitoring
    key_version: int
    subscription_key_version: int
    entra_authority: str
    protect: bool
    local: bool
    local_url: str

    @property
    def accepted_key_versions(self) -> range:
        """The key versions that policies accept: the previous one, the one in use, and the next one.

        While a deployment changes the version, policies that it has not updated yet receive tokens that the
        updated ones encrypt with the next key.
        """
        return range(max(1, self.key_version - 1), self.key_version + 2)


def load() -> Settings:
    """Reads and checks the configuration of the current stack.

    Raises:
        SettingsError: the configuration has problems; the error contains all of them.
    """
    reader = Reader(pulumi.Config())
    backends = _backends(reader)
    prefix = address.read_prefix(reader, adopted=bool(reader.peek(existing.API_MANAGEMENT.key)))
    presets = _presets(reader, backends, prefix)
    containers = entries.read(reader, prefix)
    audience = cast("Audience", declared.AUDIENCE.read(reader))
    entries.reject_shared_messages(reader, audience, presets.values(), containers)
    reject_unpinned(reader, presets, containers)
    access = callers.servers_access(reader, backends, containers)
    tools = callers.servers_tools(reader, backends, presets, containers)
    scopes = callers.servers_scopes(reader, backends, presets, containers, tools)
    grant_days = declared.GRANT_DAYS.read(reader)
    adopted = existing.read(reader, _deployed_servers(backends, containers))
    sizes = scale.read(
        reader,
        backends,
        adopted=bool(adopted.api_management),
        in_network=reader.peek(network.VNET_ENABLED.key).lower() == "true",
    )
    presets = {name: sizes.apply(container) for name, container in presets.items()}
    settings = Settings(
        location=_location(reader),
        publisher_email=declared.PUBLISHER_EMAIL.read(reader),
        publisher_name=declared.PUBLISHER_NAME.read(reader),
        publisher_logo=_publisher_logo(reader),
        sku=_sku(reader),
        capacity=declared.CAPACITY.read(reader, maximum=declared.UNITS.get(reader.peek("sku"))),
        tags=_tags(reader),
        address=address.read(reader, reader.peek("sku"), adopted=bool(adopted.api_management)),
        path_prefix=prefix,
        network=network.read(
            reader,
            reader.peek("sku"),
            adopted=bool(adopted.api_management),
            servers=len(presets) + len(containers),
        ),
        existing=adopted,
        scale=sizes,
        audience=audience,
        require_resource=declared.REQUIRE_RESOURCE.read(reader),
        assignment_required=declared.ASSIGNMENT_REQUIRED.read(reader),
        app_schemes=_app_schemes(reader),
        client_domains=_client_domains(reader),
        backends=backends,
        presets=presets,
        containers=containers,
        isolate_environments=declared.ISOLATE_ENVIRONMENTS.read(reader),
        access=access,
        scopes=scopes,
        tools=tools,
        tool_lock=cast("ToolLock", declared.TOOL_LOCK.read(reader)),
        locked_tools=callers.servers_locked_tools(reader, scopes, containers),
        agents=callers.stack_agents(reader, access, containers, scopes, tools),
        role_members=callers.stack_role_members(reader, tools),
        foundry=foundry.read_foundry(reader, github="github" in backends),
        github_url=foundry.GITHUB_URL.read(reader),
        registry=foundry.REGISTRY.read(reader),
        api_center=foundry.read_api_center(reader),
        allowed_origins=_allowed_origins(reader),
        lifetimes=Lifetimes(
            access_token=60 * declared.ACCESS_TOKEN_MINUTES.read(reader),
            grant=_DAY * grant_days,
            refresh_grace=declared.REFRESH_GRACE_SECONDS.read(reader),
            registration=_DAY * max(grant_days, declared.REGISTRATION_DAYS.read(reader)),
            consent=_DAY * declared.CONSENT_DAYS.read(reader),
        ),
        rate_limits=RateLimits(
            register_per_minute=declared.REGISTER_PER_MINUTE.read(reader),
            stack_registers_per_minute=declared.STACK_REGISTERS_PER_MINUTE.read(reader),
            authorize_per_minute=declared.AUTHORIZE_PER_MINUTE.read(reader),
            token_per_minute=declared.TOKEN_PER_MINUTE.read(reader),
            calls_per_minute=declared.CALLS_PER_MINUTE.read(reader),
            calls_by_backend=_call_limits(reader, backends, containers),
            bad_tokens_per_minute=declared.BAD_TOKENS_PER_MINUTE.read(reader),
            open_requests=declared.OPEN_REQUESTS.read(reader),
        ),
        monitoring=monitoring.read(reader),
        key_version=declared.KEY_VERSION.read(reader),
        subscription_key_version=declared.SUBSCRIPTION_KEY_VERSION.read(reader),
        entra_authority=_entra_authority(reader),
        protect=declared.PROTECT.read(reader) and not reader.local,
        local=declared.LOCAL.read(reader),
        local_url=_local_url(reader),
    )
    _require_public_cloud(reader)
    reader.reject_unknown_keys(KEYS, declared.REMOVED)
    if reader.problems:
        raise SettingsError(tuple(sorted(reader.problems, key=_position)))
    return settings


def _position(problem: Problem) -> int:
    """The position of a problem's key among the settings; unknown keys come last."""
    name = re.split(r"[.\[]", problem.key, maxsplit=1)[0]
    # The region has a key of another namespace, and is the first setting of a stack.
    return KEYS.index(name) if name in KEYS else -1 if ":" in problem.key else len(KEYS)


def _location(reader: Reader) -> str:
    """The region in the format of Azure's APIs; the portal shows `West Europe`."""
    written = declared.LOCATION.read(reader)
    value = programmatic_name(written)
    if written and not re.fullmatch(r"[a-z]+[a-z0-9]*", value):
        declared.LOCATION.reject(reader, f"'{written}' is not an Azure region.")
    return value


def _require_public_cloud(reader: Reader) -> None:
    """Reports a cloud other than the public one, from the stack's configuration or the environment."""
    variables = ("ARM_ENVIRONMENT", "AZURE_ENVIRONMENT")
    variable = next((name for name in variables if os.environ.get(name)), None)
    if value := reader.peek("azure-native:environment"):
        remedy = "pulumi config rm azure-native:environment"
    elif variable:
        value, remedy = os.environ[variable], f"unset {variable}"
    else:
        return
    if value.strip().lower() not in _PUBLIC_CLOUD:
        reader.reject(
            "azure-native:environment",
            f"'{value}' is not Azure's public cloud.",
            "Only the public cloud is supported: sovereign clouds have no v2 tier of API Management and no "
            "Flex Consumption, and their addresses and audiences differ.",
            remedy,
        )


def _publisher_logo(reader: Reader) -> str:
    """The logo as a `data:` URI: browsers do not run the scripts of an SVG image."""
    setting = declared.PUBLISHER_LOGO
    name = setting.read(reader)
    if not name:
        return ""
    path = (_PROJECT / name).resolve()
    media_type = {".svg": "image/svg+xml", ".png": "image/png"}.get(path.suffix.lower())
    if not path.is_relative_to(_PROJECT) or media_type is None or not path.is_file():
        wrong = f"'{name}' is not an SVG or PNG file in the project's folder."
        setting.reject(reader, wrong, f"pulumi config rm {setting.key}")
        return ""
    content = path.read_bytes()
    if len(content) > _MAX_LOGO_BYTES:
        setting.reject(
            reader, f"'{name}' is too large: {len(content)} bytes.", f"pulumi config rm {setting.key}"
        )
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _sku(reader: Reader) -> str:
    sku = declared.SKU
    if reader.peek(sku.key).lower() == "consumption":
        wrong = (
            "The tier Consumption has no cache, no rate limit by key and no streaming; MCP needs all three."
        )
        sku.reject(reader, wrong, sku.command_for(sku.default))
        return sku.default
    return sku.read(reader)


def _tags(reader: Reader) -> Mapping[str, str]:
    setting = declared.TAGS
    tags = setting.read(reader)
    for name, value in tags.items():
        if not re.fullmatch(r"[^<>%&\\?/\x00-\x1f]{1,128}", name) or len(value) > 256:  # noqa: PLR2004 -- stated in `limits`
            setting.reject(reader, f"'{name}' is not a valid tag.", setting.command_without(name))
    if len(tags) > 15:  # noqa: PLR2004 -- stated in `limits`
        wrong = f"There are {len(tags)} tags; at most 15 are allowed."
        setting.reject(reader, wrong, setting.command_without(next(iter(tags))))
    return tags


# Schemes that browsers and operating systems handle themselves: a redirect there may run code or read files.
_SCHEMES_OF_BROWSERS = frozenset(
    {"about", "blob", "chrome", "data", "file", "filesystem", "ftp", "http", "https", "javascript", "mailto"}
    | {"ms-settings", "sms", "ssh", "tel", "urn", "vbscript", "view-source", "ws", "wss"}
)


def _app_schemes(reader: Reader) -> tuple[str, ...]:
    setting = declared.APP_SCHEMES
    schemes = setting.read(reader)
    for index, scheme in enumerate(schemes):
        if not re.fullmatch(r"[a-z][a-z0-9+-]{0,49}", scheme, re.ASCII) or scheme in _SCHEMES_OF_BROWSERS:
            remedy = setting.command_without_entry(index)
            setting.reject(reader, f"'{scheme}' is not the scheme of an app.", remedy)
    return schemes


_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII)


def _client_domains(reader: Reader) -> tuple[str, ...]:
    setting = declared.CLIENT_DOMAINS
    domains = setting.read(reader)
    for index, domain in enumerate(domains):
        # A domain without a dot, such as localhost, is only for tests on one machine.
        if not _HOST.fullmatch(domain) or not (reader.local or "." in domain):
            setting.reject(reader, f"'{domain}' is not a domain.", setting.command_without_entry(index))
    return domains


def _backends(reader: Reader) -> tuple[str, ...]:
    setting = declared.BACKENDS
    names = setting.read(reader)
    for name in names:
        if name not in BACKENDS:
            near = next(iter(difflib.get_close_matches(name, BACKENDS, n=1)), BACKENDS[0])
            index = names.index(name)
            remedy = (
                setting.command_without_entry(index)
                if near in names
                else setting.command_for_entry(index, near)
            )
            setting.reject(reader, f"'{name}' is not an MCP server of this project.", remedy)
    if (
        not behind_the_gateway(names)
        and not reader.peek("containers").strip("[]")
        and reader.peek("backends").startswith("[")
    ):
        wrong = (
            f"{', '.join(names)} is not behind the gateway, and no other server is enabled."
            if names
            else "Must not be empty."
        )
        setting.reject(reader, wrong, setting.command_for_entry(len(names), BACKENDS[0]))
    return names


def _presets(reader: Reader, backends: tuple[str, ...], prefix: str) -> Mapping[str, Container]:
    containers = {
        name: preset.read(reader, enabled=name in backends, prefix=prefix) for name, preset in PRESETS.items()
    }
    return {name: container for name, container in containers.items() if container is not None}


def _deployed_servers(backends: tuple[str, ...], containers: tuple[Container, ...]) -> tuple[str, ...]:
    """Names of the MCP servers that the stack deploys."""
    return (*behind_the_gateway(backends), *(entry.name for entry in containers))


def _call_limits(
    reader: Reader, backends: tuple[str, ...], containers: tuple[Container, ...]
) -> Mapping[str, int]:
    setting, maximum = declared.CALL_LIMITS, declared.CALLS_PER_MINUTE.maximum
    values = setting.read(reader)
    callers.reject_unknown_backends(reader, setting, values, backends)
    limits = {}
    for name, value in values.items():
        if re.fullmatch(r"[1-9][0-9]{0,8}", value, re.ASCII) and int(value) <= maximum:
            limits[name] = int(value)
        else:
            reader.reject(
                f"{setting.key}.{name}",
                f"'{value}' is not a whole number from 1 to {maximum}.",
                setting.reason,
                f"pulumi config set --path {setting.key}.{name} 120",
            )
    return limits | {
        entry.name: entry.calls_per_minute for entry in containers if entry.calls_per_minute is not None
    }


def _allowed_origins(reader: Reader) -> tuple[str, ...]:
    setting = declared.ALLOWED_ORIGINS
    origins = setting.read(reader)
    for index, origin in enumerate(origins):
        if not is_origin(origin):
            remedy = setting.command_for_entry(index, setting.example)
            setting.reject(reader, f"'{origin}' is not an origin.", remedy)
    return origins


def _entra_authority(reader: Reader) -> str:
    setting = declared.ENTRA_AUTHORITY
    value = setting.read(reader)
    if value and reader.local and not is_loopback(value):
        reader.reject(
            "local",
            f"Must not be true, because '{value}' is not on this machine.",
            "A local stack has weaker protection than a stack on Azure: it allows web pages of this machine "
            "and plain http.",
            declared.LOCAL.command,
        )
    elif value and is_loopback(value) and not reader.local:
        wrong = f"'{value}' is on this machine: a server there could sign in as any user."
        setting.reject(reader, wrong)
    elif value and not reader.local and value != declared.ENTRA_AUTHORITY_OF_THE_PUBLIC_CLOUD:
        setting.reject(reader, f"'{value}' is not {declared.ENTRA_AUTHORITY_OF_THE_PUBLIC_CLOUD}.")
    return value


def _local_url(reader: Reader) -> str:
    """The origin of the twin's gateway. Azure's is `https://<name of the service>.azure-api.net`."""
    setting = declared.LOCAL_URL
    value = setting.read(reader)
    if value and not reader.local:
        wrong = f"'{value}' is set, but the stack is not local."
        setting.reject(reader, wrong, f"pulumi config rm {setting.key}")
    elif reader.local and not is_loopback(value):
        setting.reject(reader, f"'{value}' is not an origin on this machine.")
    return value
