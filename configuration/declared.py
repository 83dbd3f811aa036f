"""Declares all settings of a stack, each in one place.

The settings of the project's own containers are declared in `configuration.presets`. `settings.load` reads
all settings.
`python -m configuration.page` generates the configuration in `Pulumi.yaml`, and docs/settings.md. A test
checks that both are current.
"""

import re

from configuration import address, existing, foundry, network, scale
from configuration.access import ACCESS_LIMITS, TOOL_LIMITS
from configuration.names import SERVERS
from configuration.presets import PRESETS
from configuration.setting import Boolean, Choice, Integer, MapList, MapMap, Setting, Text, TextList, TextMap

ENTRA_AUTHORITY_OF_THE_PUBLIC_CLOUD = "https://login.microsoftonline.com"

UNITS = {
    "BasicV2": 10,
    "StandardV2": 10,
    "PremiumV2": 30,
    "Developer": 1,
    "Basic": 2,
    "Standard": 4,
    "Premium": 12,
}
"""The tiers of API Management, each with its maximum number of units.

https://learn.microsoft.com/azure/api-management/api-management-features
"""


def email_problem(value: str) -> str | None:
    """The problem of an e-mail address, as a sentence, or None."""
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value) and len(value) <= 100:  # noqa: PLR2004 -- API Management's limit
        return None
    return f"'{value}' is not an e-mail address of at most 100 characters."


def _name_problem(value: str) -> str | None:
    if value.isprintable() and len(value) <= 100 and not set(value) & set("{}"):  # noqa: PLR2004 -- API Management's limit
        return None
    return "Must have at most 100 printable characters, without braces."


