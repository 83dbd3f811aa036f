"""The configuration of a stack, read once, checked as a whole.

Keys, their types and their defaults are declared in `Pulumi.yaml`. `load` is the only place that reads
`pulumi.Config`. Whatever is wrong is reported together, each problem with the reason and the command that
mends it, before any resource is declared.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

import pulumi

from configuration import container, credentials
from configuration.container import Access, Container
from configuration.credentials import Jira, Slack
from configuration.names import SERVERS as BACKENDS
from configuration.problem import Problem, SettingsError
from configuration.reader import Reader, set_command

__all__ = [
    "BACKENDS",
    "KEYS",
    "Access",
    "Container",
    "Problem",
    "RateLimits",
    "Settings",
    "SettingsError",
    "load",
]

Audience = Literal["backend", "gateway"]

KEYS = (
    "publisherEmail",
    "publisherName",
    "sku",
    "capacity",
    "tags",
    "oauthScopes",
    "audience",
    "requireResource",
    "backends",
    "slackBotToken",
    "slackDigest",
    "jiraUrl",
    "jiraUsername",
    "jiraApiToken",
    "jiraDigest",
    "containers",
    "isolateEnvironments",
    "access",
    "allowedOrigins",
    "accessTokenMinutes",
    "grantDays",
    "registrationDays",
    "registerPerMinute",
    "authorizePerMinute",
    "tokenPerMinute",
    "callsPerMinute",
    "callLimits",
    "keyVersion",
    "entraAuthority",
    "protect",
    "local",
    "localUrl",
)
"""Every key of the project's configuration."""

# https://learn.microsoft.com/azure/api-management/api-management-features
_UNITS = {
    "BasicV2": 10,
    "StandardV2": 10,
    "PremiumV2": 30,
    "Developer": 1,
    "Basic": 2,
    "Standard": 4,
    "Premium": 12,
}

_AUTHORITY = "https://login.microsoftonline.com"

