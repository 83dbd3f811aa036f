"""The configuration of a stack, read once, checked as a whole.

Keys, their types and their defaults are declared in `Pulumi.yaml`. `load` is the only place that reads
`pulumi.Config`. Whatever is wrong is reported together, each problem with the reason and the command that
mends it, before any resource is declared.
"""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime import config as pulumi_config

Audience = Literal["backend", "gateway"]

BACKENDS = ("functions",)
"""The MCP servers that a stack can turn on."""

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
    "allowedOrigins",
    "accessTokenMinutes",
    "grantDays",
    "registrationDays",
    "registerPerMinute",
    "authorizePerMinute",
    "tokenPerMinute",
    "callsPerMinute",
    "keyVersion",
    "entraAuthority",
    "local",
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

# https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
_AUTHORITIES = (
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long things live, in seconds.

    Attributes:
        access_token: an access token.
        grant: a sign-in, however often its refresh token is used.
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
        calls_per_minute: calls of one user to one MCP server.
    """

    register_per_minute: int
    authorize_per_minute: int
    token_per_minute: int
    calls_per_minute: int


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
        scopes: scopes asked of Entra; `openid` is always one of them.
        audience: whether a token opens one backend or all of them.
        require_resource: whether a client must name the MCP server that it wants (RFC 8707).
        backends: names of the MCP servers that are on, in the order of the configuration.
        allowed_origins: origins, beside the gateway's own, whose pages may call MCP servers.
        lifetimes: how long tokens and records live.
        rate_limits: how often one caller may do something.
        key_version: version of the keys that seal tokens; the one before it is still accepted.
        entra_authority: origin of the Entra sign-in service, without a trailing slash.
        local: true only in the twin.
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
    allowed_origins: tuple[str, ...]
    lifetimes: Lifetimes
    rate_limits: RateLimits
    key_version: int
    entra_authority: str
    local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the configuration.

    Attributes:
        key: the configuration key.
        wrong: what is wrong with it.
        why: why it matters, or what is accepted.
        remedy: the command that mends it.
    """

    key: str
    wrong: str
    why: str
    remedy: str


class SettingsError(pulumi.RunError):
    """The configuration is wrong. Pulumi shows the message alone, without a stack trace."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        noun = "problem" if len(problems) == 1 else "problems"
        parts = [
            f"  {problem.key}: {problem.wrong}\n    {problem.why}\n    > {problem.remedy}"
            for problem in problems
        ]
        super().__init__(
            f"The stack's configuration has {len(problems)} {noun}; nothing was deployed.\n\n"
            + "\n\n".join(parts)
        )


def load() -> Settings:
    """Read and check the configuration of the current stack.

    Raises:
        SettingsError: with every problem that there is.
    """
    reader = _Reader(pulumi.Config())
    settings = Settings(
        location=_location(reader),
        publisher_email=_publisher_email(reader),
        publisher_name=_publisher_name(reader),
        sku=reader.choice("sku", tuple(_UNITS), _sku_reason(reader)),
        capacity=_capacity(reader),
        tags=_tags(reader),
        scopes=_scopes(reader),
        audience=cast(
            "Audience",
            reader.choice("audience", get_args(Audience), "It decides how many MCP servers one token opens."),
        ),
        require_resource=reader.boolean("requireResource", example="true"),
        backends=_backends(reader),
        allowed_origins=_allowed_origins(reader),
        lifetimes=Lifetimes(
            access_token=60
            * reader.integer(
                "accessTokenMinutes", 1, 60, "A disabled user stays in for as long as an access token lives."
            ),
            grant=_DAY
            * reader.integer("grantDays", 1, 365, "A client may refresh its tokens until its grant ends."),
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
        ),
        key_version=reader.integer(
            "keyVersion", 1, 99, "Rotation counts up by one; a version that was left is never used again."
        ),
        entra_authority=_entra_authority(reader),
        local=reader.boolean("local", example="false"),
    )
    reader.refuse_unknown_keys()
    if reader.problems:
        raise SettingsError(tuple(reader.problems))
    return settings


class _Reader:
    """Reads values and gathers what is wrong with them.

    A value that is missing or wrong is reported and replaced by a harmless one, so that reading goes on;
    the replacement never leaves `load`.
    """

    def __init__(self, config: pulumi.Config) -> None:
        self.problems: list[Problem] = []
        self._config = config

    def reject(self, key: str, wrong: str, why: str, remedy: str) -> None:
        problem = Problem(key=key, wrong=wrong, why=why, remedy=remedy)
        if problem not in self.problems:
            self.problems.append(problem)

    def text(self, key: str, example: str, why: str) -> str:
        value = (self._config.get(key) or "").strip()
        if not value:
            self.reject(key, "It is not set.", why, _set(key, example))
        return value

    def peek(self, key: str) -> str:
        """The value as it stands, for a check of another key; reports nothing."""
        return (self._config.get(key) or "").strip()

    def choice(self, key: str, choices: tuple[str, ...], why: str) -> str:
        value = self.text(key, choices[0], why)
        if value and value not in choices:
            near = next((choice for choice in choices if choice.lower() == value.lower()), None)
            near = near or next(iter(difflib.get_close_matches(value, choices, n=1)), choices[0])
            self.reject(key, f"'{value}' is not one of {', '.join(choices)}.", why, _set(key, near))
        return value

    def integer(self, key: str, least: int, most: int, why: str) -> int:
        value = self.text(key, str(least), why)
        if not value:
            return least
        if not re.fullmatch(r"-?[0-9]{1,9}", value, re.ASCII):
            self.reject(key, f"'{value}' is not a whole number.", why, _set(key, str(least)))
            return least
        number = int(value)
        if not least <= number <= most:
            nearest = min(max(number, least), most)
            allowed = str(least) if least == most else f"{least} to {most}"
            self.reject(key, f"{number} is outside of {allowed}.", why, _set(key, str(nearest)))
        return number

    def boolean(self, key: str, example: str) -> bool:
        why = "It is a yes or a no."
        value = self.text(key, example, why)
        if value and value.lower() not in ("true", "false"):
            self.reject(key, f"'{value}' is neither true nor false.", why, _set(key, example))
        return value.lower() == "true"

    def strings(self, key: str, example: str, why: str) -> tuple[str, ...]:
        value = self._structure(key, f"--path '{key}[0]' {example}", why)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.reject(
                key,
                "It is not a list of texts.",
                why,
                f"pulumi config rm {key} && pulumi config set --path '{key}[0]' {example}",
            )
            return ()
        items = tuple(item.strip() for item in value)
        for item in sorted({item for item in items if items.count(item) > 1}):
            self.reject(
                key,
                f"'{item}' stands in it twice.",
                why,
                f"pulumi config rm --path '{key}[{items.index(item)}]'",
            )
        return items

    def strings_by_name(self, key: str, example: str, why: str) -> Mapping[str, str]:
        if not self.peek(key):
            return {}
        value = self._structure(key, f"--path {key}.{example}", why)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.reject(
                key,
                "It is not a map of names to texts.",
                why,
                f"pulumi config rm {key} && pulumi config set --path {key}.{example}",
            )
            return {}
        # Pulumi turns a value that looks like a number or a yes into one; a tag is a text.
        return {name: item if isinstance(item, str) else json.dumps(item) for name, item in value.items()}

    def refuse_unknown_keys(self) -> None:
        prefix = f"{self._config.name}:"
        present = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
        for key in sorted(full.removeprefix(prefix) for full in present if full.startswith(prefix)):
            if key in KEYS:
                continue
            near = difflib.get_close_matches(key, KEYS, n=1)
            why = f"Did you mean '{near[0]}'?" if near else "Pulumi.yaml lists the keys that there are."
            self.reject(key, "There is no such setting.", why, f"pulumi config rm {key}")

    def _structure(self, key: str, example: str, why: str) -> object:
        value = self.peek(key)
        if not value:
            self.reject(key, "It is not set.", why, f"pulumi config set {example}")
            return None
        try:
            return json.loads(value)
        except ValueError:
            return value


def _set(key: str, value: str) -> str:
    quoted = value if re.fullmatch(r"[\w.:/@-]+", value, re.ASCII) else f'"{value}"'
    return f"pulumi config set {key} {quoted}"


def _location(reader: _Reader) -> str:
    value = re.sub(r"\s", "", pulumi.Config("azure-native").get("location") or "").lower()
    if not re.fullmatch(r"[a-z]+[a-z0-9]*", value):
        reader.reject(
            "azure-native:location",
            f"'{value}' is not an Azure region." if value else "It is not set.",
            "Every resource is created in one region; `az account list-locations` prints their names.",
            _set("azure-native:location", "westeurope"),
        )
    return value


def _publisher_email(reader: _Reader) -> str:
    why = "API Management sends its service notices there."
    value = reader.text("publisherEmail", "platform@example.com", why)
    if value and (not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value) or len(value) > 100):  # noqa: PLR2004 -- API Management's limit
        reader.reject(
            "publisherEmail",
            f"'{value}' is not an e-mail address of at most 100 characters.",
            why,
            _set("publisherEmail", "platform@example.com"),
        )
    return value


def _publisher_name(reader: _Reader) -> str:
    why = "It is shown to people who sign in; braces would be taken for API Management's named values."
    value = reader.text("publisherName", "Example Platform Team", why)
    if value and not (value.isprintable() and len(value) <= 100 and not set(value) & set("{}")):  # noqa: PLR2004 -- API Management's limit
        reader.reject(
            "publisherName",
            "It has more than 100 characters, or braces, or characters that do not print.",
            why,
            _set("publisherName", "Example Platform Team"),
        )
    return value


def _sku_reason(reader: _Reader) -> str:
    if reader.peek("sku").lower() == "consumption":
        return (
            "The Consumption tier has no cache, no rate limit by key and no streaming; MCP needs all three."
        )
    return "It decides price, capacity and networking of API Management."


def _capacity(reader: _Reader) -> int:
    sku = reader.peek("sku")
    most = _UNITS.get(sku, max(_UNITS.values()))
    return reader.integer("capacity", 1, most, f"The units that tier {sku or 'of API Management'} can have.")


def _tags(reader: _Reader) -> Mapping[str, str]:
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


def _scopes(reader: _Reader) -> tuple[str, ...]:
    why = (
        "They are what Entra is asked for at sign-in; `openid` brings the ID token that says who the user is."
    )
    scopes = tuple(reader.text("oauthScopes", "openid offline_access", why).split())
    mended = " ".join(dict.fromkeys(("openid", *(scope for scope in scopes if _SCOPE.fullmatch(scope)))))
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            reader.reject("oauthScopes", f"'{scope}' is not a scope.", why, _set("oauthScopes", mended))
    if scopes and "openid" not in scopes:
        reader.reject("oauthScopes", "'openid' is missing.", why, _set("oauthScopes", mended))
    if len(set(scopes)) < len(scopes):
        reader.reject("oauthScopes", "A scope stands in it twice.", why, _set("oauthScopes", mended))
    return scopes


# Narrower than RFC 6749 (section 3.3): what Entra's scopes are made of.
_SCOPE = re.compile(r"[A-Za-z0-9_.:/-]{1,120}", re.ASCII)


def _backends(reader: _Reader) -> tuple[str, ...]:
    why = f"They are the MCP servers behind the gateway; there are: {', '.join(BACKENDS)}."
    names = reader.strings("backends", BACKENDS[0], why)
    for name in names:
        if name not in BACKENDS:
            near = next(iter(difflib.get_close_matches(name, BACKENDS, n=1)), BACKENDS[0])
            remedy = f"pulumi config set --path 'backends[{names.index(name)}]' {near}"
            if near in names:
                remedy = f"pulumi config rm --path 'backends[{names.index(name)}]'"
            reader.reject("backends", f"'{name}' is not an MCP server of this project.", why, remedy)
    if not names and reader.peek("backends") == "[]":
        reader.reject(
            "backends", "It is empty.", why, f"pulumi config set --path 'backends[0]' {BACKENDS[0]}"
        )
    return names


def _allowed_origins(reader: _Reader) -> tuple[str, ...]:
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


def _entra_authority(reader: _Reader) -> str:
    why = f"Users sign in there; it is one of {', '.join(_AUTHORITIES)}."
    remedy = _set("entraAuthority", _AUTHORITIES[0])
    value = reader.text("entraAuthority", _AUTHORITIES[0], why)
    if not value:
        return value
    loopback = _is_origin(value) and urlsplit(value).hostname in _LOOPBACK
    local = reader.peek("local").lower() == "true"
    if local and not loopback:
        reader.reject(
            "local",
            f"It is true, but '{value}' is not on this machine.",
            "A local stack is softer than one on Azure: it admits pages of this machine and plain http.",
            _set("local", "false"),
        )
    elif loopback and not local:
        reader.reject(
            "entraAuthority",
            f"'{value}' is on this machine.",
            "Whoever runs a server there could sign in as anybody. " + why,
            remedy,
        )
    elif not local and value not in _AUTHORITIES:
        reader.reject("entraAuthority", f"'{value}' is not an Entra sign-in service.", why, remedy)
    return value
