"""Invalid settings are refused, each with the command that fixes it."""

import json
import re
from collections.abc import Iterator

import pulumi
import pytest

from configuration.declared import SETTINGS
from configuration.presets import PRESETS
from configuration.setting import (
    Boolean,
    Choice,
    Integer,
    MapList,
    MapMap,
    Secret,
    Setting,
    Text,
    TextList,
    TextMap,
)
from settings import SettingsError
from tests.existing import EXISTING, IDENTITY
from tests.program.stack_settings import (
    ADMITS_AGENTS,
    DEV,
    SECRETS,
    SEPARATE,
    SSE,
    agent,
    changed,
    entry,
    load,
    refused,
    run,
)
from twin.gateway_plan import LOCAL

ADOPTED = {key: EXISTING[key] for key in ("existingApiManagement", "existingIdentity")}

WRONG: dict[str, tuple[dict[str, str | None], str]] = {
    "foundry-project": ({"foundryProject": "/subscriptions/1/demo"}, "foundryProject"),
    "foundry-endpoint": ({"foundryEndpoint": "http://agents.example/api/projects/demo"}, "foundryEndpoint"),
    "no-foundry-model": ({"foundryModel": ""}, "foundryModel"),
    "github-url": ({"githubUrl": "https://api.githubcopilot.com/mcp/?token=x"}, "githubUrl"),
    "github-url-with-a-newline": ({"githubUrl": "https://api.githubcopilot.com\n/mcp/"}, "githubUrl"),
    "github-token-without-project": ({"githubToken": "github_pat_x"}, "githubToken"),
    "api-center": ({"apiCenter": "catalog"}, "apiCenter"),
    "no-email": ({"publisherEmail": None}, "publisherEmail"),
    "bad-email": ({"publisherEmail": "no-at-sign"}, "publisherEmail"),
    "long-email": ({"publisherEmail": "a" * 100 + "@example.com"}, "publisherEmail"),
    "blank-name": ({"publisherName": "  "}, "publisherName"),
    "name-with-newline": ({"publisherName": "a\nb"}, "publisherName"),
    "name-with-a-named-value": ({"publisherName": "{{token-key}}"}, "publisherName"),
    "long-name": ({"publisherName": "a" * 101}, "publisherName"),
    "logo-that-does-not-exist": ({"publisherLogo": "nothing.svg"}, "publisherLogo"),
    "logo-outside-the-project": ({"publisherLogo": "/etc/passwd.svg"}, "publisherLogo"),
    "logo-of-an-unsupported-type": ({"publisherLogo": "README.md"}, "publisherLogo"),
    "logo-too-large": ({"publisherLogo": "docs/consent.png"}, "publisherLogo"),
    "consumption": ({"sku": "Consumption"}, "sku"),
    "sku-in-lowercase": ({"sku": "standardv2"}, "sku"),
    "capacity-of-another-tier": ({"sku": "Developer", "capacity": "2"}, "capacity"),
    "capacity-that-is-not-a-number": ({"capacity": "two"}, "capacity"),
    "removed-setting": ({"oauthScopes": "openid"}, "oauthScopes"),
    "read-only-tool-with-a-space": (
        {"containers": entry(readOnlyTools=["list_notes", "list notes"])},
        "containers[0].readOnlyTools",
    ),
    "read-only-tools-too-many": (
        {"containers": entry(readOnlyTools=[f"list_{number}" for number in range(201)])},
        "containers[0].readOnlyTools",
    ),
    "acts-as-an-unknown-account": ({"containers": entry(actsAs="nobody")}, "containers[0].actsAs"),
    "duplicate-scope": ({"containers": entry(scopes=["a", "a"])}, "containers[0].scopes"),
    "scope-with-quote": ({"containers": entry(scopes=['"x"'])}, "containers[0].scopes"),
    "scope-of-openid": ({"containers": entry(scopes=["openid"])}, "containers[0].scopes"),
    "scope-of-a-built-in-server": ({"containers": entry(scopes=["slack"])}, "containers[0].scopes"),
    "too-many-scopes": (
        {"containers": entry(scopes=[f"s{number}" for number in range(21)])},
        "containers[0].scopes",
    ),
    "audience": ({"audience": "gatewy"}, "audience"),
    "domain-with-a-scheme": ({"clientDomains": '["https://claude.ai"]'}, "clientDomains"),
    "domain-localhost": ({"clientDomains": '["localhost"]'}, "clientDomains"),
    "scheme-of-a-browser": ({"appSchemes": '["cursor", "javascript"]'}, "appSchemes"),
    "scheme-with-a-colon": ({"appSchemes": '["cursor:"]'}, "appSchemes"),
    "no-backend": ({"backends": "[]"}, "backends"),
    "unknown-backend": ({"backends": '["functons"]'}, "backends"),
    "unknown-backend-among-others": ({"backends": '["functions", "teams"]'}, "backends"),
    "no-server-behind-the-gateway": ({"backends": '["github"]'}, "backends"),
    "slack-without-a-token": ({"backends": '["slack"]'}, "slackBotToken"),
    "unknown-access": ({"access": '{"functions": "nobody"}'}, "access.functions"),
    "access-of-a-disabled-server": ({"access": '{"slack": "users"}'}, "access.slack"),
    "access-without-callers": ({"access": '{"functions": []}'}, "access.functions"),
    "access-listed-twice": ({"access": '{"functions": "users users"}'}, "access.functions"),
    "agents-as-string": ({"agents": "demo"}, "agents"),
    "agent-without-a-name": ({**ADMITS_AGENTS, "agents": agent(name="")}, "agents[0].name"),
    "agent-identified-by-name": (
        {**ADMITS_AGENTS, "agents": agent(principal="my-agent")},
        "agents[0].principal",
    ),
    "agent-without-a-role": ({**ADMITS_AGENTS, "agents": agent(roles=[])}, "agents[0].roles"),
    "agent-with-the-role-of-a-server-without-agents": (
        {"agents": agent(), "access": '{"functions": "users"}'},
        "agents[0].roles",
    ),
    "agent-with-an-unknown-key": ({**ADMITS_AGENTS, "agents": agent(secret="x")}, "agents[0].secret"),
    "duplicate-agent": (
        {
            **ADMITS_AGENTS,
            "agents": json.dumps(
                [
                    *json.loads(agent()),
                    *json.loads(agent(principal="aaaaaaaa-0000-4000-8000-000000000009")),
                ]
            ),
        },
        "agents[1].name",
    ),
    "github-sign-in-of-users-without-a-project": ({"githubSignIn": "user"}, "githubSignIn"),
    "github-sign-in-of-users-at-another-server": (
        {"githubSignIn": "user", "githubUrl": "https://mcp.example.ghe.com/mcp"},
        "githubSignIn",
    ),
    "tool-lock-without-the-tools-of-a-server": ({"toolLock": "refuse", "containers": entry()}, "toolLock"),
    "tool-lock-of-a-server-with-sse-only": (
        {"toolLock": "refuse", "containers": entry(**SSE)},
        "toolLock",
    ),
    "tools-as-string": ({"tools": "all"}, "tools"),
    "tools-of-an-unknown-server": ({"tools": '{"teams": {"x": {"scope": "y"}}}'}, "tools.teams"),
    "tool-without-a-rule": ({"tools": '{"functions": {"x": {}}}'}, 'tools.functions["x"]'),
    "tool-with-an-unknown-key": (
        {"tools": '{"functions": {"x": {"user": "y"}}}'},
        'tools.functions["x"].user',
    ),
    "tool-with-the-name-of-a-group": (
        {"tools": '{"functions": {"x": {"group": "writers"}}}'},
        'tools.functions["x"].group',
    ),
    "tool-with-an-invalid-name": (
        {"tools": '{"functions": {"a b": {"scope": "y"}}}'},
        'tools.functions["a b"]',
    ),
    "tool-with-the-scope-of-another-server": (
        {"tools": '{"functions": {"x": {"scope": "notes"}}}', "containers": entry()},
        'tools.functions["x"].scope',
    ),
    "role-with-the-name-of-a-scope": (
        {"tools": '{"functions": {"x": {"role": "functions"}}}'},
        'tools.functions["x"].role',
    ),
    "members-of-an-unknown-role": ({"roleMembers": '{"Writer": []}'}, 'roleMembers["Writer"]'),
    "members-identified-by-name": (
        {"roleMembers": '{"Writer": "ada"}', "tools": '{"functions": {"x": {"role": "Writer"}}}'},
        'roleMembers["Writer"]',
    ),
    "tools-of-an-entry": ({"containers": entry(tools={"x": "y"})}, 'containers[0].tools["x"]'),
    "access-as-string": ({"access": "users"}, "access"),
    "limit-that-is-not-a-number": ({"callLimits": '{"functions": "few"}'}, "callLimits.functions"),
    "limit-of-zero": ({"callLimits": '{"functions": 0}'}, "callLimits.functions"),
    "limit-of-an-unknown-server": ({"callLimits": '{"teams": 3}'}, "callLimits.teams"),
    "containers-as-string": ({"containers": "everything"}, "containers"),
    "entry-as-string": ({"containers": '["everything"]'}, "containers"),
    "entry-without-a-name": ({"containers": entry(name=None)}, "containers[0].name"),
    "entry-without-an-image": ({"containers": entry(image=None)}, "containers[0].image"),
    "entry-without-a-port": ({"containers": entry(port=None)}, "containers[0].port"),
    "entry-with-an-unknown-key": ({"containers": entry(imge="x")}, "containers[0].imge"),
    "name-of-a-built-in-server": ({"containers": entry(name="slack", path="other")}, "containers[0].name"),
    "name-of-the-oauth-api": ({"containers": entry(name="oauth")}, "containers[0].name"),
    "name-in-uppercase": ({"containers": entry(name="Notes", path="notes")}, "containers[0].name"),
    "name-too-long": ({"containers": entry(name="a" * 20)}, "containers[0].name"),
    "image-without-a-version": ({"containers": entry(image="ghcr.io/a/b")}, "containers[0].image"),
    "image-latest": ({"containers": entry(image="ghcr.io/a/b:latest")}, "containers[0].image"),
    "image-without-a-registry": ({"containers": entry(image="mcp/notes:1.0")}, "containers[0].image"),
    "image-with-a-space": ({"containers": entry(image="ghcr.io/a b:1")}, "containers[0].image"),
    "port-that-is-not-a-number": ({"containers": entry(port="http")}, "containers[0].port"),
    "port-too-high": ({"containers": entry(port=65536)}, "containers[0].port"),
    "transport": ({"containers": entry(transport="http")}, "containers[0].transport"),
    "path-of-functions": ({"containers": entry(path="mcp")}, "containers[0].path"),
    "path-of-a-disabled-server": ({"containers": entry(path="jira-mcp")}, "containers[0].path"),
    **{
        f"path-{word}": ({"containers": entry(path=word)}, "containers[0].path")
        for word in ("register", "token", "authorize", ".well-known", "message", "consent")
    },
    "path-with-two-segments": ({"containers": entry(path="a/b")}, "containers[0].path"),
    "path-with-a-parameter": ({"containers": entry(path="{a}")}, "containers[0].path"),
    "server-path-without-a-slash": ({"containers": entry(paths={"mcp": "mcp"})}, "containers[0].paths.mcp"),
    "server-path-with-dot-segments": (
        {"containers": entry(paths={"mcp": "/../x"})},
        "containers[0].paths.mcp",
    ),
    "path-of-another-transport": ({"containers": entry(paths={"sse": "/sse"})}, "containers[0].paths.sse"),
    "messages-too-long": (
        {"containers": entry(**SSE, paths={"messages": f"/{'m' * 60}"})},
        "containers[0].paths.messages",
    ),
    "secret-variable-too-long": (
        {"containers": entry(secrets={"A" * 65: "notesToken"})},
        "containers[0].secrets",
    ),
    "paths-as-string": ({"containers": entry(paths="/mcp")}, "containers[0].paths"),
    "sse-without-a-session": ({"containers": entry(transport="sse")}, "containers[0].sessionParameter"),
    "session-without-sse": (
        {"containers": entry(sessionParameter="sessionId")},
        "containers[0].sessionParameter",
    ),
    "messages-at-the-token-endpoint": (
        {"containers": entry(transport="sse", sessionParameter="id", paths={"messages": "/token"})},
        "containers[0].paths.messages",
    ),
    "messages-at-another-api": (
        {"containers": entry(transport="sse", sessionParameter="id", paths={"messages": "/mcp/message"})},
        "containers[0].paths.messages",
    ),
    "separate-without-a-session": (
        {"containers": entry(transport="separate")},
        "containers[0].sessionParameter",
    ),
    "separate-environment-of-one-process": (
        {"containers": entry(http={"env": {"A": "b"}})},
        "containers[0].http.env",
    ),
    "separate-arguments-as-map": (
        {"containers": entry(**SEPARATE, sse={"arguments": {"a": "b"}})},
        "containers[0].sse.arguments",
    ),
    "separate-environment-as-list": (
        {"containers": entry(**SEPARATE, http={"env": ["A=b"]})},
        "containers[0].http.env",
    ),
    "separate-with-an-unknown-key": (
        {"containers": entry(**SEPARATE, http={"port": 1})},
        "containers[0].http.port",
    ),
    "secret-of-one-process-also-in-clear-text": (
        {
            "containers": entry(
                **SEPARATE, sse={"env": {"ACCOUNT": "x"}}, secrets={"ACCOUNT": "publisherToken"}
            )
        },
        "containers[0].secrets",
    ),
    "sse-with-two-replicas": (
        {"containers": entry(transport="sse", sessionParameter="id", scale={"max": 2})},
        "containers[0].scale.max",
    ),
    "cpu-not-in-quarters": ({"containers": entry(cpu=0.3)}, "containers[0].cpu"),
    "cpu-too-high": ({"containers": entry(cpu="8", memory="8Gi")}, "containers[0].cpu"),
    "memory-that-does-not-match-the-cpu": (
        {"containers": entry(cpu=0.5, memory="0.5Gi")},
        "containers[0].memory",
    ),
    "memory-in-mebibytes": ({"containers": entry(memory="512Mi")}, "containers[0].memory"),
    "scale-with-min-above-max": (
        {"containers": entry(scale={"min": 3, "max": 2})},
        "containers[0].scale.max",
    ),
    "scale-with-max-zero": ({"containers": entry(scale={"max": 0})}, "containers[0].scale.max"),
    "scale-with-rules": ({"containers": entry(scale={"rules": 1})}, "containers[0].scale.rules"),
    "access-of-an-entry": ({"containers": entry(access="all")}, "containers[0].access"),
    "call-limit-of-an-entry": ({"containers": entry(callsPerMinute="many")}, "containers[0].callsPerMinute"),
    "env-as-list": ({"containers": entry(env=["A=b"])}, "containers[0].env"),
    "env-name": ({"containers": entry(env={"A B": "c"})}, "containers[0].env"),
    "secret-in-clear-text": ({"containers": entry(secrets={"TOKEN": "s3cret!"})}, "containers[0].secrets"),
    "secret-in-lowercase": ({"containers": entry(secrets={"token": "notes"})}, "containers[0].secrets"),
    "secret-that-is-not-set": ({"containers": entry(secrets={"TOKEN": "notesToken"})}, "notesToken"),
    "secret-of-the-project": (
        {"containers": entry(secrets={"TOKEN": "publisherEmail"})},
        "containers[0].secrets",
    ),
    "health-without-a-slash": ({"containers": entry(health="ok")}, "containers[0].health"),
    "local-without-a-map": ({"containers": entry(local="npx x")}, "containers[0].local"),
    "two-entries-with-the-same-name": (
        {"containers": json.dumps([*json.loads(entry()), *json.loads(entry(path="b"))])},
        "containers[1].name",
    ),
    "two-entries-with-the-same-path": (
        {"containers": json.dumps([*json.loads(entry()), *json.loads(entry(name="b", path="notes-mcp"))])},
        "containers[1].path",
    ),
    "backend-after-null": ({"backends": '[null, "github"]'}, "backends"),
    "backend-after-two-nulls": ({"backends": '[null, null, "functions"]'}, "backends"),
    "origin-after-null": ({"allowedOrigins": '[null, "https://a.example"]'}, "allowedOrigins"),
    "entry-after-null": ({"containers": f"[null, null, {entry()[1:]}"}, "containers"),
    "argument-after-null": (
        {"containers": entry(arguments=[None, "--verbose"])},
        "containers[0].arguments",
    ),
    "duplicate-backend": ({"backends": '["functions", "functions"]'}, "backends"),
    "backends-as-string": ({"backends": "functions"}, "backends"),
    "origin-with-path": ({"allowedOrigins": '["https://a.example/"]'}, "allowedOrigins"),
    "origin-wildcard": ({"allowedOrigins": '["*"]'}, "allowedOrigins"),
    "origin-subdomains": ({"allowedOrigins": '["https://*.a.example"]'}, "allowedOrigins"),
    "origin-with-http": ({"allowedOrigins": '["http://a.example"]'}, "allowedOrigins"),
    "origin-default-port": ({"allowedOrigins": '["https://a.example:443"]'}, "allowedOrigins"),
    "origin-in-uppercase": ({"allowedOrigins": '["https://A.example"]'}, "allowedOrigins"),
    "origin-userinfo": ({"allowedOrigins": '["https://u@a.example"]'}, "allowedOrigins"),
    "origin-null": ({"allowedOrigins": '["null"]'}, "allowedOrigins"),
    "origin-port": ({"allowedOrigins": '["https://a.example:99999"]'}, "allowedOrigins"),
    "authorize-rate": ({"authorizePerMinute": "1.5"}, "authorizePerMinute"),
    "token-rate": ({"tokenPerMinute": ""}, "tokenPerMinute"),
    "call-rate": ({"callsPerMinute": "1e3"}, "callsPerMinute"),
    "open-requests": ({"openRequests": "none"}, "openRequests"),
    "jira-project": ({"jiraProjects": '["support desk"]'}, "jiraProjects"),
    "slack-channel": ({"slackPostChannels": '["#general"]'}, "slackPostChannels"),
    "secret-in-env": ({"containers": entry(env={"API_KEY": "x"})}, "containers[0].env"),
    "secret-in-env-of-a-process": (
        {"containers": entry(**SEPARATE, sse={"env": {"notes_password": "x"}})},
        "containers[0].sse.env",
    ),
    "alert-emails": ({"alertEmails": '["oncall"]'}, "alertEmails"),
    "too-many-alert-emails": (
        {"alertEmails": json.dumps([f"user{number}@example.com" for number in range(51)])},
        "alertEmails",
    ),
    "cost-anomalies-without-receiver": ({"costAnomalyAlert": "true"}, "costAnomalyAlert"),
    "cost-anomalies-with-too-many-receivers": (
        {
            "costAnomalyAlert": "true",
            "alertEmails": json.dumps([f"user{number}@example.com" for number in range(21)]),
        },
        "costAnomalyAlert",
    ),
    **{
        f"cost-anomalies-with-a-receiver-{name}": (
            {"costAnomalyAlert": "true", "alertEmails": json.dumps([address])},
            "costAnomalyAlert",
        )
        for name, address in {
            "with-an-apostrophe": "o'neil@example.com",
            "with-an-umlaut": "jürgen@example.com",
            "with-an-ip-address": "oncall@10.0.0.1",
        }.items()
    },
    "budget-without-receiver": ({"monthlyBudget": "500"}, "monthlyBudget"),
    "authority-with-http": ({"entraAuthority": "http://login.microsoftonline.com"}, "entraAuthority"),
    "authority-with-slash": ({"entraAuthority": "https://login.microsoftonline.com/"}, "entraAuthority"),
    "authority-of-a-sovereign-cloud": (
        {"entraAuthority": "https://login.microsoftonline.us"},
        "entraAuthority",
    ),
    "unknown-authority": ({"entraAuthority": "https://login.example.com"}, "entraAuthority"),
    "authority-on-this-machine": ({"entraAuthority": "http://localhost:8002"}, "entraAuthority"),
    "local-on-azure": ({**LOCAL, "entraAuthority": "https://login.microsoftonline.com"}, "local"),
    "local-with-a-lookalike": ({**LOCAL, "entraAuthority": "http://localhost.example.com:8002"}, "local"),
    "local-without-a-gateway": ({**LOCAL, "localUrl": ""}, "localUrl"),
    "local-with-a-remote-gateway": ({**LOCAL, "localUrl": "https://gateway.example"}, "localUrl"),
    "a-local-gateway-on-azure": ({"localUrl": "http://localhost:8000"}, "localUrl"),
    "host-with-a-scheme": ({"gatewayHostname": "https://mcp.example.com"}, "gatewayHostname"),
    "host-of-azure": ({"gatewayHostname": "mcp.azure-api.net"}, "gatewayHostname"),
    "host-without-a-dot": ({"gatewayHostname": "mcp"}, "gatewayHostname"),
    "host-without-certificate": ({"gatewayHostname": "mcp.example.com"}, "gatewayCertificate"),
    "certificate-without-host": ({"gatewayCertificate": "managed", "sku": "Basic"}, "gatewayCertificate"),
    "certificate-by-url": (
        {
            "gatewayHostname": "mcp.example.com",
            "gatewayCertificate": "https://v.vault.azure.net/secrets/mcp",
        },
        "gatewayCertificate",
    ),
    "managed-certificate-of-a-v2-tier": (
        {"gatewayHostname": "mcp.example.com", "gatewayCertificate": "managed"},
        "gatewayCertificate",
    ),
    **{
        f"prefix-{name}": ({**ADOPTED, "pathPrefix": prefix}, "pathPrefix")
        for name, prefix in {
            "with-a-leading-slash": "/ai",
            "with-a-trailing-slash": "ai/",
            "with-an-empty-segment": "ai//mcp",
            "in-uppercase": "AI",
            "with-a-dot": ".well-known",
            "with-dot-segments": "ai/..",
            "encoded": "%61i",
            "with-a-parameter": "{ai}",
            "with-two-hyphens": "a--b",
            "of-six-segments": "a/b/c/d/e/f",
            "too-long": "a" * 101,
            "of-health-checks": "status-0123456789abcdef/x",
            "with-a-line-break": "ai\nmcp",
        }.items()
    },
    "prefix-without-an-existing-service": ({"pathPrefix": "ai"}, "pathPrefix"),
    **{
        f"messages-at-the-root-below-a-prefix-{transport}": (
            {
                **ADOPTED,
                "pathPrefix": "ai",
                "containers": entry(transport=transport, sessionParameter="id", paths={"messages": path}),
            },
            "containers[0].paths.messages",
        )
        for transport, path in (("sse", "/message"), ("both", "/messages/"), ("separate", "/notes-mcp/m"))
    },
    "certificate-of-an-existing-service": (
        {
            "gatewayHostname": "mcp.example.com",
            "gatewayCertificate": "managed",
            "existingApiManagement": EXISTING["existingApiManagement"],
            "existingIdentity": IDENTITY,
        },
        "gatewayCertificate",
    ),
    "zones-of-another-tier": ({"zones": '["1", "2"]'}, "zones"),
    "zone-four": ({"sku": "Premium", "capacity": "2", "zones": '["1", "4"]'}, "zones"),
    "more-zones-than-units": ({"sku": "Premium", "zones": '["1", "2"]'}, "zones"),
    "regions-of-another-tier": ({"regions": '["northeurope"]'}, "regions"),
    "region-by-display-name": ({"sku": "Premium", "regions": '["North Europe"]'}, "regions"),
    "region-of-the-stack": ({"sku": "Premium", "regions": '["westeurope"]'}, "regions"),
    "regions-in-one-network": (
        {"sku": "Premium", "regions": '["northeurope"]', "vnetEnabled": "true"},
        "regions",
    ),
    "regions-of-an-existing-service": (
        {
            "sku": "Premium",
            "regions": '["northeurope"]',
            "existingApiManagement": EXISTING["existingApiManagement"],
            "existingIdentity": IDENTITY,
        },
        "regions",
    ),
    "throughput-between-steps": ({"storeThroughput": "1500"}, "storeThroughput"),
    "cache-connection-in-clear-text": (
        {"redisConnection": "cache.example:10000,password=p,ssl=True"},
        "redisConnection",
    ),
    "more-ready-instances-than-allowed": (
        {"functionsInstances": "2", "functionsAlwaysReady": "3"},
        "functionsAlwaysReady",
    ),
    "replicas-of-a-server-with-sessions": ({"replicas": '{"slack": "1-3"}'}, "replicas.slack"),
    "replicas-of-a-server-that-is-off": ({"replicas": '{"jira": "0-3"}'}, "replicas.jira"),
    "network-without-a-length": ({"vnetEnabled": "true", "vnetAddresses": "10.80.0.0"}, "vnetAddresses"),
    "network-of-the-internet": ({"vnetAddresses": "8.8.0.0/16"}, "vnetAddresses"),
    "network-with-host-bits": ({"vnetAddresses": "10.80.0.1/22"}, "vnetAddresses"),
    "network-too-small": ({"vnetAddresses": "10.80.0.0/23"}, "vnetAddresses"),
    "network-too-small-for-all-subnets": (
        {
            "vnetEnabled": "true",
            "isolateEnvironments": "true",
            "containers": json.dumps(
                [{"name": f"n{index}", "image": "ghcr.io/example/n:1.0.0", "port": 80} for index in range(14)]
            ),
        },
        "vnetAddresses",
    ),
    "group-with-a-slash": ({"existingResourceGroup": "a/b"}, "existingResourceGroup"),
    "service-by-name": ({"existingApiManagement": "central"}, "existingApiManagement"),
    "service-without-identity": (
        {"existingApiManagement": EXISTING["existingApiManagement"]},
        "existingIdentity",
    ),
    "identity-without-service": ({"existingIdentity": IDENTITY}, "existingIdentity"),
    "workspace-by-name": ({"existingWorkspace": "logs"}, "existingWorkspace"),
    "workspace-of-another-type": ({"existingWorkspace": IDENTITY}, "existingWorkspace"),
    "component-by-name": ({"existingApplicationInsights": "traces"}, "existingApplicationInsights"),
    "vault-by-name": ({"existingKeyVault": "secrets"}, "existingKeyVault"),
    "environment-by-name": ({"existingEnvironment": "apps"}, "existingEnvironment"),
    "one-environment-for-isolated-servers": (
        {"existingEnvironment": EXISTING["existingEnvironment"], "isolateEnvironments": "true"},
        "existingEnvironment",
    ),
    "application-by-name": ({"existingApplication": "gateway"}, "existingApplication"),
    "audience-of-an-unknown-server": (
        {"existingAudiences": json.dumps({"wiki": EXISTING["existingApplication"]})},
        "existingAudiences.wiki",
    ),
    "audience-by-name": ({"existingAudiences": '{"functions": "functions"}'}, "existingAudiences.functions"),
    "misspelt": ({"publisheremail": "a@b.example"}, "publisheremail"),
    "unknown": ({"zzz": "1"}, "zzz"),
    "tags-as-string": ({"tags": "a=b"}, "tags"),
    "tag-name": ({"tags": '{"a/b": "c"}'}, "tags"),
    "tag-value": ({"tags": json.dumps({"a": "b" * 257})}, "tags"),
    "tags-too-many": ({"tags": json.dumps({f"t{n}": "" for n in range(16)})}, "tags"),
}