# Names of the public cloud that Azure Native knows; they are compared without case.
_PUBLIC_CLOUD = ("public", "azurecloud", "azurepubliccloud")

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long things live, in seconds.

    Attributes:
        access_token: an access token; it ends with the ID token of its sign-in if that is earlier.
        grant: the record of a sign-in, which holds the code and then the status of its access token.
        registration: a client's registration that is not used.
        transaction: from a client's authorization request to the end of the sign-in.
        code: an authorization code.
        session: an MCP session: for so long it is known to whom it belongs.
    """

    access_token: int
    grant: int
    registration: int
    transaction: int = 600
    code: int = 60
    session: int = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How often one caller may do something.

    Attributes:
        register_per_minute: client registrations of one network address.
        authorize_per_minute: sign-ins that are started from one network address.
        token_per_minute: requests of one network address for tokens.
        calls_per_minute: calls of one user to one MCP server, where `calls_by_backend` says nothing else.
        calls_by_backend: calls of one user to the MCP server of that name.
    """

    register_per_minute: int
    authorize_per_minute: int
    token_per_minute: int
    calls_per_minute: int
    calls_by_backend: Mapping[str, int]

    def calls_of(self, backend: str) -> int:
        """Calls in a minute that one user may make to an MCP server."""
        return self.calls_by_backend.get(backend, self.calls_per_minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a stack says about itself.

    Attributes:
        location: Azure region, as `westeurope`.
        publisher_email: where API Management sends service notices.
        publisher_name: the organisation that runs the gateway.
        sku: tier of API Management.
        capacity: its units.
        tags: put on every resource that takes tags.
        scopes: scopes that MCP clients may ask the gateway for; `openid` is always one of them. Entra is not
            asked for them.
        audience: whether a token opens one backend or all of them.
        require_resource: whether a client must name the MCP server that it wants (RFC 8707).
        backends: names of the project's MCP servers that are on, in the order of the configuration.
        slack: how its server signs in at Slack; nobody's when it is off.
        slack_digest: digest of its image, or None.
        jira: how its server signs in at Jira; nobody's when it is off.
        jira_digest: digest of its image, or None.
        containers: further MCP servers.
        isolate_environments: whether every backend's containers have an environment of their own.
        access: who may call a backend, by its name, where it is not everybody who signed in.
        allowed_origins: origins, beside the gateway's own, whose pages may call MCP servers.
        lifetimes: how long tokens and records live.
        rate_limits: how often one caller may do something.
        key_version: version of the keys that seal tokens; see `accepted_key_versions`.
        entra_authority: origin of the Entra sign-in service, without a trailing slash.
        protect: whether Pulumi refuses to delete or replace what holds state: never in the twin.
        local: true only in the twin.
        local_url: origin of the twin's gateway, without a trailing slash; empty on Azure.
    """

    location: str
    publisher_email: str
    publisher_name: str
    sku: str
    capacity: int
    tags: Mapping[str, str]
    scopes: tuple[str, ...]
    audience: Audience
    require_resource: bool
    backends: tuple[str, ...]
    slack: Slack
    slack_digest: str | None
    jira: Jira
    jira_digest: str | None
    containers: tuple[Container, ...]
    isolate_environments: bool
    access: Mapping[str, Access]
    allowed_origins: tuple[str, ...]
    lifetimes: Lifetimes
    rate_limits: RateLimits
    key_version: int
    entra_authority: str
    protect: bool
    local: bool
    local_url: str

    @property
    def accepted_key_versions(self) -> range:
        """The key versions that policies accept: the previous one, the one in use, and the next one.

        While a deployment changes the version, the policies that it has not reached yet receive what the
        others seal with the next key.
        """
        return range(max(1, self.key_version - 1), self.key_version + 2)


def load() -> Settings:
    """Read and check the configuration of the current stack.

    Raises:
        SettingsError: with every problem that there is.
    """
    reader = Reader(pulumi.Config())
    backends = _backends(reader)
    containers = container.read(reader, KEYS)
    audience = cast(
        "Audience",
        reader.choice("audience", get_args(Audience), "It decides how many MCP servers one token opens."),
    )
    container.refuse_shared_messages(reader, audience, backends, containers)
    settings = Settings(
        location=_location(reader),
        publisher_email=_publisher_email(reader),
        publisher_name=_publisher_name(reader),
        sku=reader.choice("sku", tuple(_UNITS), _sku_reason(reader)),
        capacity=_capacity(reader),
        tags=_tags(reader),
        scopes=_scopes(reader),
        audience=audience,
        require_resource=reader.boolean("requireResource", example="true"),
        backends=backends,
        slack=credentials.slack(reader, backends),
        slack_digest=credentials.digest(reader, "slackDigest"),
        jira=credentials.jira(reader, backends),
        jira_digest=credentials.digest(reader, "jiraDigest"),
        containers=containers,
        isolate_environments=reader.boolean("isolateEnvironments", example="false"),
        access=_access(reader, backends, containers),
        allowed_origins=_allowed_origins(reader),
        lifetimes=Lifetimes(
            access_token=60
            * reader.integer(
                "accessTokenMinutes",
                1,
                60,
                "A user who is disabled in Entra keeps access for as long as an access token is valid.",
            ),
            grant=_DAY
            * reader.integer(
                "grantDays",
                1,
                365,
                "The record of a sign-in is kept for so long; it does not prolong tokens.",
            ),
            registration=_DAY
            * reader.integer("registrationDays", 1, 365, "Registrations that nobody uses are removed."),
        ),
        rate_limits=RateLimits(
            register_per_minute=reader.integer(
                "registerPerMinute",
                1,
                1000,
                "Anybody may register a client; a limit keeps the store from filling.",
            ),
            authorize_per_minute=reader.integer(
                "authorizePerMinute", 1, 10_000, "Each sign-in that is started takes room in the store."
            ),
            token_per_minute=reader.integer(
                "tokenPerMinute", 1, 10_000, "Codes and refresh tokens must not be guessed at leisure."
            ),
            calls_per_minute=reader.integer(
                "callsPerMinute", 1, 100_000, "One user must not be able to use up an MCP server."
            ),
            calls_by_backend=_call_limits(reader, backends, containers),
        ),
        key_version=reader.integer(
            "keyVersion",
            1,
            99,
            "A rotation adds one, or four after a leak; an earlier version is never used again.",
        ),
        entra_authority=_entra_authority(reader),
        protect=reader.boolean("protect", example="true") and not reader.local,
        local=reader.boolean("local", example="false"),
        local_url=_local_url(reader),
    )
    _require_public_cloud(reader)
    reader.refuse_unknown_keys(KEYS)
    if reader.problems:
        raise SettingsError(tuple(sorted(reader.problems, key=_place)))
    return settings


def _place(problem: Problem) -> int:
    """Where a problem's key stands among the settings; those of no setting come last."""
    name = re.split(r"[.\[]", problem.key, maxsplit=1)[0]
    # The region is not the project's own key, and the first thing that a stack needs.
    return KEYS.index(name) if name in KEYS else -1 if ":" in problem.key else len(KEYS)


def _location(reader: Reader) -> str:
    value = re.sub(r"\s", "", pulumi.Config("azure-native").get("location") or "").lower()
    if not re.fullmatch(r"[a-z]+[a-z0-9]*", value):
        reader.reject(
            "azure-native:location",
            f"'{value}' is not an Azure region." if value else "It is not set.",
            "Every resource is created in one region; `az account list-locations` prints their names.",
            set_command("azure-native:location", "westeurope"),
        )
    return value


def _require_public_cloud(reader: Reader) -> None:
    """Reports another cloud than the public one, from the stack's configuration or the environment."""
    configured = pulumi.Config("azure-native").get("environment")
    variables = ("ARM_ENVIRONMENT", "AZURE_ENVIRONMENT")
    variable = next((each for each in variables if os.environ.get(each)), None)
    if configured is not None:
        value, remedy = configured, "pulumi config rm azure-native:environment"
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


def _publisher_email(reader: Reader) -> str:
    why = "API Management sends its service notices there."
    value = reader.text("publisherEmail", "platform@example.com", why)
    if value and (not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value) or len(value) > 100):  # noqa: PLR2004 -- API Management's limit
        reader.reject(
            "publisherEmail",
            f"'{value}' is not an e-mail address of at most 100 characters.",
            why,
            set_command("publisherEmail", "platform@example.com"),
        )
    return value