LOCATION = Text(
    key="azure-native:location",
    description="Azure region of all resources.",
    limits="`az account list-locations` lists the regions.",
    example="westeurope",
)
PUBLISHER_EMAIL = Text(
    key="publisherEmail",
    description="E-mail address to which API Management sends service notices.",
    limits="At most 100 characters.",
    example="platform@example.com",
    problem=email_problem,
)
PUBLISHER_NAME = Text(
    key="publisherName",
    description="Organisation that runs the gateway; shown to users who sign in.",
    limits="At most 100 printable characters, without braces.",
    example="Example Platform Team",
    problem=_name_problem,
)
PUBLISHER_LOGO = Text(
    key="publisherLogo",
    description="Logo of the organisation on the pages of a sign-in: a file in the project's folder.",
    limits="The path of an SVG or PNG file of at most 12 KB, from the project's folder.",
    default="",
    example="docs/logo.svg",
)
SKU = Choice(
    key="sku",
    description="Tier of API Management. It decides price, capacity and networking.",
    choices=tuple(UNITS),
    default="BasicV2",
    example="StandardV2",
)
CAPACITY = Integer(
    key="capacity",
    description="Units of API Management.",
    limits=f"The tier may allow fewer: {', '.join(f'{sku} {units}' for sku, units in UNITS.items())}.",
    minimum=1,
    maximum=max(UNITS.values()),
    default=1,
    example="2",
)
TAGS = TextMap(
    key="tags",
    description="Tags of every resource that supports tags.",
    limits="At most 15, with names of up to 128 characters without `<>%&\\?/` and values of up to 256.",
    example="costCenter 4711",
)
AUDIENCE = Choice(
    key="audience",
    description="Where a token is valid: with `backend` at one MCP server, with `gateway` at all of them.",
    choices=("backend", "gateway"),
    default="backend",
    example="gateway",
)
REQUIRE_RESOURCE = Boolean(
    key="requireResource",
    description="Reject clients that do not name an MCP server as the resource (RFC 8707).",
    default=False,
    example="true",
)
ASSIGNMENT_REQUIRED = Boolean(
    key="assignmentRequired",
    description=(
        "Allow sign-ins only by users who are assigned to the gateway's application in Entra, directly or "
        "through a group. Otherwise every member and guest of the tenant can sign in."
    ),
    default=False,
    example="true",
)
APP_SCHEMES = TextList(
    key="appSchemes",
    description=(
        "Private-use URI schemes without a dot that redirect URIs of apps may have. Any app on a computer "
        "can claim such a scheme, so only schemes of known clients are accepted. Schemes with a dot, which "
        "RFC 8252 requires, are always accepted. Your own list replaces the default."
    ),
    limits=(
        "Lower-case letters, digits, `+` and `-`, beginning with a letter; not a scheme that browsers handle."
    ),
    default=(
        "cursor",
        "vscode",
        "vscode-insiders",
        "vscodium",
        "windsurf",
        "jetbrains",
        "warp",
        "raycast",
        "kiro",
        "goose",
        "zed",
    ),
    example="cursor",
)
CLIENT_DOMAINS = TextList(
    key="clientDomains",
    description=(
        "Domains, with their subdomains, whose Client ID Metadata Documents are accepted: the client id is "
        "then the https URL of a document that describes the client. Without a list, every host in the "
        "public DNS is accepted, and its clients are not trusted. The gateway fetches the documents, so list "
        "domains if it can reach a private network."
    ),
    limits="Host names in lower case, without a port.",
    default=(),
    example="claude.ai",
)
BACKENDS = TextList(
    key="backends",
    description="The project's MCP servers that are enabled.",
    limits=f"{', '.join(SERVERS)}; at least one server must be behind the gateway, which github is not.",
    default=("functions",),
    example="functions",
)
CONTAINERS = MapList(
    key="containers",
    description="Additional MCP servers, each of which is a container image.",
    limits="Each entry is a map with at least name, image and port; see docs/adding-a-backend.md.",
    example="name notes",
    guide="docs/adding-a-backend.md",
)
ISOLATE_ENVIRONMENTS = Boolean(
    key="isolateEnvironments",
    description=(
        "Run the containers of each MCP server in a separate Container Apps environment. It costs more."
    ),
    default=False,
    example="true",
)
REQUIRE_DIGESTS = Boolean(
    key="requireDigests",
    description=(
        "Reject images that are not pinned by digest: a tag can be moved to another image. `make pin "
        "STACK=<stack>` pins all images of a stack. Stacks in the twin need no digests."
    ),
    default=True,
    example="false",
)
ACCESS = TextMap(
    key="access",
    description="Kinds of callers that may call one of the project's MCP servers.",
    limits=f"{ACCESS_LIMITS} `users` by default. An entry of `containers` has its own key for it.",
    example="functions users",
)
AGENTS = MapList(
    key="agents",
    description=(
        "Agents: principals of Entra that call MCP servers on their own behalf, and the app roles that are "
        "assigned to them."
    ),
    limits=(
        "Each entry is a map of `name`, `principal` (the object id of a service principal or managed "
        "identity) and `roles`: scopes of servers whose `access` has `agents`, or roles of rules in `tools`."
    ),
    example="name my-agent",
    guide="docs/access.md",
)
ROLE_MEMBERS = TextMap(
    key="roleMembers",
    description=(
        "Users and groups that are assigned a role which a rule in `tools` requires. Roles can also be "
        "assigned in Entra."
    ),
    limits="For each role, by its value: object ids, separated by spaces or as a list.",
    example="SnippetWriter 00000000-0000-0000-0000-000000000000",
)
_WITH_RULES = " and ".join(
    f"{preset.container.title}'s" for preset in PRESETS.values() if preset.container.tools
)
TOOLS = MapMap(
    key="tools",
    description=(
        "Rules for the tools of the project's MCP servers, by the name of the server: the scope, role or "
        "group that a caller must have to call a tool. These rules are added to the predefined ones of "
        f"{_WITH_RULES} servers."
    ),
    limits=f"{TOOL_LIMITS} An entry of `containers` has its own key for it.",
    example="functions.save_snippet.scope functions.write",
)
TOOL_LOCK = Choice(
    key="toolLock",
    description=(
        "The treatment of tools that differ from the reviewed ones in tools.lock.json. With `report`, "
        "`make verify` reports them. With `refuse`, the gateway also refuses calls of tools that are not in "
        "the file, and omits from tool lists these and those whose title or description changed."
    ),
    limits=(
        "With `refuse`, the file must contain every server behind the gateway (`make lock-tools` writes "
        "it), and each server must support streamable HTTP."
    ),
    choices=("off", "report", "refuse"),
    default="report",
    example="refuse",
)
ALLOWED_ORIGINS = TextList(
    key="allowedOrigins",
    description=(
        "Origins of web pages, in addition to the gateway's own, that may call MCP servers from a browser."
    ),
    limits="https://host or https://host:port, exactly as a browser sends it; no wildcards.",
    default=(),
    example="https://tools.example.com",
)
ACCESS_TOKEN_MINUTES = Integer(
    key="accessTokenMinutes",
    description=(
        "Minutes for which an access token is valid. Then the client refreshes it, and the gateway asks "
        "Entra whether the user may still sign in: a user who is disabled in Entra keeps access for at most "
        "this time."
    ),
    minimum=1,
    maximum=60,
    default=10,
    example="5",
)
GRANT_DAYS = Integer(
    key="grantDays",
    description=(
        "Days after a sign-in for which the client stays connected without another sign-in. Refreshes do not "
        "extend them."
    ),
    minimum=1,
    maximum=365,
    default=30,
    example="7",
)
REFRESH_GRACE_SECONDS = Integer(
    key="refreshGraceSeconds",
    description=(
        "Seconds after a refresh in which the same refresh token returns the same tokens again, as long as "
        "the new refresh token was not used. This helps clients that lose a response or refresh in parallel. "
        "Later use of an old refresh token revokes the grant of the sign-in."
    ),
    minimum=0,
    maximum=600,
    default=120,
    example="60",
)
CONSENT_DAYS = Integer(
    key="consentDays",
    description=(
        "Days for which the consent of a user is remembered, so that the consent page is not shown again in "
        "the same browser for the same client, server and scopes. This applies only to clients with a "
        "metadata document that are not on the user's machine. With 0 the page is shown each time."
    ),
    minimum=0,
    maximum=365,
    default=30,
    example="7",
)
REGISTRATION_DAYS = Integer(
    key="registrationDays",
    description=(
        "Days for which a client's registration is kept after the last sign-in, at least grantDays. Before "
        "the first sign-in it is kept for one day."
    ),
    minimum=1,
    maximum=365,
    default=90,
    example="30",
)
REGISTER_PER_MINUTE = Integer(
    key="registerPerMinute",
    description=(
        "Client registrations per minute from one IP address. Some clients register at every sign-in, and an "
        "office shares an address."
    ),
    minimum=1,
    maximum=1000,
    default=60,
    example="120",
)
STACK_REGISTERS_PER_MINUTE = Integer(
    key="stackRegistersPerMinute",
    description=(
        "Client registrations per minute from all IP addresses together. Anyone can register a client; the "
        "limit bounds the growth of the store."
    ),
    minimum=1,
    maximum=10_000,
    default=600,
    example="1200",
)
AUTHORIZE_PER_MINUTE = Integer(
    key="authorizePerMinute",
    description=(
        "Sign-ins per minute that may be started from one IP address; each of them uses space in the store. "
        "An office shares an address."
    ),
    minimum=1,
    maximum=10_000,
    default=60,
    example="120",
)
TOKEN_PER_MINUTE = Integer(
    key="tokenPerMinute",
    description=(
        "Requests per minute from one IP address for tokens and for their revocation. An office shares an "
        "address, and each client refreshes when its access token expires."
    ),
    minimum=1,
    maximum=10_000,
    default=600,
    example="1200",
)
CALLS_PER_MINUTE = Integer(
    key="callsPerMinute",
    description=(
        "Requests per minute of one user to one MCP server; a legacy session needs four requests before its "
        "first call. callLimits sets a different number for one server."
    ),
    minimum=1,
    maximum=100_000,
    default=3000,
    example="6000",
)
CALL_LIMITS = TextMap(
    key="callLimits",
    description="Requests per minute of one user to one of the project's MCP servers.",
    limits=(
        f"Whole numbers from 1 to {CALLS_PER_MINUTE.maximum}. An entry of `containers` has its own key for "
        "it."
    ),
    example="slack 120",
)
BAD_TOKENS_PER_MINUTE = Integer(
    key="badTokensPerMinute",
    description=(
        "Calls per minute from one IP address to MCP servers with an invalid, expired or revoked token. "
        "Calls with a valid token from the same address are not affected."
    ),
    minimum=1,
    maximum=100_000,
    default=600,
    example="1200",
)
OPEN_REQUESTS = Integer(
    key="openRequests",
    description=(
        "Requests of one user that may be open at one MCP server at the same time, including event streams."
    ),
    minimum=1,
    maximum=10_000,
    default=100,
    example="200",
)
KEY_VERSION = Integer(
    key="keyVersion",
    description=(
        "Version of the keys that encrypt tokens and sign consent forms. Add one to rotate: tokens of the "
        "previous version and sign-ins in progress stay valid. Add four after a leak: none of the existing "
        "keys is accepted any more."
    ),
    limits="Never set an earlier version.",
    minimum=1,
    maximum=99,
    default=1,
    example="2",
)
SUBSCRIPTION_KEY_VERSION = Integer(
    key="subscriptionKeyVersion",
    description=(
        "Version of the subscription keys of MCP servers whose `access` has `keys`. Add one to rotate: the "
        "new key becomes the primary key and the stack's output, and the previous one stays valid as the "
        "secondary key until the next rotation. Add two after a leak: none of the existing keys is accepted "
        "any more."
    ),
    limits="Never set an earlier version.",
    minimum=1,
    maximum=99,
    default=1,
    example="2",
)
LOG_RETENTION_DAYS = Integer(
    key="logRetentionDays",
    description="Days for which logs and audit records are kept. More than 31 days cost extra.",
    minimum=30,
    maximum=730,
    default=30,
    example="90",
)
LOG_DAILY_CAP_GB = Integer(
    key="logDailyCapGb",
    description=(
        "Maximum gigabytes of logs per day. Beyond it, all logs, including audit records, are lost until the "
        "next day, and an alert is sent. With 0 there is no cap."
    ),
    minimum=0,
    maximum=4000,
    default=10,
    example="50",
)
SAMPLING_PERCENT = Integer(
    key="samplingPercent",
    description=(
        "Percentage of requests whose telemetry API Management sends to Application Insights. Errors and "
        "audit records are always sent."
    ),
    minimum=1,
    maximum=100,
    default=100,
    example="20",
)
WORKBOOK = Boolean(
    key="workbook",
    description="Create a workbook with traffic, latency, errors, sign-ins and rate limits.",
    default=True,
    example="false",
)
ALERTS = Boolean(
    key="alerts",
    description=(
        "Create alerts for responses with 5xx, many rejected tokens, a server that does not respond, "
        "requests that Cosmos DB throttles, and lost logs. Azure charges for each of them."
    ),
    default=True,
    example="false",
)
ALERT_EMAILS = TextList(
    key="alertEmails",
    description="E-mail addresses that receive alerts. Without any, alerts are visible in the portal only.",
    limits="At most 50 e-mail addresses; with costAnomalyAlert at most 20.",
    default=(),
    example="oncall@example.com",
)
MONTHLY_BUDGET = Integer(
    key="monthlyBudget",
    description=(
        "Monthly budget of the resource group, in the currency of the subscription. At 80 percent, and when "
        "the forecast exceeds it, alertEmails and the owners receive an e-mail; nothing is stopped. With 0 "
        "there is no budget. Azure requires at least one address in alertEmails."
    ),
    minimum=0,
    maximum=100_000_000,
    default=0,
    example="500",
)
COST_ANOMALY_ALERT = Boolean(
    key="costAnomalyAlert",
    description=(
        "Check the daily costs of the subscription for anomalies and send them to alertEmails. Azure "
        "supports this only for whole subscriptions; the deployer needs the role Cost Management Contributor "
        "there. The check expires after a year. Needs 1 to 20 addresses in alertEmails, of letters, digits "
        "and `._%+-` before the `@`."
    ),
    default=False,
    example="false",
)
ENTRA_AUTHORITY = Text(
    key="entraAuthority",
    description="Entra's sign-in service. Only the public cloud is supported; the local twin sets its own.",
    default=ENTRA_AUTHORITY_OF_THE_PUBLIC_CLOUD,
    example=ENTRA_AUTHORITY_OF_THE_PUBLIC_CLOUD,
)
PROTECT = Boolean(
    key="protect",
    description=(
        "Refuse to delete or replace the resource group, API Management, the Cosmos DB account, the Key "
        "Vault and the keys. Without it, a change of azure-native:location replaces them, and every "
        "registration, grant and token is lost."
    ),
    default=True,
    example="false",
)
LOCAL = Boolean(
    key="local",
    set_by_twin=True,
    description="Set by the local twin only. Needs an entraAuthority and a localUrl on this machine.",
    default=False,
    example="false",
)
LOCAL_URL = Text(
    key="localUrl",
    set_by_twin=True,
    description=(
        "Set by the local twin only: origin of its gateway. On Azure the URL of the gateway is derived from "
        "the name of the API Management service."
    ),
    default="",
    example="http://localhost:8000",
)

