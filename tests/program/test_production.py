"""The example of a production stack: its commands complete it, and it has the restrictions that it lists."""

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from configuration import stack_file
from preflight import __main__ as preflight
from settings import Settings, SettingsError
from tests.program import schema
from tests.program.stack_settings import SECRETS, load, pin, run
from twin.stack import PROJECT, Stack, evaluate

EXAMPLE = PROJECT / "Pulumi.prod.example.yaml"
STACK = "prod.example"


def commands() -> list[str]:
    """The commands at the beginning of the file that change the configuration."""
    matches = re.findall(r"^#   (pulumi config set .*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert matches
    return matches


@functools.cache
def configured() -> tuple[Mapping[str, str], frozenset[str]]:
    """The values of the file after its commands, and which of them are secret."""
    values, secrets = dict(stack_file.load(PROJECT, STACK).values), set[str]()
    for command in commands():
        run(command, values, secrets)
    assert "#   make pin STACK=prod\n" in EXAMPLE.read_text(encoding="utf-8")
    pin(values, secrets)
    return values, frozenset(secrets)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(*configured())


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The resources that the program declares for the stack. The evaluation also lints the policies."""
    values, secrets = configured()
    encrypted = {key: SECRETS[key] for key in secrets}
    names = {f"remote-mcp-gateway:{key}" for key in secrets}
    return evaluate({k: v for k, v in values.items() if k not in names}, encrypted, stack=STACK)


def test_the_file_is_complete_after_its_own_commands(settings: Settings) -> None:
    assert not settings.local
    assert settings.protect
    assert settings.backends == ("functions", "slack", "jira", "github")


def test_the_file_has_no_secret_and_is_refused_without_the_encrypted_settings() -> None:
    file = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["config"]
    assert not [key for key in file if key.partition(":")[2] in SECRETS]
    with pytest.raises(SettingsError, match="pulumi config set --secret slackBotToken"):
        load(stack_file.load(PROJECT, STACK).values)


def test_every_resource_fits_the_schema_of_its_type(stack: Stack) -> None:
    assert [problem for resource in stack.resources for problem in schema.problems(resource)] == []


def test_every_image_is_pinned_by_its_digest(stack: Stack) -> None:
    images = [
        container["image"]
        for app in stack.of_type("ContainerApp")
        for container in app.inputs["template"]["containers"]
    ]
    assert images
    assert [image for image in images if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []


def test_only_the_gateway_is_public(stack: Stack) -> None:
    assert stack.one("cosmosdb:DatabaseAccount").inputs["publicNetworkAccess"] == "Disabled"
    assert stack.one("storage:StorageAccount").inputs["publicNetworkAccess"] == "Disabled"
    assert stack.one("app:ManagedEnvironment").inputs["vnetConfiguration"]["internal"] is True


def test_the_production_stack_has_alerts_with_receivers_and_a_budget(
    stack: Stack, settings: Settings
) -> None:
    (receiver,) = stack.one("ActionGroup").inputs["emailReceivers"]
    assert receiver["emailAddress"] == settings.monitoring.emails[0]
    assert stack.of_type("ScheduledQueryRule")
    assert stack.one("consumption:Budget").inputs["amount"] == 2500
    assert stack.one("operationalinsights:Workspace").inputs["workspaceCapping"]["dailyQuotaGb"] == -1


def test_the_production_stack_has_two_gateway_units_and_servers_that_scale(stack: Stack) -> None:
    assert stack.one("ApiManagementService").inputs["sku"] == {"capacity": 2, "name": "StandardV2"}
    scale = [app.inputs["template"]["scale"] for app in stack.of_type("ContainerApp")]
    assert {"minReplicas": 2, "maxReplicas": 6} in [
        {key: limits[key] for key in ("minReplicas", "maxReplicas")} for limits in scale
    ]


def test_the_preflight_check_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the copy of the file, the secrets are encrypted, as the Pulumi CLI writes them."""
    values, secrets = configured()
    copy = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    for key in secrets:
        copy["config"][f"remote-mcp-gateway:{key}"] = {"secure": "v1:AAAA"}
    for key in ("slackDigest", "jiraDigest"):
        copy["config"][f"remote-mcp-gateway:{key}"] = values[f"remote-mcp-gateway:{key}"]
    (tmp_path / "Pulumi.yaml").write_bytes((PROJECT / "Pulumi.yaml").read_bytes())
    (tmp_path / "Pulumi.prod.yaml").write_text(json.dumps(copy), encoding="utf-8")
    monkeypatch.setattr(preflight, "_ROOT", tmp_path)
    assert preflight.main(["--stack", "prod"]) == 0, capsys.readouterr().err
    assert "warning" not in capsys.readouterr().out