def _publisher_name(reader: Reader) -> str:
    why = "It is shown to people who sign in; braces would be taken for API Management's named values."
    value = reader.text("publisherName", "Example Platform Team", why)
    if value and not (value.isprintable() and len(value) <= 100 and not set(value) & set("{}")):  # noqa: PLR2004 -- API Management's limit
        reader.reject(
            "publisherName",
            "It has more than 100 characters, or braces, or characters that do not print.",
            why,
            set_command("publisherName", "Example Platform Team"),
        )
    return value


def _sku_reason(reader: Reader) -> str:
    if reader.peek("sku").lower() == "consumption":
        return (
            "The Consumption tier has no cache, no rate limit by key and no streaming; MCP needs all three."
        )
    return "It decides price, capacity and networking of API Management."


def _capacity(reader: Reader) -> int:
    sku = reader.peek("sku")
    most = _UNITS.get(sku, max(_UNITS.values()))
    return reader.integer("capacity", 1, most, f"The units that tier {sku or 'of API Management'} can have.")


def _tags(reader: Reader) -> Mapping[str, str]:
    why = "Azure takes 15 here, with names of up to 128 characters without <>%&\\?/ and values of up to 256."
    tags = reader.strings_by_name("tags", "costCenter 4711", why)
    for name, value in tags.items():
        if not re.fullmatch(r"[^<>%&\\?/\x00-\x1f]{1,128}", name) or len(value) > 256:  # noqa: PLR2004 -- said in `why`
            reader.reject(
                "tags", f"'{name}' cannot be a tag.", why, f"pulumi config rm --path 'tags[\"{name}\"]'"
            )
    if len(tags) > 15:  # noqa: PLR2004 -- said in `why`
        reader.reject(
            "tags", f"There are {len(tags)}.", why, f"pulumi config rm --path 'tags[\"{next(iter(tags))}\"]'"
        )
    return tags


def _scopes(reader: Reader) -> tuple[str, ...]:
    why = (
        "MCP clients may ask the gateway for these scopes, and get all of them when they ask for none; "
        "`openid` is always one of them."
    )
    scopes = tuple(reader.text("oauthScopes", "openid offline_access", why).split())
    mended = " ".join(dict.fromkeys(("openid", *(scope for scope in scopes if _SCOPE.fullmatch(scope)))))
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            reader.reject(
                "oauthScopes", f"'{scope}' is not a scope.", why, set_command("oauthScopes", mended)
            )
    if scopes and "openid" not in scopes:
        reader.reject("oauthScopes", "'openid' is missing.", why, set_command("oauthScopes", mended))
    if len(set(scopes)) < len(scopes):
        reader.reject("oauthScopes", "A scope is listed twice.", why, set_command("oauthScopes", mended))
    return scopes


# Narrower than RFC 6749 (section 3.3): what Entra's scopes are made of.
_SCOPE = re.compile(r"[A-Za-z0-9_.:/-]{1,120}", re.ASCII)


def _backends(reader: Reader) -> tuple[str, ...]:
    why = f"They are the MCP servers behind the gateway; there are: {', '.join(BACKENDS)}."
    names = reader.strings("backends", BACKENDS[0], why)
    for name in names:
        if name not in BACKENDS:
            near = next(iter(difflib.get_close_matches(name, BACKENDS, n=1)), BACKENDS[0])
            remedy = f"pulumi config set --path 'backends[{names.index(name)}]' {near}"
            if near in names:
                remedy = f"pulumi config rm --path 'backends[{names.index(name)}]'"
            reader.reject("backends", f"'{name}' is not an MCP server of this project.", why, remedy)
    behind = [name for name in names if name != "github"]
    if not behind and not reader.peek("containers").strip("[]") and reader.peek("backends").startswith("["):
        wrong = (
            "It is empty."
            if not names
            else "GitHub's server is not behind the gateway, and nothing else is on."
        )
        reader.reject(
            "backends", wrong, why, f"pulumi config set --path 'backends[{len(names)}]' {BACKENDS[0]}"
        )
    return names