TESTED_ELSEWHERE = {
    "azure-native:location",
    *(
        setting.key
        for preset in PRESETS.values()
        for setting in (*(credential.setting for credential in preset.credentials), preset.digest)
    ),
}
"""The region is tested below, and the credentials and digests of servers in test_presets.py."""


def wrong_values(setting: Setting) -> Iterator[tuple[str, str]]:
    """Values that no setting of this type can have, with a name for each."""
    match setting:
        case Integer():
            yield "below the minimum", str(setting.minimum - 1)
            yield "above the maximum", str(setting.maximum + 1)
        case Choice():
            yield "not one of the choices", "no-such-choice"
        case Boolean():
            yield "neither true nor false", "perhaps"
        case Text():
            yield "two lines", f"{setting.example}\nx"
        case TextList() | TextMap() | MapMap() | MapList():
            yield "neither a list nor a map", "text"
        case Secret():
            yield "not encrypted", "text"


WRONG |= {
    f"{setting.key}: {name}": ({setting.key: value}, setting.key)
    for setting in SETTINGS
    for name, value in wrong_values(setting)
    if setting.key not in TESTED_ELSEWHERE
}


def test_every_setting_has_a_test_with_a_wrong_value() -> None:
    tried = {re.split(r"[.\[]", key)[0] for _values, key in WRONG.values()}
    missing = {setting.key for setting in SETTINGS} - tried - TESTED_ELSEWHERE
    assert not missing, f"add a wrong value of {', '.join(missing)} to WRONG"


