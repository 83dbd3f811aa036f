"""The checks before a deployment, and the list of what the deployer needs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from backends import registry
from configuration.address import Address
from configuration.foundry import API_CENTER
from gateway import limits
from preflight import __main__ as preflight
from preflight.deployer import prerequisites
from tests.program.variants import Case
from tests.stacks import FUNCTIONS_ONLY
from twin.gateway_plan import load_settings, plan_stack

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "preflight.md"


def stack_file(folder: Path, **values: str) -> None:
    """Creates a project with one stack, `team`, which has these values, a region and a publisher's name."""
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    settings = {
        "azure-native:location": "northeurope",
        "remote-mcp-gateway:publisherName": "Example",
    } | values
    lines = "".join(f"  {key}: {value}\n" for key, value in settings.items())
    (folder / "Pulumi.team.yaml").write_text(f"config:\n{lines}", encoding="utf-8")


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(preflight, "_ROOT", folder)
    return preflight.main(["--stack", "team"])


def test_a_stack_that_can_be_deployed_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack_file(tmp_path, **{"remote-mcp-gateway:publisherEmail": "you@example.com"})
    assert run(tmp_path, monkeypatch) == 0
    output = capsys.readouterr().out
    assert "The checks found no errors." in output
    assert "az provider register --wait --namespace Microsoft.ApiManagement" in output


def test_wrong_settings_fail_with_the_command_that_fixes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack_file(tmp_path)
    assert run(tmp_path, monkeypatch) == 1
    assert "pulumi config set publisherEmail" in capsys.readouterr().err


def test_the_error_for_a_stack_without_a_file_contains_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack_file(tmp_path)
    monkeypatch.setattr(preflight, "_ROOT", tmp_path)
    assert preflight.main(["--stack", "other"]) == 1
    assert "other" in capsys.readouterr().err


def test_a_tier_that_is_not_available_in_the_region_causes_a_warning() -> None:
    settings = load_settings({**FUNCTIONS_ONLY, "azure-native:location": "polandcentral"})
    plan = plan_stack(FUNCTIONS_ONLY)
    (finding,) = limits.findings(replace(settings, local=False), plan)
    assert finding.warning
    assert "BasicV2 was not available in polandcentral" in finding.message
    assert not list(limits.findings(replace(settings, local=False, sku="Developer"), plan))


def test_exceeding_a_limit_of_api_management_is_an_error() -> None:
    settings, plan = load_settings(FUNCTIONS_ONLY), plan_stack(FUNCTIONS_ONLY)
    large = replace(
        plan,
        named_values=plan.named_values * 20,
        fragments=plan.fragments * 20,
        apis=tuple(replace(api, operations=tuple(api.operations) * 20) for api in plan.apis * 30),
    )
    messages = " ".join(
        finding.message for finding in limits.findings(settings, large) if not finding.warning
    )
    for kind in ("named values", "policy fragments", "APIs", "operations of the API oauth"):
        assert re.search(rf"The stack has \d+ {kind}; API Management allows \d+", messages)
    with pytest.raises(limits.LimitsError, match="nothing was created"):
        limits.check(settings, large)


def test_a_url_that_is_too_long_for_api_center_is_an_error() -> None:
    settings = load_settings({**FUNCTIONS_ONLY, "apiCenter": API_CENTER.example})
    plan = plan_stack(FUNCTIONS_ONLY)
    assert list(limits.findings(settings, plan)) == []
    host = ".".join(["h" * 60] * 4)
    long = replace(settings, address=Address(hostname=host, certificate=None), github_url=f"https://{host}")
    (finding,) = limits.findings(long, plan)
    assert re.search(r"'functions' has \d+ characters; Azure API Center allows 200", finding.message)
    both = replace(long, backends=("functions", "github"))
    assert len(list(limits.findings(both, plan))) == 2
    assert list(limits.findings(replace(both, api_center=None), plan)) == []


def test_the_rights_that_the_deployer_needs_are_listed() -> None:
    settings = load_settings({**FUNCTIONS_ONLY, "assignmentRequired": "true"})
    listed = list(prerequisites(settings, registry.describe(settings)))
    commands = "\n".join(command for entry in listed for command in entry.commands)
    assert '--role "Contributor"' in commands
    assert '--role "Role Based Access Control Administrator"' in commands
    assert "Cost Management" not in commands
    assert any("Application Developer" in entry.description for entry in listed)
    assert any("assigned to the gateway's application" in entry.description for entry in listed)
    with_alert = replace(settings, monitoring=replace(settings.monitoring, cost_anomalies=True))
    assert any(
        "Cost Management" in command for entry in prerequisites(with_alert, ()) for command in entry.commands
    )
    assert not any(
        "Microsoft.Storage" in command
        for entry in prerequisites(with_alert, ())
        for command in entry.commands
    )


def test_the_name_of_api_management_has_a_random_suffix() -> None:
    name = Case("dev", preview=False).stack.one("apimanagement:ApiManagementService").inputs["serviceName"]
    assert re.fullmatch(r"apim-[a-z0-9]{8}", name)


def test_cosmos_db_requests_no_zones() -> None:
    (region,) = Case("dev", preview=False).stack.one("cosmosdb:DatabaseAccount").inputs["locations"]
    assert region["isZoneRedundant"] is False


def test_every_known_failure_names_the_files_with_its_tests() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 24
    for row in rows:
        references = re.findall(r"`(tests/[^`]+)`", row)
        assert references, row
        assert all((ROOT / reference).is_file() for reference in references), row
