"""A stack whose APIs are below a path prefix of an existing API Management service."""

import functools
import json

from tests.existing import ALL
from tests.program import schema
from twin.stack import Stack, evaluate

PREFIX = "ai/mcp"
WELL_KNOWN = (
    ".well-known/oauth-authorization-server",
    ".well-known/openid-configuration",
    ".well-known/oauth-protected-resource",
)
JIRA = {"jiraUrl": "https://example.atlassian.net", "jiraUsername": "jira@example.com"}
SECRETS = {"slackBotToken": "xoxb-123456789012-abcdefghijkl", "jiraApiToken": "ATATT3xFfGF0-abcdefgh"}


@functools.cache
def stack() -> Stack:
    """A stack with a server of each kind, which uses existing resources wherever a setting allows it."""
    return evaluate(
        {**ALL, **JIRA, "backends": '["functions", "slack", "jira", "github"]', "pathPrefix": PREFIX}, SECRETS
    )


def test_every_api_is_below_the_prefix_or_serves_its_metadata() -> None:
    paths = [resource.inputs["path"] for resource in stack().of_type("apimanagement:Api")]
    assert sorted(paths) == sorted(
        [
            PREFIX,
            *(f"{PREFIX}/{server}" for server in ("mcp", "slack-mcp", "jira-mcp", "notes-mcp", "v0.1")),
            *(f"{known}/{PREFIX}" for known in WELL_KNOWN),
        ]
    )


def test_every_created_resource_matches_the_schema_of_the_sdk() -> None:
    assert [problem for resource in stack().resources for problem in schema.problems(resource)] == []


def test_the_prefix_is_in_every_url_of_the_stack() -> None:
    outputs = stack().outputs
    origin = outputs["gatewayUrl"]
    assert origin == "https://central.azure-api.net"
    assert outputs["entraRegistration"]["redirectUri"] == f"{origin}/{PREFIX}/oauth-callback"
    assert outputs["oauthMetadataUrl"] == f"{origin}/{WELL_KNOWN[0]}/{PREFIX}"
    endpoints = {name: urls for name, urls in outputs["mcpEndpoints"].items() if name != "github"}
    for name, path in {
        "functions": "mcp",
        "slack": "slack-mcp",
        "jira": "jira-mcp",
        "notes": "notes-mcp",
    }.items():
        assert endpoints.pop(name)["streamableHttp"] == f"{origin}/{PREFIX}/{path}"
    assert endpoints == {}
    servers = outputs["agentSettings"]["servers"]
    urls = {server["url"] for server in servers if server["signIn"] == "gateway"}
    assert urls
    assert all(url.startswith(f"{origin}/{PREFIX}/") for url in urls)


def test_the_named_value_of_the_gateways_url_is_its_origin_without_the_prefix() -> None:
    values = {
        resource.inputs["displayName"]: resource.inputs.get("value")
        for resource in stack().of_type("apimanagement:NamedValue")
    }
    assert values["gateway-url"] == stack().outputs["gatewayUrl"]
    assert values["registry-namespace"] == "net.azure-api.central"


def test_a_protected_stack_refuses_another_prefix() -> None:
    """Pulumi replaces the resource when its keepers change, and refuses to replace a protected resource."""
    address = stack().one(
        "random:index/randomString:RandomString", "gateway-service-address-that-clients-registered-with"
    )
    assert address.inputs["keepers"] == {"url": f"{stack().outputs['gatewayUrl']}/{PREFIX}"}
    assert address.protect


def test_jiras_event_stream_announces_a_path_below_the_prefix() -> None:
    environments = {
        app.name: {variable["name"]: variable.get("value") for variable in container["env"]}
        for app in stack().of_type("app:ContainerApp")
        for container in app.inputs["template"]["containers"]
    }
    messages = f"/{PREFIX}/jira-mcp/messages/"
    assert environments["jira-sse"]["FASTMCP_MESSAGE_PATH"] == messages
    assert "FASTMCP_MESSAGE_PATH" not in environments["jira-http"]
    (policy,) = (
        resource.inputs["value"]
        for resource in stack().of_type("apimanagement:ApiPolicy")
        if resource.name == "jira-policy"
    )
    assert f'<rewrite-uri template="{messages}" copy-unmatched-params="false" />' in policy
    operations = {
        resource.inputs["urlTemplate"]
        for resource in stack().of_type("apimanagement:ApiOperation")
        if resource.inputs["apiId"] == "jira-mcp"
    }
    assert operations == {"/", "/sse", "/messages/"}


def test_a_server_that_announces_the_root_of_the_host_has_no_event_stream() -> None:
    apps = {resource.name for resource in stack().of_type("app:ContainerApp")}
    assert apps == {"slack-http", "jira-http", "jira-sse", "notes-http"}
    assert "sse" not in stack().outputs["mcpEndpoints"]["slack"]
    assert "slack-sse-url" not in json.dumps([resource.inputs for resource in stack().resources])
