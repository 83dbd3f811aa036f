"""The configurations in which the program is tested."""

import functools
import json
from dataclasses import dataclass

from tests.program.graph import Graph
from tests.shared_results import shared
from tests.stacks import FUNCTIONS_ONLY
from twin.stack import Stack, evaluate

_ENTRY = {"image": "ghcr.io/example/notes:1.2.3", "port": 8080}

VARIANTS = {
    "dev": {},
    "one-audience": {"audience": "gateway", "requireResource": "true"},
    "large": {
        "sku": "StandardV2",
        "capacity": "3",
        "keyVersion": "2",
        "accessTokenMinutes": "5",
        "grantDays": "7",
        "registrationDays": "14",
        "allowedOrigins": '["https://tools.example.com"]',
        "tags": '{"costCenter": "4711"}',
        "azure-native:location": "northeurope",
        "logRetentionDays": "90",
        "logDailyCapGb": "0",
        "samplingPercent": "20",
        "alertEmails": '["oncall@example.com"]',
        "monthlyBudget": "500",
        "costAnomalyAlert": "true",
    },
    "servers": {
        "backends": '["functions", "slack", "jira", "github"]',
        "slackBotToken": "xoxb-123456789012-abcdefghijkl",
        "slackDigest": f"sha256:{'5' * 64}",
        "jiraUrl": "https://example.atlassian.net",
        "jiraUsername": "jira@example.com",
        "jiraApiToken": "ATATT3xFfGF0-abcdefgh",
        "jiraReadOnly": "true",
        "jiraProjects": '["SUPPORT", "OPS"]',
        "slackPostChannels": '["C01234567"]',
        "assignmentRequired": "true",
        "callLimits": '{"slack": 120}',
        "access": '{"jira": "users agents"}',
    },
    "callers": {
        "access": '{"functions": "users agents keys"}',
        "toolLock": "refuse",
        "tools": json.dumps(
            {
                "functions": {
                    "save_snippet": {"scope": "functions.write"},
                    "delete_snippet": {
                        "role": "SnippetKeeper",
                        "group": "97000000-0000-4000-8000-000000001843",
                    },
                }
            }
        ),
        "agents": json.dumps(
            [
                {
                    "name": "demo",
                    "principal": "aaaaaaaa-0000-4000-8000-000000000001",
                    "roles": ["functions", "functions.write", "SnippetKeeper"],
                }
            ]
        ),
        "roleMembers": '{"SnippetKeeper": ["ada00000-0000-4000-8000-000000001815"]}',
    },
    "containers": {
        "isolateEnvironments": "true",
        "audience": "gateway",
        "notesToken": "s3cret-s3cret",
        "containers": json.dumps(
            [
                {**_ENTRY, "name": "notes", "secrets": {"NOTES_TOKEN": "notesToken"}, "cpu": 0.5},
                {
                    **_ENTRY,
                    "name": "legacy",
                    "transport": "sse",
                    "paths": {"messages": "/messages/"},
                    "sessionParameter": "session_id",
                    "command": ["serve", "--sse"],
                    "env": {"LEVEL": "warn"},
                },
                {
                    **_ENTRY,
                    "name": "everything",
                    "transport": "both",
                    "paths": {"messages": "/everything-mcp/message"},
                    "sessionParameter": "sessionId",
                    "health": "/healthz",
                    "scale": {"min": 0},
                },
            ]
        ),
    },
    "classic": {"sku": "Developer", "workbook": "false", "alerts": "false"},
    "network": {
        "sku": "StandardV2",
        "vnetEnabled": "true",
        "notesToken": "s3cret-s3cret",
        "containers": json.dumps([{**_ENTRY, "name": "notes", "secrets": {"NOTES_TOKEN": "notesToken"}}]),
    },
}


@dataclass(frozen=True)
class Case:
    """One variant, evaluated for an update or for a preview."""

    variant: str
    preview: bool

    def __str__(self) -> str:
        return f"{self.variant}-{'preview' if self.preview else 'up'}"

    @property
    def stack(self) -> Stack:
        return _evaluated(self.variant, self.preview)

    @property
    def graph(self) -> Graph:
        return _graph(self)


SECRETS = ("slackBotToken", "jiraApiToken", "notesToken")
"""Keys that are encrypted in a stack's file."""

CASES = tuple(Case(variant, preview) for variant in VARIANTS for preview in (False, True))
UP = tuple(case for case in CASES if not case.preview)


@functools.cache
def _graph(case: Case) -> Graph:
    return Graph(case.stack)


@functools.cache
def _evaluated(variant: str, preview: bool) -> Stack:
    return shared(f"{variant}-{preview}", lambda: _evaluate(variant, preview))


def _evaluate(variant: str, preview: bool) -> Stack:
    values = {**FUNCTIONS_ONLY, **VARIANTS[variant]}
    secrets = {key: value for key, value in values.items() if key in SECRETS}
    return evaluate(
        {key: value for key, value in values.items() if key not in secrets}, secrets, preview=preview
    )
