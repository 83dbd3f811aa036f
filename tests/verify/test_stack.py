"""The source of a stack's URL and of its expected state."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stacks import FUNCTIONS_ONLY
from verify import stack as stack_module
from verify.stack import PROJECT, Options, TargetError, expected_of, find_target
from verify.target import Azure


def pulumi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Adds a Pulumi CLI to PATH that runs a shell script."""
    cli = folder / "pulumi"
    cli.write_text(f"#!/bin/sh\n{script}\n")
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


def test_the_address_comes_from_the_outputs_of_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = '{"gatewayUrl": "https://apim-x.azure-api.net"}'
    expected_call = "stack output --json --stack dev --non-interactive"
    pulumi(tmp_path, monkeypatch, f"[ \"$*\" = '{expected_call}' ] && echo '{outputs}'")
    target = find_target(Options(url=None, stack="dev", config=FUNCTIONS_ONLY))
    assert target.url == "https://apim-x.azure-api.net"
    assert target.azure == Azure()
    assert target.expected.local is False


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'error: no stack named dev found' >&2; exit 1", "no stack named dev found"),
        ("echo '{}'", "pulumi up --stack dev"),
    ],
)
def test_the_error_for_a_stack_without_outputs_has_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    pulumi(tmp_path, monkeypatch, script)
    with pytest.raises(TargetError, match=message) as error:
        find_target(Options(url=None, stack="dev", config=FUNCTIONS_ONLY))
    assert "python -m verify https://" in str(error.value)


def test_the_pulumi_cli_is_needed_only_without_a_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetError, match="not on PATH"):
        find_target(Options(url=None, stack="dev"))
    assert find_target(Options(url="https://gateway.example/", stack="dev", config=FUNCTIONS_ONLY)).url == (
        "https://gateway.example"
    )


@pytest.mark.parametrize(
    "url",
    ["gateway.example", "http://gateway.example", "https://gateway.example/mcp", "https://u:p@host", ""],
)
def test_a_url_that_is_not_the_origin_of_a_gateway_is_refused(url: str) -> None:
    with pytest.raises(TargetError, match="not the URL of a gateway"):
        find_target(Options(url=url, stack="dev", config=FUNCTIONS_ONLY))


def test_a_local_url_is_a_twin_whose_control_port_replaces_azure() -> None:
    target = find_target(Options(url="http://localhost:8000", stack="dev"))
    assert target.azure == Azure(url="http://localhost:8001", local=True)
    assert target.expected.local is True
    assert [server.name for server in target.expected.servers] == ["functions", "slack", "jira"]


def test_encrypted_secrets_of_the_stacks_file_are_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / file).write_text((PROJECT / file).read_text())
    with (tmp_path / "Pulumi.dev.yaml").open("a") as file:
        file.write(
            "  remote-mcp-gateway:slackBotToken:\n    secure: AAABADQXFlU0mxbTgNyl39UfVg4DdCoL\n"
            "  remote-mcp-gateway:jiraApiToken:\n    secure: AAABADQXFlU0mxbTgNyl39UfVg4DdCoL\n"
            "  remote-mcp-gateway:jiraUrl: https://example.atlassian.net\n"
            "  remote-mcp-gateway:jiraUsername: jira@example.com\n"
        )
    monkeypatch.setattr(stack_module, "PROJECT", tmp_path)
    expected = expected_of("dev", {}, local=False)
    assert [server.name for server in expected.servers] == ["functions", "slack", "jira"]
    assert expected.documents == expected_of("dev", {}, local=False).documents


def test_the_error_about_wrong_configuration_is_that_of_the_settings() -> None:
    with pytest.raises(TargetError, match="'Gold' is not one of BasicV2"):
        expected_of("dev", {**FUNCTIONS_ONLY, "sku": "Gold"}, local=False)


def test_the_verification_can_be_restricted_to_some_servers() -> None:
    options = Options(url="http://localhost:8000", stack="dev", servers=("slack",))
    assert [server.name for server in find_target(options).expected.servers] == ["slack"]
    with pytest.raises(TargetError, match="choose from functions, slack, jira"):
        find_target(Options(url="http://localhost:8000", stack="dev", servers=("sharepoint",)))


def test_a_server_with_one_transport_has_only_the_paths_of_that_transport() -> None:
    entry = (
        '[{"name": "legacy", "image": "ghcr.io/example/legacy:1.0.0", "port": 8080, "transport": "sse",'
        ' "paths": {"messages": "/messages/"}, "sessionParameter": "session_id"}]'
    )
    expected = expected_of("dev", {**FUNCTIONS_ONLY, "containers": entry}, local=True)
    functions, legacy = expected.servers
    assert functions.endpoints == ("/mcp", "/mcp/sse")
    assert legacy.endpoints == ("/legacy-mcp/sse",)
    assert legacy.message_path == "/legacy-mcp/messages/"


def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('No module named typer', name='typer')\n")
    done = subprocess.run(
        [sys.executable, "-m", "verify"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "error: The package typer is not installed. `make verify` installs it.\n"