def _access(
    reader: Reader, backends: tuple[str, ...], containers: tuple[Container, ...]
) -> Mapping[str, Access]:
    why = "It is a map of the project's MCP servers to users, agents or keys."
    given = reader.strings_by_name("access", "slack users", why)
    _refuse_strangers(reader, "access", given, backends)
    return {name: container.access(reader, f"access.{name}", value) for name, value in given.items()} | {
        entry.name: entry.access for entry in containers
    }


def _call_limits(
    reader: Reader, backends: tuple[str, ...], containers: tuple[Container, ...]
) -> Mapping[str, int]:
    why = "It is a map of the project's MCP servers to the calls of one user in a minute, 1 to 100000."
    given = reader.strings_by_name("callLimits", "slack 120", why)
    _refuse_strangers(reader, "callLimits", given, backends)
    limits = {}
    for name, value in given.items():
        if not re.fullmatch(r"[1-9][0-9]{0,5}", value, re.ASCII) or int(value) > 100_000:  # noqa: PLR2004 -- said in `why`
            remedy = f"pulumi config set --path callLimits.{name} 120"
            reader.reject(f"callLimits.{name}", f"'{value}' is not such a number.", why, remedy)
        else:
            limits[name] = int(value)
    return limits | {
        entry.name: entry.calls_per_minute for entry in containers if entry.calls_per_minute is not None
    }


def _refuse_strangers(reader: Reader, key: str, given: Mapping[str, str], backends: tuple[str, ...]) -> None:
    """Reports names that are not MCP servers of the project that are on and behind the gateway."""
    known = tuple(name for name in backends if name != "github")
    for name in given:
        if name not in known:
            reader.reject(
                f"{key}.{name}",
                f"'{name}' is not one of {', '.join(known) or '(none)'}.",
                "It is for the project's own MCP servers that are on and behind the gateway; an entry of "
                "`containers` says it itself.",
                f"pulumi config rm --path '{key}[\"{name}\"]'",
            )


def _allowed_origins(reader: Reader) -> tuple[str, ...]:
    why = (
        "An origin is https://host or https://host:port, exactly as a browser sends it; there is no wildcard."
    )
    origins = reader.strings("allowedOrigins", "https://tools.example.com", why)
    for position, origin in enumerate(origins):
        if not _is_origin(origin):
            reader.reject(
                "allowedOrigins",
                f"'{origin}' is not an origin.",
                why,
                f"pulumi config set --path 'allowedOrigins[{position}]' https://tools.example.com",
            )
    return origins


def _is_origin(text: str) -> bool:
    """Whether it is, to the letter, an `Origin` (RFC 6454, section 6.1) over TLS or on loopback."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}.get(parts.scheme)
    if not re.fullmatch(r"[a-z0-9.:-]+", host) or default is None:
        return False
    if parts.scheme == "http" and host not in _LOOPBACK:
        return False
    return text == f"{parts.scheme}://{bracketed}" + ("" if port in (None, default) else f":{port}")


def _entra_authority(reader: Reader) -> str:
    why = "Users sign in with Entra ID in Azure's public cloud; sovereign clouds are not supported."
    remedy = set_command("entraAuthority", _AUTHORITY)
    value = reader.text("entraAuthority", _AUTHORITY, why)
    if not value:
        return value
    loopback = _is_origin(value) and urlsplit(value).hostname in _LOOPBACK
    local = reader.peek("local").lower() == "true"
    if local and not loopback:
        reader.reject(
            "local",
            f"It is true, but '{value}' is not on this machine.",
            "A local stack is softer than one on Azure: it admits pages of this machine and plain http.",
            set_command("local", "false"),
        )
    elif loopback and not local:
        reader.reject(
            "entraAuthority",
            f"'{value}' is on this machine.",
            "Whoever runs a server there could sign in as anybody. " + why,
            remedy,
        )
    elif not local and value != _AUTHORITY:
        reader.reject("entraAuthority", f"'{value}' is not {_AUTHORITY}.", why, remedy)
    return value


def _local_url(reader: Reader) -> str:
    """The origin of the twin's gateway. Azure's is `https://<name of the service>.azure-api.net`."""
    value = reader.peek("localUrl")
    if not reader.local:
        if value:
            reader.reject(
                "localUrl",
                f"'{value}' is set, but the stack is not local.",
                "On Azure the gateway's address follows from the name of the API Management service.",
                "pulumi config rm localUrl",
            )
    elif not _is_origin(value) or urlsplit(value).hostname not in _LOOPBACK:
        reader.reject(
            "localUrl",
            f"'{value}' is not an origin on this machine.",
            "The stack is local, and Azure does not decide where a local gateway is.",
            set_command("localUrl", "http://localhost:8000"),
        )
    return value
