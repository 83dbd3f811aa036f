"""Credentials of backends, and settings of entries of `containers`."""

import pytest

from configuration.container import Process
from tests.program.stack_settings import ALL_BACKENDS, JIRA, SECRETS, agent, changed, entry, load, refused
from twin.gateway_plan import LOCAL


def test_each_missing_key_of_a_backend_is_named_with_its_command() -> None:
    error = refused(changed(backends=ALL_BACKENDS))

    assert {problem.key: problem.remedy for problem in error.problems} == {
        "slackBotToken": "pulumi config set --secret slackBotToken",
        "jiraUrl": "pulumi config set jiraUrl https://example.atlassian.net",
        "jiraUsername": "pulumi config set jiraUsername you@example.com",
        "jiraApiToken": "pulumi config set --secret jiraApiToken",
    }


def test_a_local_stack_needs_no_credentials_of_slack_and_jira() -> None:
    stack = load(changed(backends=ALL_BACKENDS, **LOCAL))

    assert stack.presets["slack"].secrets == {"SLACK_MCP_XOXB_TOKEN": "xoxb-twin"}
    jira = stack.presets["jira"]
    assert jira.secrets == {"JIRA_API_TOKEN": "twin"}
    assert {process.env["JIRA_URL"] for process in jira.processes} == {"https://jira.example"}


def test_a_local_stack_with_half_of_jiras_settings_is_incomplete() -> None:
    error = refused(changed(backends=ALL_BACKENDS, jiraUrl=JIRA["jiraUrl"], **LOCAL))

    assert {problem.key for problem in error.problems} == {"jiraUsername", "jiraApiToken"}


def test_complete_credentials_are_accepted_and_not_shown() -> None:
    tokens = {key: SECRETS[key] for key in ("slackBotToken", "jiraApiToken")}
    stack = load(changed(backends=ALL_BACKENDS, **JIRA, **tokens), tokens)

    assert stack.presets["slack"].secrets == {"SLACK_MCP_XOXB_TOKEN": tokens["slackBotToken"]}
    assert stack.presets["jira"].secrets == {"JIRA_API_TOKEN": tokens["jiraApiToken"]}
    assert [token for token in tokens.values() if token in repr(stack)] == []


@pytest.mark.parametrize("key", ["slackBotToken", "jiraApiToken"])
def test_a_secret_in_clear_text_is_rejected_and_not_in_the_message(key: str) -> None:
    error = refused(changed(**{key: SECRETS[key]}))

    (problem,) = error.problems
    assert (problem.key, problem.remedy) == (key, f"pulumi config set --secret {key}")
    assert SECRETS[key] not in str(error)


@pytest.mark.parametrize(
    "token", ["xoxp-123456789012-abcdefghijkl", "xoxb-", "xoxb-1234567890 1", "nonsense"]
)
def test_a_token_in_the_wrong_format_is_reported_without_its_value(token: str) -> None:
    error = refused(changed(backends='["slack"]', slackBotToken=token), ["slackBotToken"])

    (problem,) = error.problems
    assert "xoxb-" in problem.wrong
    assert token == "xoxb-" or token not in str(error)


@pytest.mark.parametrize(
    "url", ["http://a.example", "a.example", "https://", "https://u:p@a.example", "https://a.example/?x=1"]
)
def test_a_url_of_jira_without_tls_or_with_a_user_or_a_query_is_refused(url: str) -> None:
    values = changed(backends='["jira"]', **{**JIRA, "jiraUrl": url}, jiraApiToken=SECRETS["jiraApiToken"])

    assert [problem.key for problem in refused(values, ["jiraApiToken"]).problems] == ["jiraUrl"]


def test_an_entry_of_three_keys_is_complete() -> None:
    (container,) = load(changed(containers=entry())).containers

    assert (container.title, container.path, container.paths.mcp) == ("Notes", "notes-mcp", "/mcp")
    assert (container.cpu, container.memory) == (0.25, "0.5Gi")
    assert container.processes == (Process(transport="streamable-http", min_replicas=1, max_replicas=1),)


def test_the_secret_of_an_entry_is_a_separate_setting_and_is_not_shown() -> None:
    values = changed(containers=entry(secrets={"NOTES_TOKEN": "notesToken"}), notesToken="s3cret-s3cret")
    stack = load(values, ["notesToken"])

    assert stack.containers[0].secrets == {"NOTES_TOKEN": "s3cret-s3cret"}
    assert "s3cret" not in repr(stack)
    assert "s3cret" not in str(refused(values))


def test_limits_and_access_are_set_for_a_backend_or_in_an_entry() -> None:
    stack = load(
        changed(
            callLimits='{"functions": 30}',
            access='{"functions": "users"}',
            containers=entry(callsPerMinute=7, access="users"),
        )
    )

    limits = stack.rate_limits
    assert [limits.calls_of(name) for name in ("functions", "notes", "slack")] == [30, 7, 3000]
    assert stack.access == {"functions": ("users",), "notes": ("users",)}


def test_rules_of_tools_add_scopes_and_agents_have_roles() -> None:
    stack = load(
        changed(
            access='{"functions": ["users", "agents"]}',
            tools='{"functions": {"save_snippet": {"scope": "functions.write", "role": "Writer"}}}',
            agents=agent(roles=["functions", "functions.write", "Writer"]),
            roleMembers='{"Writer": ["ada00000-0000-4000-8000-000000001815"]}',
        )
    )

    assert stack.access == {"functions": ("users", "agents")}
    assert stack.scopes == {"functions": ("functions", "functions.write")}
    assert stack.tools["functions"]["save_snippet"].role == "Writer"
    assert stack.agents[0].roles == ("functions", "functions.write", "Writer")
    assert stack.role_members == {"Writer": ("ada00000-0000-4000-8000-000000001815",)}
