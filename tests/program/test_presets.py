"""The project's own container servers are presets: entries of the setting `containers` with fixed values."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends import registry
from backends.container_backend import ContainerBackend
from configuration import presets
from configuration.presets import PRESETS
from configuration.setting import Secret
from tests.program.stack_settings import changed, entry, load, refused

CREDENTIALS: dict[str, dict[str, str]] = {
    "slack": {"slackBotToken": "xoxb-123456789012-abcdefghijkl"},
    "jira": {
        "jiraUrl": "https://example.atlassian.net",
        "jiraUsername": "a@b.example",
        "jiraApiToken": "ATATT3xFfGF0-abcdefgh",
    },
}
"""A valid value of each credential of each preset."""

ALL_CREDENTIALS = {key: value for values in CREDENTIALS.values() for key, value in values.items()}
SECRETS = [
    credential.setting.key
    for preset in PRESETS.values()
    for credential in preset.credentials
    if isinstance(credential.setting, Secret)
]
ENTRIES: dict[str, dict[str, Any]] = {
    "slack": {
        "image": "ghcr.io/korotovsky/slack-mcp-server:v1.3.0",
        "port": 3001,
        "transport": "separate",
        "sessionParameter": "sessionId",
        "env": {
            "SLACK_MCP_HOST": "0.0.0.0",
            "SLACK_MCP_PORT": "3001",
            "SLACK_MCP_ADD_MESSAGE_TOOL": "true",
            "SLACK_MCP_LOG_LEVEL": "warn",
        },
        "http": {"arguments": "--transport http"},
        "sse": {"arguments": "--transport sse"},
        "secrets": {"SLACK_MCP_XOXB_TOKEN": "chatToken"},
    },
    "jira": {
        "image": "ghcr.io/sooperset/mcp-atlassian:0.23.1",
        "port": 8000,
        "transport": "separate",
        "sessionParameter": "session_id",
        "health": "/healthz",
        "paths": {"messages": "/chat-mcp/messages/"},
        "scale": {"max": 5},
        "env": {
            "HOST": "0.0.0.0",
            "PORT": "8000",
            "TOOLSETS": "all",
            "IGNORE_HEADER_AUTH": "true",
            "ALLOW_GLOBAL_CRED_FALLBACK": "true",
            "FASTMCP_CHECK_FOR_UPDATES": "off",
            "FASTMCP_SHOW_SERVER_BANNER": "false",
            "JIRA_URL": CREDENTIALS["jira"]["jiraUrl"],
            "JIRA_USERNAME": CREDENTIALS["jira"]["jiraUsername"],
        },
        "http": {
            "env": {"TRANSPORT": "streamable-http", "STREAMABLE_HTTP_PATH": "/mcp", "STATELESS": "true"}
        },
        "sse": {"env": {"TRANSPORT": "sse", "FASTMCP_MESSAGE_PATH": "/chat-mcp/messages/"}},
        "secrets": {"JIRA_API_TOKEN": "chatToken"},
    },
}
"""The entries of a stack's file that are equivalent to the presets."""


def test_every_module_of_a_preset_is_listed() -> None:
    modules = {file.stem for file in Path(presets.__file__).parent.glob("[!_]*.py")}
    assert modules == PRESETS.keys(), (
        "list it in configuration/presets/__init__.py, by the name of its module"
    )


@pytest.mark.parametrize("table", ["ENTRIES", "CREDENTIALS"])
def test_every_preset_is_in_the_tables_of_these_tests(table: str) -> None:
    missing = PRESETS.keys() - globals()[table].keys()
    assert not missing, f"add {', '.join(missing)} to {table} in tests/program/test_presets.py"


