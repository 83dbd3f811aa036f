"""The messages of the demo when it cannot continue; each message contains the remedy."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from agent_demo.agent import Agent
from agent_demo.credential import AgentIdentity
from agent_demo.error import AgentError
from agent_demo.settings import AgentSettings, Server, read_stack, read_twin
from agent_demo.tools import ServerTools, read_tools
from configuration import stack_outputs
from tests.children import free_port

ENDPOINT = "https://agents.services.ai.azure.com/api/projects/demo"
OUTPUTS: dict[str, Any] = {
    "agentSettings": {
        "gatewayUrl": "https://gateway.example",
        "scope": "22222222-2222-4222-8222-222222222222/.default",
        "foundry": {
            "endpoint": f"{ENDPOINT}/",
            "model": "gpt-5-mini",
        },
        "servers": [
            {
                "name": "slack",
                "title": "Slack",
                "url": "https://gateway.example/slack-mcp",
                "signIn": "gateway",
            },
            {"name": "github", "title": "GitHub", "url": "https://github.example/mcp/", "signIn": "github"},
        ],
    }
}


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the outputs that the Pulumi CLI prints; None makes it fail."""
    for name in ("FOUNDRY_PROJECT_ENDPOINT", "FOUNDRY_MODEL_DEPLOYMENT_NAME", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def set_outputs(outputs: dict[str, Any] | None) -> None:
        (tmp_path / "outputs.json").write_text(json.dumps(outputs))
        program = tmp_path / "pulumi"
        program.write_text(
            f"#!/bin/sh\ncat {tmp_path}/outputs.json\n"
            if outputs is not None
            else "#!/bin/sh\necho 'error: no stack named dev' >&2\nexit 1\n"
        )
        program.chmod(0o700)
        monkeypatch.setattr(stack_outputs.shutil, "which", lambda _: str(program))

    return set_outputs


def test_the_settings_of_a_stack_come_from_its_outputs(pulumi: Callable[..., None]) -> None:
    pulumi(OUTPUTS)
    settings = read_stack("dev")

    assert (settings.endpoint, settings.model) == (
        "https://agents.services.ai.azure.com/api/projects/demo",
        "gpt-5-mini",
    )
    assert [(server.name, server.behind_gateway) for server in settings.servers] == [
        ("slack", True),
        ("github", False),
    ]
    assert not settings.stand_in


def test_the_env_file_overrides_the_outputs(pulumi: Callable[..., None], tmp_path: Path) -> None:
    pulumi(OUTPUTS)
    (tmp_path / ".env").write_text("FOUNDRY_MODEL_DEPLOYMENT_NAME=other\nGITHUB_TOKEN=ghp_made-up\n")
    settings = read_stack("dev")

    assert settings.model == "other"
    assert settings.tokens == {"github": "ghp_made-up"}
    assert "ghp_made-up" not in repr(settings)
    assert "GITHUB_TOKEN" not in settings.environment, "azure-identity does not need it"


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (None, "no stack named dev"),
        ({}, "run `pulumi up --stack dev`"),
        (
            {"agentSettings": {**OUTPUTS["agentSettings"], "foundry": None}},
            "pulumi config set foundryProject",
        ),
        ({"agentSettings": {**OUTPUTS["agentSettings"], "servers": []}}, "has no MCP servers"),
    ],
)
def test_the_error_for_an_incomplete_stack_has_the_remedy(
    pulumi: Callable[..., None], outputs: dict[str, Any] | None, message: str
) -> None:
    pulumi(outputs)

    with pytest.raises(AgentError) as caught:
        read_stack("dev")
    assert message in str(caught.value)


def test_the_error_without_the_pulumi_cli_has_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_outputs.shutil, "which", lambda _: None)

    with pytest.raises(AgentError, match="make agent URL=http://localhost:8000"):
        read_stack("dev")


def test_the_error_without_a_running_twin_has_the_start_command() -> None:
    with pytest.raises(AgentError, match="Start it in another terminal with `make up`"):
        read_twin(f"http://localhost:{free_port()}")


def test_the_error_for_a_url_of_another_service_contains_the_url() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(AgentError, match="returned HTTP 501, so http"):
            read_twin(f"http://localhost:{server.server_port - 1}")


@pytest.mark.parametrize(
    "url", ["https://gateway.example", "http://gateway.example", "localhost:8000", "http://localhost:x"]
)
def test_the_secrets_of_a_twin_are_requested_only_from_this_machine(url: str) -> None:
    with pytest.raises(AgentError, match="is not the URL of a local twin"):
        read_twin(url)


class Credential:
    """A credential that fails with an error."""

    def __init__(self, reason: Exception) -> None:
        self._reason = reason

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        raise self._reason


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (
            CredentialUnavailableError("nothing is set"),
            "AZURE_TENANT_ID, AZURE_CLIENT_ID and",
        ),
        (ClientAuthenticationError("AADSTS7000215: Invalid client secret"), "AADSTS7000215"),
    ],
)
def test_the_error_without_a_token_has_the_reason_or_the_remedy(reason: Exception, message: str) -> None:
    with pytest.raises(AgentError) as caught:
        AgentIdentity(Credential(reason)).token("x/.default")
    assert message in str(caught.value)


def agent_settings(*servers: Server) -> AgentSettings:
    return AgentSettings(
        endpoint="https://foundry.example/api/projects/demo",
        model="m",
        scope=None,
        servers=servers,
        tokens={},
        stand_in=False,
        environment={},
    )


SLACK = Server(
    name="slack", title="Slack", url="http://127.0.0.1:1/slack-mcp", behind_gateway=True, connection=None
)
GITHUB = Server(
    name="github", title="GitHub", url="http://127.0.0.1:1/", behind_gateway=False, connection=None
)


def test_the_error_about_an_unknown_server_lists_the_known_servers() -> None:
    with pytest.raises(AgentError, match="Name one of slack, github with --backend"):
        Agent(agent_settings(SLACK, GITHUB), ("slakc",))


def test_the_error_for_a_stack_without_a_scope_has_the_remedy() -> None:
    with pytest.raises(AgentError, match="Run `pulumi up`"):
        Agent(agent_settings(SLACK)).read_tools()


def test_a_server_that_cannot_be_reached_or_has_no_credentials_has_a_problem_with_the_remedy() -> None:
    slack, github = read_tools((SLACK, GITHUB), lambda server: "t" if server is SLACK else None)

    assert "cannot be reached" in (slack.problem or "")
    assert "pulumi config set --secret githubToken" in (github.problem or "")


def test_a_conversation_needs_at_least_one_usable_server() -> None:
    unusable = ServerTools(server=SLACK, left_out={}, problem="the server rejected the token")

    with (
        pytest.raises(AgentError, match="No server can be used"),
        Agent(agent_settings(SLACK)).conversation([unusable]),
    ):
        pass