GROUPS: dict[str, tuple[Setting, ...]] = {
    "The stack": (LOCATION, PUBLISHER_EMAIL, PUBLISHER_NAME, PUBLISHER_LOGO, SKU, CAPACITY, TAGS),
    "Address": address.SETTINGS,
    "Network": network.SETTINGS,
    "Existing resources": existing.SETTINGS,
    "Scale": scale.SETTINGS,
    "Clients and tokens": (AUDIENCE, REQUIRE_RESOURCE, ASSIGNMENT_REQUIRED, APP_SCHEMES, CLIENT_DOMAINS),
    "MCP servers": (
        BACKENDS,
        *(setting for preset in PRESETS.values() for setting in preset.settings),
        CONTAINERS,
        ISOLATE_ENVIRONMENTS,
        REQUIRE_DIGESTS,
        ACCESS,
        AGENTS,
        TOOLS,
        ROLE_MEMBERS,
        TOOL_LOCK,
        ALLOWED_ORIGINS,
    ),
    "Agents and discovery": foundry.SETTINGS,
    "Lifetimes": (ACCESS_TOKEN_MINUTES, GRANT_DAYS, REFRESH_GRACE_SECONDS, CONSENT_DAYS, REGISTRATION_DAYS),
    "Limits": (
        REGISTER_PER_MINUTE,
        STACK_REGISTERS_PER_MINUTE,
        AUTHORIZE_PER_MINUTE,
        TOKEN_PER_MINUTE,
        CALLS_PER_MINUTE,
        CALL_LIMITS,
        BAD_TOKENS_PER_MINUTE,
        OPEN_REQUESTS,
    ),
    "Logs, alerts and costs": (
        LOG_RETENTION_DAYS,
        LOG_DAILY_CAP_GB,
        SAMPLING_PERCENT,
        WORKBOOK,
        ALERTS,
        ALERT_EMAILS,
        MONTHLY_BUDGET,
        COST_ANOMALY_ALERT,
    ),
    "Keys, state and the local twin": (
        KEY_VERSION,
        SUBSCRIPTION_KEY_VERSION,
        ENTRA_AUTHORITY,
        PROTECT,
        LOCAL,
        LOCAL_URL,
    ),
}
"""All settings, in the order of the documentation and of messages."""

REMOVED = {
    "oauthScopes": (
        "The MCP servers determine the scopes that clients may request: each has one with its name, and an "
        "entry of `containers` may list others in `scopes`. The gateway requests from Entra what it needs."
    ),
}
"""Settings that no longer exist, with an explanation of their replacement."""

SETTINGS = tuple(setting for group in GROUPS.values() for setting in group)
KEYS = tuple(setting.key for setting in SETTINGS if ":" not in setting.key)
"""Every key of the project's own configuration."""


def ungrouped() -> list[str]:
    """The names of declared settings that are in no group; `settings.load` would reject them as unknown."""
    modules = (globals(), *(vars(module) for module in (address, existing, foundry, network, scale)))
    return [
        name
        for names in modules
        for name, value in names.items()
        if isinstance(value, Setting) and value not in SETTINGS
    ]