@pytest.mark.parametrize(("values", "key"), WRONG.values(), ids=WRONG)
def test_the_problem_of_a_wrong_value_has_its_key_reason_and_remedy(
    values: dict[str, str | None], key: str
) -> None:
    error = refused(changed(**values))

    assert {problem.key for problem in error.problems} == {key}
    for problem in error.problems:
        assert problem.wrong
        assert problem.why
        assert problem.remedy in str(error)


@pytest.mark.parametrize("values", [values for values, _key in WRONG.values()], ids=WRONG)
def test_the_commands_in_a_message_fix_the_stack(values: dict[str, str | None]) -> None:
    stack, secrets = changed(**values), set()

    for _attempt in range(4):
        try:
            load(stack, secrets)
        except SettingsError as error:
            for command in error.problems[0].remedy.split(" && "):
                run(command, stack, secrets)
    load(stack, secrets)


def test_the_remedy_for_a_null_entry_sets_every_index() -> None:
    (problem,) = refused(changed(backends='[null, "github", null]')).problems

    assert problem.wrong == "Entry 0 is null."
    assert problem.remedy == (
        "pulumi config rm backends && pulumi config set --path 'backends[0]' functions "
        "&& pulumi config set --path 'backends[1]' github"
    )


@pytest.mark.parametrize("environment", ["usgovernment", "china", "AzureUSGovernment", "stack"])
def test_clouds_other_than_the_public_one_are_rejected(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (problem,) = refused({**DEV, "azure-native:environment": environment}).problems
    assert problem.key == "azure-native:environment"
    assert problem.remedy == "pulumi config rm azure-native:environment"
    for variable in ("AZURE_ENVIRONMENT", "ARM_ENVIRONMENT"):
        monkeypatch.setenv(variable, environment)
        (problem,) = refused(DEV).problems
        assert problem.remedy == f"unset {variable}"
    # The stack's configuration takes precedence, as it does for Azure Native.
    load({**DEV, "azure-native:environment": "public"})


@pytest.mark.parametrize("environment", ["public", "Public", "AzureCloud"])
def test_the_public_cloud_can_be_configured(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load({**DEV, "azure-native:environment": environment})
    monkeypatch.setenv("ARM_ENVIRONMENT", environment)
    load(DEV)


def test_all_problems_are_reported_together() -> None:
    error = refused(changed(publisherEmail=None, sku="Gold", backends='["teams"]', colour="blue"))

    assert [problem.key for problem in error.problems] == ["publisherEmail", "sku", "backends", "colour"]
    assert "4 problems" in str(error)
    assert isinstance(error, pulumi.RunError), "Pulumi would print a stack trace"


def test_the_problem_of_an_unknown_key_suggests_a_similar_key() -> None:
    assert "Did you mean 'callsPerMinute'?" in str(refused(changed(callPerMinute="3")))


@pytest.mark.parametrize(
    ("audience", "messages", "wrong"),
    [
        ("gateway", "/Message/", True),
        ("gateway", "/notes-mcp/message", False),
        ("gateway", "/letters", False),
        ("backend", "/message", False),
    ],
)
def test_with_one_audience_only_one_server_may_have_messages_at_the_root(
    audience: str, messages: str, wrong: bool
) -> None:
    stack = changed(
        backends='["slack"]',
        slackBotToken=SECRETS["slackBotToken"],
        audience=audience,
        containers=entry(**SSE, paths={"messages": messages}),
    )
    if not wrong:
        load(stack, ["slackBotToken"])
        return
    (problem,) = refused(stack, ["slackBotToken"]).problems
    assert problem.key == "containers[0].paths.messages"
    assert "'slack' also announces '/message'" in problem.wrong
    assert problem.remedy == "pulumi config set audience backend"


def test_a_connection_string_that_api_management_does_not_store_is_refused_without_showing_it() -> None:
    load(changed(redisConnection="r" * 300), ["redisConnection"])
    (problem,) = refused(changed(redisConnection="r" * 301), ["redisConnection"]).problems
    assert (problem.key, problem.wrong) == ("redisConnection", "The connection string has 301 characters.")


def test_keys_of_other_namespaces_are_ignored() -> None:
    load({**DEV, "azure-native:tenantId": "x", "other:callPerMinute": "3"})


@pytest.mark.parametrize("location", [None, "", "west-europe", "1"])
def test_a_stack_without_a_region_is_refused(location: str | None) -> None:
    values = {key: value for key, value in DEV.items() if key != "azure-native:location"}
    error = refused(values if location is None else {**values, "azure-native:location": location})

    assert error.problems[0].remedy == "pulumi config set azure-native:location westeurope"


def test_a_region_may_be_written_as_the_portal_shows_it() -> None:
    assert load({**DEV, "azure-native:location": "West Europe"}).location == "westeurope"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_local_stack_may_use_an_authority_on_this_machine(host: str) -> None:
    stack = load(changed(**LOCAL | {"entraAuthority": f"http://{host}:8002"}))

    assert stack.local
    assert stack.entra_authority == f"http://{host}:8002"


@pytest.mark.parametrize("origin", ["https://a.example", "https://a.example:8443", "http://localhost:6274"])
def test_an_origin_is_accepted_in_the_form_that_browsers_send(origin: str) -> None:
    assert load(changed(allowedOrigins=json.dumps([origin]))).allowed_origins == (origin,)


def test_a_tag_that_pulumi_parsed_as_a_number_is_a_string() -> None:
    assert load(changed(tags='{"costCenter": 4711}')).tags == {"costCenter": "4711"}
