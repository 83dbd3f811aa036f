"""Resources for agents and discovery: connections in Foundry, entries in an API Center."""

import functools
import json

from tests.program import schema
from twin.stack import Stack, evaluate

TOKEN = "github_pat_only-for-this-test"
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/agents/providers"
CONFIG = {
    "backends": '["functions", "github"]',
    "foundryProject": f"{GROUP}/Microsoft.CognitiveServices/accounts/agents/projects/demo",
    "apiCenter": f"{GROUP}/Microsoft.ApiCenter/services/catalog",
}


@functools.cache
def stack(preview: bool = False) -> Stack:
    return evaluate(CONFIG, {"githubToken": TOKEN}, preview=preview)


def test_the_connection_to_github_has_the_token_as_a_secret() -> None:
    connection = stack().one("cognitiveservices:ProjectConnection")

    assert connection.inputs["connectionName"] == "github-mcp"
    assert connection.inputs["accountName"] == "agents"
    assert connection.inputs["projectName"] == "demo"
    properties = connection.inputs["properties"]
    assert properties["target"] == "https://api.githubcopilot.com/mcp/"
    assert properties["credentials"] == {"keys": {"Authorization": f"Bearer {TOKEN}"}}
    assert connection.secret_inputs == {"properties.credentials.keys"}


def test_no_other_resource_and_no_output_has_the_token() -> None:
    others = [resource for resource in stack().resources if not resource.type.endswith(":ProjectConnection")]

    assert TOKEN not in json.dumps([resource.inputs for resource in others], default=str)
    assert TOKEN not in json.dumps(stack().outputs, default=str)


def test_the_outputs_have_the_foundry_project_and_the_connection_to_github() -> None:
    settings = stack().outputs["agentSettings"]

    assert settings["foundry"] == {
        "endpoint": "https://agents.services.ai.azure.com/api/projects/demo",
        "model": "gpt-5-mini",
    }
    connections = {server["name"]: server.get("connection") for server in settings["servers"]}
    assert connections == {"functions": None, "github": "github-mcp"}


def test_users_sign_in_to_github_themselves_if_the_stack_requires_it() -> None:
    own = {name: value for name, value in CONFIG.items() if name != "apiCenter"}
    users = evaluate({**own, "githubSignIn": "user"})

    properties = users.one("cognitiveservices:ProjectConnection").inputs["properties"]
    assert (properties["authType"], properties["category"]) == ("OAuth2", "RemoteTool")
    assert properties["target"] == "https://api.githubcopilot.com/mcp/"
    assert properties["metadata"]["type"] == "catalog_MCP"
    assert properties["metadata"]["toolEntityId"].endswith("/objectId/github/version/1")
    assert properties.get("credentials", {}) == {}
    assert users.outputs["agentSettings"]["servers"][-1]["connection"] == "github-mcp"
    # The SDK's list of categories is older; the property takes any string.
    (problem,) = [problem for resource in users.resources for problem in schema.problems(resource)]
    assert "properties.category is 'RemoteTool'" in problem


def test_without_a_token_there_is_no_connection_to_github() -> None:
    without = evaluate({name: value for name, value in CONFIG.items() if name != "apiCenter"})

    assert without.of_type("cognitiveservices:ProjectConnection") == ()
    assert without.outputs["agentSettings"]["servers"][-1].get("connection") is None
    assert without.of_type("apicenter:Api") == ()


def test_an_api_center_lists_every_server_with_its_addresses() -> None:
    assert {resource.inputs["kind"] for resource in stack().of_type("apicenter:Api")} == {"mcp"}
    gateway = stack().outputs["gatewayUrl"]
    uris = {
        (resource.inputs["apiName"], resource.inputs["title"]): resource.inputs["server"]["runtimeUri"]
        for resource in stack().of_type("apicenter:Deployment")
    }
    assert uris == {
        ("remote-mcp-gateway-dev-functions", "streamable-http"): [f"{gateway}/mcp"],
        ("remote-mcp-gateway-dev-functions", "sse"): [f"{gateway}/mcp/sse"],
        ("remote-mcp-gateway-dev-github", "streamable-http"): ["https://api.githubcopilot.com/mcp/"],
    }
    for deployment in stack().of_type("apicenter:Deployment"):
        assert deployment.inputs["definitionId"].startswith("/workspaces/default/")
        assert deployment.inputs["environmentId"].startswith("/workspaces/default/")


def test_the_resources_match_the_providers_sdk() -> None:
    kinds = ("cognitiveservices:ProjectConnection", "apicenter:")
    for resource in (*stack().resources, *stack(preview=True).resources):
        if any(kind in resource.type for kind in kinds):
            assert schema.problems(resource) == []
