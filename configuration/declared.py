"""All settings of a stack, each declared once.

Those of the project's own containers are declared in `configuration.presets`. `settings.load` reads them all.
`python -m configuration.page` writes what `Pulumi.yaml` says about them, and docs/settings.md. A test
compares both.
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
"""Tiers of API Management, with the units that each can have.

https://learn.microsoft.com/azure/api-management/api-management-features
"""


def email_problem(value: str) -> str | None:
    """What is wrong with an e-mail address, as a sentence, or None."""
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value) and len(value) <= 100:  # noqa: PLR2004 -- API Management's limit
        return None
    return f"'{value}' is not an e-mail address of at most 100 characters."


def _name_problem(value: str) -> str | None:
    if value.isprintable() and len(value) <= 100 and not set(value) & set("{}"):  # noqa: PLR2004 -- API Management's limit
        return None
    return "It has more than 100 characters, or braces, or unprintable characters."


LOCATION = Text(
    key="azure-native:location",
    description="Azure region in which everything is created.",
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
    description="Organisation that runs the gateway; shown to people who sign in.",
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
    least=1,
    most=max(UNITS.values()),
    default=1,
    example="2",
)
TAGS = TextMap(
    key="tags",
    description="Tags of every resource that can have tags.",
    limits="At most 15, with names of up to 128 characters without `<>%&\\?/` and values of up to 256.",
    example="costCenter 4711",
)
AUDIENCE = Choice(
    key="audience",
    description="What a token opens: with `backend` one MCP server, with `gateway` all of them.",
    choices=("backend", "gateway"),
    default="backend",
    example="gateway",
)
REQUIRE_RESOURCE = Boolean(
    key="requireResource",
    description="Refuse clients that do not say which MCP server they want (RFC 8707).",
    default=False,
    example="true",
)
ASSIGNMENT_REQUIRED = Boolean(
    key="assignmentRequired",
    description=(
        "Let only those users sign in who are assigned to the gateway's application in Entra, directly or by "
        "a group. Otherwise every member and guest of the tenant can sign in."
    ),
    default=False,
    example="true",
)
APP_SCHEMES = TextList(
    key="appSchemes",
    description=(
        "Private-use URI schemes without a dot to which apps may be redirected after a sign-in. Any app on a "
        "computer can claim such a scheme: only those of known clients are accepted. Schemes with a dot, as "
        "RFC 8252 asks for, are always accepted. A list of your own replaces the default."
    ),
    limits=(
        "Lower-case letters, digits, `+` and `-`, beginning with a letter; none that a browser uses itself."
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
        "Domains, with their subdomains, whose Client ID Metadata Documents are accepted: client ids that "
        "are https URLs, where the client describes itself. Without a list every host in the public DNS is "
        "accepted, and its clients count as unknown. The gateway fetches the documents: list domains when it "
        "can reach a private network."
    ),
    limits="Host names in lower case, without a port.",
    default=(),
    example="claude.ai",
)
BACKENDS = TextList(
    key="backends",
    description="The project's MCP servers that are switched on.",
    limits=f"{', '.join(SERVERS)}; at least one of them, or an entry of `containers`, is behind the gateway.",
    default=("functions",),
    example="functions",
)
CONTAINERS = MapList(
    key="containers",
    description="Further MCP servers, each a container image.",
    limits="Each entry is a map with at least name, image and port; see docs/adding-a-backend.md.",
    example="name notes",
    guide="docs/adding-a-backend.md",
)
ISOLATE_ENVIRONMENTS = Boolean(
    key="isolateEnvironments",
    description=(
        "Give the containers of every MCP server a Container Apps environment of their own. It costs more."
    ),
    default=False,
    example="true",
)
ACCESS = TextMap(
    key="access",
    description="Who may call one of the project's MCP servers.",
    limits=f"{ACCESS_LIMITS} `users` by default. An entry of `containers` has a key of its own for it.",
    example="functions users",
)
AGENTS = MapList(
    key="agents",
    description=(
        "Agents: principals of Entra that call MCP servers for themselves, with the app roles that they are "
        "assigned."
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
        "Users and groups that are assigned a role that a rule in `tools` names. Roles can be assigned in "
        "Entra as well."
    ),
    limits="Object ids, separated by spaces, or a list; by the value of the role.",
    example="SnippetWriter 00000000-0000-0000-0000-000000000000",
)
TOOLS = MapMap(
    key="tools",
    description=(
        "What a caller needs for a tool of one of the project's MCP servers, by the server's name. It is "
        "added to the rules that Slack's and Jira's servers come with."
    ),
    limits=f"{TOOL_LIMITS} An entry of `containers` has a key of its own for it.",
    example="functions.save_snippet.scope functions.write",
)
ALLOWED_ORIGINS = TextList(
    key="allowedOrigins",
    description=(
        "Origins of web pages, in addition to the gateway's own, that may call MCP servers from a browser."
    ),
    limits="https://host or https://host:port, exactly as a browser sends it; there is no wildcard.",
    default=(),
    example="https://tools.example.com",
)
ACCESS_TOKEN_MINUTES = Integer(
    key="accessTokenMinutes",
    description=(
        "Minutes that an access token is valid. Then the client refreshes it, and Entra is asked whether the "
        "user may still sign in: a user who is disabled in Entra keeps access for this time at most."
    ),
    least=1,
    most=60,
    default=10,
    example="5",
)
GRANT_DAYS = Integer(
    key="grantDays",
    description=(
        "Days after a sign-in in which the client stays connected without showing the user a page. Refreshes "
        "do not prolong them."
    ),
    least=1,
    most=365,
    default=30,
    example="7",
)
REFRESH_GRACE_SECONDS = Integer(
    key="refreshGraceSeconds",
    description=(
        "Seconds after a refresh in which the same refresh token gives the same answer again, as long as the "
        "new one was not used: for clients that lose an answer, or refresh in parallel. Later use of an old "
        "refresh token ends the sign-in."
    ),
    least=0,
    most=600,
    default=120,
    example="60",
)
CONSENT_DAYS = Integer(
    key="consentDays",
    description=(
        "Days for which the consent of a user is remembered, so that the page is not shown again in the same "
        "browser: only for clients with a metadata document that are not on the user's machine, and for the "
        "same server and scopes. With 0 it is shown each time."
    ),
    least=0,
    most=365,
    default=30,
    example="7",
)
REGISTRATION_DAYS = Integer(
    key="registrationDays",
    description=(
        "Days that a client's registration is kept after the last sign-in, at least grantDays. Before the "
        "first sign-in it is kept for one day."
    ),
    least=1,
    most=365,
    default=90,
    example="30",
)
REGISTER_PER_MINUTE = Integer(
    key="registerPerMinute",
    description=(
        "Client registrations that one network address may make in a minute. Some clients register at every "
        "sign-in, and an office shares an address."
    ),
    least=1,
    most=1000,
    default=60,
    example="120",
)
STACK_REGISTERS_PER_MINUTE = Integer(
    key="stackRegistersPerMinute",
    description=(
        "Client registrations from all network addresses together in a minute. Everyone may register a "
        "client; the limit keeps the store from filling."
    ),
    least=1,
    most=10_000,
    default=600,
    example="1200",
)
AUTHORIZE_PER_MINUTE = Integer(
    key="authorizePerMinute",
    description=(
        "Sign-ins that may be started from one network address in a minute; each of them takes room in the "
        "store. Offices share an address."
    ),
    least=1,
    most=10_000,
    default=60,
    example="120",
)
TOKEN_PER_MINUTE = Integer(
    key="tokenPerMinute",
    description=(
        "Requests for tokens, and for their revocation, that one network address may make in a minute. "
        "Offices share an address, and each client refreshes when its access token expires."
    ),
    least=1,
    most=10_000,
    default=600,
    example="1200",
)
CALLS_PER_MINUTE = Integer(
    key="callsPerMinute",
    description=(
        "Requests that one user may send to one MCP server in a minute; a legacy session takes four before "
        "its first call. callLimits sets another number for one server."
    ),
    least=1,
    most=100_000,
    default=3000,
    example="6000",
)
CALL_LIMITS = TextMap(
    key="callLimits",
    description="Requests that one user may send in a minute to one of the project's MCP servers.",
    limits=(
        f"Whole numbers from 1 to {CALLS_PER_MINUTE.most}. An entry of `containers` has a key of its own "
        f"for it."
    ),
    example="slack 120",
)
BAD_TOKENS_PER_MINUTE = Integer(
    key="badTokensPerMinute",
    description=(
        "Calls of MCP servers with an invalid, expired or revoked token that one network address may make "
        "in a minute. Calls with a valid token from the same address are not affected."
    ),
    least=1,
    most=100_000,
    default=600,
    example="1200",
)
OPEN_REQUESTS = Integer(
    key="openRequests",
    description=(
        "Requests that one user may have open at one MCP server at the same time, event streams included."
    ),
    least=1,
    most=10_000,
    default=100,
    example="200",
)
KEY_VERSION = Integer(
    key="keyVersion",
    description=(
        "Version of the keys that seal tokens and sign consent forms. Add one to rotate: tokens of the "
        "previous version and sign-ins under way stay valid. Add four after a leak: no key that existed is "
        "accepted any more."
    ),
    limits="An earlier version is never used again.",
    least=1,
    most=99,
    default=1,
    example="2",
)
LOG_RETENTION_DAYS = Integer(
    key="logRetentionDays",
    description="Days that logs and audit records are kept. More than 31 days cost extra.",
    least=30,
    most=730,
    default=30,
    example="90",
)
LOG_DAILY_CAP_GB = Integer(
    key="logDailyCapGb",
    description=(
        "Gigabytes of logs that are taken in a day. Beyond that all logs are lost until the next day, audit "
        "records included, and an alert says so. With 0 there is no cap."
    ),
    least=0,
    most=4000,
    default=10,
    example="50",
)
SAMPLING_PERCENT = Integer(
    key="samplingPercent",
    description=(
        "Percentage of requests for which Application Insights has the telemetry of API Management. Errors "
        "and audit records are always there."
    ),
    least=1,
    most=100,
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
        "Create alerts: responses with 5xx, many rejected tokens, a server that does not answer, throttled "
        "requests of Cosmos DB, and logs that were lost. Azure charges for each of them."
    ),
    default=True,
    example="false",
)
ALERT_EMAILS = TextList(
    key="alertEmails",
    description="E-mail addresses that receive alerts. Without any, alerts are visible in the portal only.",
    limits="At most 50 e-mail addresses.",
    default=(),
    example="oncall@example.com",
)
MONTHLY_BUDGET = Integer(
    key="monthlyBudget",
    description=(
        "What the resource group may cost in a month, in the currency of the subscription. At 80 percent, "
        "and when the forecast exceeds it, alertEmails and the owners receive an e-mail; nothing is "
        "stopped. With 0 there is no budget."
    ),
    least=0,
    most=100_000_000,
    default=0,
    example="500",
)
COST_ANOMALY_ALERT = Boolean(
    key="costAnomalyAlert",
    description=(
        "Check the daily costs of the subscription for anomalies and send them to alertEmails. Azure has "
        "this for whole subscriptions only; the deployer needs the role Cost Management Contributor there. "
        "It ends after a year."
    ),
    default=False,
    example="false",
)
ENTRA_AUTHORITY = Text(
    key="entraAuthority",
    description="Where users sign in. Only the public cloud is supported; the local twin sets its own.",
    default=ENTRA_AUTHORITY_OF_THE_PUBLIC_CLOUD,
    example=ENTRA_AUTHORITY_OF_THE_PUBLIC_CLOUD,
)
PROTECT = Boolean(
    key="protect",
    description=(
        "Refuse to delete or replace the resource group, API Management, the Cosmos DB account and the keys. "
        "Without it, another azure-native:location replaces them, and every registration, grant and token is "
        "lost."
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
        "Set by the local twin only: origin of its gateway. On Azure the address of the gateway follows "
        "from the name of the API Management service."
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
        ACCESS,
        AGENTS,
        TOOLS,
        ROLE_MEMBERS,
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
    "Keys, state and the local twin": (KEY_VERSION, ENTRA_AUTHORITY, PROTECT, LOCAL, LOCAL_URL),
}
"""All settings, in the order of the documentation and of messages."""

REMOVED = {
    "oauthScopes": (
        "The scopes that clients may ask for follow from the MCP servers: each has one with its name, and an "
        "entry of `containers` may list others in `scopes`. Entra is asked for what the sign-in needs."
    ),
}
"""Settings that no longer exist, with what replaced them."""

SETTINGS = tuple(setting for group in GROUPS.values() for setting in group)
KEYS = tuple(setting.key for setting in SETTINGS if ":" not in setting.key)
"""Every key of the project's own configuration."""
