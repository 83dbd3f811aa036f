"""The stacks that are deployed: the dev stack with its secrets, one for each other tier, and others."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests import existing

CANARIES = {
    "slackBotToken": "xoxb-000000000000-canarySlackBotToken",
    "jiraApiToken": "canary-jira-api-token",
    "notesToken": "canary-notes-token",
    "redisConnection": "cache.example:10000,password=canaryRedisPassword,ssl=True",
    "githubToken": "github_pat_canaryGithubToken",
}
"""Secrets of the configuration, which must not appear anywhere in clear text."""

NOTES = {
    "name": "notes",
    "image": "ghcr.io/example/notes:1.2.3",
    "port": 8080,
    "secrets": {"NOTES_TOKEN": "notesToken"},
}
"""A container with a secret."""

LEGACY = {
    "name": "legacy",
    "image": "ghcr.io/example/legacy:4.5.6",
    "port": 8080,
    "transport": "sse",
    "paths": {"messages": "/messages/"},
    "sessionParameter": "session_id",
}
"""A container with event streams."""


WIKI = {"name": "wiki", "image": "ghcr.io/example/wiki:2.0.0", "port": 9000}
"""A container without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """Settings that differ from the committed dev stack.

    Attributes:
        values: by key; lists and maps are JSON.
        secrets: those that are encrypted in the stack's file.
    """

    values: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def changed(self, **values: str) -> "StackSettings":
        """The same settings with other values."""
        return StackSettings(values={**self.values, **values}, secrets=self.secrets)


DEV = StackSettings(
    values={"jiraUrl": "https://example.atlassian.net", "jiraUsername": "jira@example.com"},
    secrets={key: CANARIES[key] for key in ("slackBotToken", "jiraApiToken")},
)
"""The dev stack: tier BasicV2, with all four servers."""

FUNCTIONS = StackSettings(values={"backends": json.dumps(["functions"])})
"""The smallest stack, for tests that do not depend on the servers."""

SMALL = StackSettings(
    values={"backends": json.dumps(["functions"]), "containers": json.dumps([NOTES])},
    secrets={"notesToken": CANARIES["notesToken"]},
)
"""A stack with a resource of each kind."""

CONTAINERS = StackSettings(
    values={
        "backends": json.dumps(["functions"]),
        "containers": json.dumps([NOTES, LEGACY]),
        "audience": "gateway",
        "isolateEnvironments": "true",
    },
    secrets={"notesToken": CANARIES["notesToken"]},
)
"""A stack with its own containers, each in a separate environment, and one token for all servers."""

TIERS: Mapping[str, StackSettings] = {
    "BasicV2": DEV,
    "StandardV2": CONTAINERS.changed(sku="StandardV2", capacity="3"),
    "PremiumV2": DEV.changed(sku="PremiumV2", keyVersion="2", requireResource="true"),
    "Developer": FUNCTIONS.changed(sku="Developer"),
    "Basic": FUNCTIONS.changed(sku="Basic", capacity="2", audience="gateway"),
    "Standard": CONTAINERS.changed(sku="Standard", isolateEnvironments="false"),
    "Premium": DEV.changed(sku="Premium", accessTokenMinutes="5", grantDays="7"),
}
"""One stack for each tier of API Management."""

ADOPTING = StackSettings(values={**existing.ALL})
"""A stack that adopts all kinds of resources, with a function app and a container."""

NETWORK = SMALL.changed(sku="StandardV2", vnetEnabled="true")
"""A stack with all resources in a virtual network."""

VARIANTS: Mapping[str, StackSettings] = {
    "network": NETWORK,
    "injected": FUNCTIONS.changed(sku="Developer", vnetEnabled="true"),
    "adopting": ADOPTING.changed(pathPrefix="ai/mcp"),
    "central logs and group": FUNCTIONS.changed(
        **{
            key: existing.EXISTING[key]
            for key in ("existingResourceGroup", "existingWorkspace", "existingApplicationInsights")
        }
    ),
    "own host name": FUNCTIONS.changed(
        gatewayHostname="mcp.example.com", gatewayCertificate=existing.CERTIFICATE
    ),
    "containers only": StackSettings(
        values={"backends": json.dumps(["github"]), "containers": json.dumps([WIKI])}
    ),
}
"""Stacks whose differences are more than the tier."""