@pytest.mark.parametrize("name", ENTRIES)
def test_a_preset_is_equivalent_to_an_entry(name: str) -> None:
    container = PRESETS[name].container
    rules = {
        "scopes": [scope.replace(f"{name}.", "chat.") for scope in container.scopes],
        "tools": {
            tool: {"scope": rule.scope.replace(f"{name}.", "chat.")} for tool, rule in container.tools.items()
        },
    }
    written = entry(name="chat", title=container.title, **rules, **ENTRIES[name])
    (token,) = (CREDENTIALS[name][key] for key in SECRETS if key in CREDENTIALS[name])
    values = changed(backends=f'["{name}"]', containers=written, chatToken=token, **CREDENTIALS[name])
    preset, own = registry.describe(load(values, [*SECRETS, "chatToken"]))
    assert isinstance(preset, ContainerBackend)
    assert isinstance(own, ContainerBackend)

    def described(backend: ContainerBackend) -> str:
        """The whole backend as a string, in which the name of the preset is replaced by `chat`."""
        servers = [
            {
                **{field: getattr(server, field) for field in server.__slots__},
                "env": sorted(server.env.items()),
            }
            for server in backend.servers
        ]
        rest = replace(backend, servers=())
        return (
            f"{rest} {servers}".replace(f"{name}-", "chat-")
            .replace(f"'{name}'", "'chat'")
            .replace(f"{name}.", "chat.")
        )

    # Only the project's own servers have a description.
    assert own.description == ""
    assert preset.description
    assert described(replace(preset, description="")) == described(own)


def test_a_stack_reads_the_presets_that_are_enabled() -> None:
    values = changed(backends='["functions", "jira"]', **CREDENTIALS["jira"], jiraDigest=f"sha256:{'1' * 64}")
    loaded = load(values, SECRETS)
    assert list(loaded.presets) == ["jira"]
    assert loaded.presets["jira"].image == f"ghcr.io/sooperset/mcp-atlassian:0.23.1@sha256:{'1' * 64}"


@pytest.mark.parametrize("name", CREDENTIALS)
def test_no_credential_is_shown(name: str) -> None:
    loaded = load(changed(backends=json.dumps([name]), **CREDENTIALS[name]), SECRETS)
    shown = repr((loaded, registry.describe(loaded)))
    assert not [key for key in SECRETS if CREDENTIALS[name].get(key, "not set") in shown]


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in CREDENTIALS for key in CREDENTIALS[name]])
def test_a_credential_in_a_wrong_format_is_refused_and_not_shown(name: str, key: str) -> None:
    wrong = f"{CREDENTIALS[name][key]}\nx-injected"
    (problem,) = refused(
        changed(backends=json.dumps([name]), **{**CREDENTIALS[name], key: wrong}), SECRETS
    ).problems
    assert problem.key == key
    if key in SECRETS:
        assert "x-injected" not in problem.wrong


@pytest.mark.parametrize("name", PRESETS)
def test_a_digest_in_a_wrong_format_is_refused(name: str) -> None:
    (problem,) = refused(changed(**{f"{name}Digest": "latest"})).problems
    assert problem.key == f"{name}Digest"


def variables(**limits: str) -> dict[str, dict[str, str]]:
    """The environment of each server's processes in a stack with these limits."""
    values = changed(backends='["slack", "jira"]', **ALL_CREDENTIALS, **limits)
    return {
        server.name: dict(server.env)
        for backend in registry.describe(load(values, SECRETS))
        if isinstance(backend, ContainerBackend)
        for server in backend.servers
    }


def test_settings_limit_what_the_servers_of_jira_and_slack_may_do() -> None:
    free = variables()
    limited = variables(
        jiraReadOnly="true", jiraProjects='["OPS", "SUPPORT"]', slackPostChannels='["C01234567"]'
    )
    silent = variables(slackReadOnly="true", slackPostChannels='["C01234567"]')
    posting = "SLACK_MCP_ADD_MESSAGE_TOOL"
    for name in ("jira-http", "jira-sse"):
        assert not {"READ_ONLY_MODE", "JIRA_PROJECTS_FILTER"} & free[name].keys()
        assert limited[name]["READ_ONLY_MODE"] == "true"
        assert limited[name]["JIRA_PROJECTS_FILTER"] == "OPS,SUPPORT"
    for name in ("slack-http", "slack-sse"):
        assert (free[name][posting], limited[name][posting]) == ("true", "C01234567")
        assert posting not in silent[name]
