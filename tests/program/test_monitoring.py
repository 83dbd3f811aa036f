"""Logs, workbook, alerts and budget, as the program declares them."""

import json
import re
from typing import Any

import pytest

from tests.program.template import deployed_diagnostic
from tests.program.variants import CASES, UP, Case
from twin.stack import Stack

DEV = Case("dev", preview=False)
LARGE = Case("large", preview=False)
CLASSIC = Case("classic", preview=False)
# Log categories whose rows contain bodies or tokens.
WITH_BODIES_OR_TOKENS = {"GatewayLlmLogs", "allLogs", "audit"}


def logged(stack: Stack) -> dict[str, tuple[set[str], str]]:
    """The enabled log categories and the workspace of each resource or service, by its type."""
    return {
        re.sub(r".*?/providers/([^/]+)/([^/]+)/[^/]+", r"\1/\2", setting.inputs["resourceUri"]): (
            {log["category"] for log in setting.inputs["logs"] if log["enabled"]},
            setting.inputs["workspaceId"],
        )
        for setting in stack.of_type("monitor:DiagnosticSetting")
    }


def test_every_resource_with_logs_sends_them_to_the_workspace() -> None:
    workspace = DEV.stack.one("operationalinsights:Workspace").id
    logged_categories = logged(DEV.stack)
    assert {destination for _, destination in logged_categories.values()} == {workspace}
    assert {kind: categories for kind, (categories, _) in logged_categories.items()} == {
        "Microsoft.ApiManagement/service": {"GatewayLogs"},
        "Microsoft.DocumentDB/databaseAccounts": {"ControlPlaneRequests", "DataPlaneRequests"},
        "Microsoft.KeyVault/vaults": {"AuditEvent"},
        "Microsoft.Storage/storageAccounts/blobServices/default": {
            "StorageDelete",
            "StorageRead",
            "StorageWrite",
        },
        "Microsoft.Storage/storageAccounts/queueServices/default": {
            "StorageDelete",
            "StorageRead",
            "StorageWrite",
        },
        "Microsoft.Web/sites": {"AppServiceAuthenticationLogs", "FunctionAppLogs"},
    }


@pytest.mark.parametrize("case", UP, ids=str)
def test_log_categories_with_bodies_or_tokens_are_not_declared(case: Case) -> None:
    for setting in case.stack.of_type("monitor:DiagnosticSetting"):
        assert not {log.get("category") for log in setting.inputs["logs"]} & WITH_BODIES_OR_TOKENS
        assert not any(log.get("categoryGroup") for log in setting.inputs["logs"])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_azure_monitor_is_configured_by_a_template_that_deletes_nothing(case: Case) -> None:
    """Azure may have created the logger and the diagnostic; azure-native refuses to create what exists."""
    stack = case.stack
    names = {resource.inputs.get("loggerId") for resource in stack.of_type("apimanagement:Logger")}
    assert "azuremonitor" not in names
    deployment = stack.one("resources:Deployment")
    assert deployment.inputs["properties"]["mode"] == "Incremental"
    logger, diagnostic = deployment.inputs["properties"]["template"]["resources"]
    assert logger["properties"] == {"loggerType": "azureMonitor"}
    assert diagnostic["dependsOn"] == [diagnostic["properties"]["loggerId"]]
    if not case.preview:
        service = stack.one("apimanagement:ApiManagementService")
        assert diagnostic["properties"]["loggerId"] == f"{service.id}/loggers/azuremonitor"
        assert {resource["name"] for resource in (logger, diagnostic)} == {
            f"{service.outputs['name']}/azuremonitor"
        }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_template_is_deployed_after_the_diagnostic_setting(case: Case) -> None:
    """Azure may create a diagnostic with the setting; the template's values must remain."""
    stack = case.stack
    (setting,) = (
        one for one in stack.of_type("monitor:DiagnosticSetting") if one.name == "gateway-logs-apim"
    )
    assert setting.urn in stack.one("resources:Deployment").dependencies


def diagnostics(stack: Stack) -> dict[str, dict[str, Any]]:
    """The properties of the diagnostics of the service, by name."""
    declared = {
        diagnostic.inputs["diagnosticId"]: dict(diagnostic.inputs)
        for diagnostic in stack.of_type("apimanagement:Diagnostic")
    }
    return declared | {"azuremonitor": deployed_diagnostic(stack)}


@pytest.mark.parametrize("case", UP, ids=str)
def test_f7_the_verbosity_of_the_diagnostic_includes_audit_records(case: Case) -> None:
    assert diagnostics(case.stack)["applicationinsights"]["verbosity"] == "information"


def test_requests_are_sampled_as_configured_and_errors_are_always_logged() -> None:
    for stack, percentage in ((DEV.stack, 100), (LARGE.stack, 20)):
        for diagnostic in diagnostics(stack).values():
            assert diagnostic["sampling"] == {"percentage": percentage, "samplingType": "fixed"}
            assert diagnostic["alwaysLog"] == "allErrors"
            assert not diagnostic["logClientIp"]
    assert diagnostics(DEV.stack).keys() == {"applicationinsights", "azuremonitor"}


def test_traces_are_connected_by_the_w3c_headers() -> None:
    assert diagnostics(DEV.stack)["applicationinsights"]["httpCorrelationProtocol"] == "W3C"


def test_retention_and_daily_cap_are_settings() -> None:
    def limits(case: Case) -> tuple[int, float]:
        inputs = case.stack.one("operationalinsights:Workspace").inputs
        return inputs["retentionInDays"], inputs["workspaceCapping"]["dailyQuotaGb"]

    assert limits(DEV) == (30, 10)
    assert limits(LARGE) == (90, -1)


def test_without_receivers_alerts_are_declared_without_actions() -> None:
    """The portal shows the alerts."""
    assert not DEV.stack.of_type("monitor:ActionGroup")
    rules = DEV.stack.of_type("monitor:ScheduledQueryRule")
    assert len(rules) == 4
    assert all("actions" not in rule.inputs for rule in rules)


def test_every_alert_and_the_budget_reach_the_receivers() -> None:
    stack = LARGE.stack
    group = stack.one("monitor:ActionGroup")
    assert [receiver["emailAddress"] for receiver in group.inputs["emailReceivers"]] == ["oncall@example.com"]
    for rule in stack.of_type("monitor:ScheduledQueryRule"):
        assert rule.inputs["actions"] == {"actionGroups": [group.id]}
        assert rule.inputs["scopes"] == [stack.one("operationalinsights:Workspace").id]
    throttled = stack.one("monitor:MetricAlert")
    assert throttled.inputs["actions"] == [{"actionGroupId": group.id}]
    assert throttled.inputs["scopes"] == [stack.one("cosmosdb:DatabaseAccount").id]
    budget = stack.one("consumption:Budget")
    assert (budget.inputs["amount"], budget.inputs["timeGrain"]) == (500, "Monthly")
    assert budget.inputs["scope"] == stack.one("resources:ResourceGroup").id
    assert re.fullmatch(r"\d{4}-\d{2}-01T00:00:00Z", budget.inputs["timePeriod"]["startDate"])
    assert budget.ignore_changes == ("timePeriod",)
    for notification in budget.inputs["notifications"].values():
        assert notification["contactEmails"] == ["oncall@example.com"]
    anomalies = stack.one("costmanagement:ScheduledActionByScope")
    assert anomalies.inputs["notification"]["to"] == ["oncall@example.com"]
    assert anomalies.ignore_changes == ("schedule",)


def test_disabled_monitoring_resources_are_not_declared() -> None:
    for type_ in ("monitor:ScheduledQueryRule", "monitor:MetricAlert", "applicationinsights:Workbook"):
        assert DEV.stack.of_type(type_)
        assert not CLASSIC.stack.of_type(type_)
    assert not DEV.stack.of_type("consumption:Budget")
    assert not DEV.stack.of_type("costmanagement:ScheduledActionByScope")


def test_the_workbook_shows_each_of_its_queries() -> None:
    workbook = DEV.stack.one("applicationinsights:Workbook")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", workbook.inputs["resourceName"])
    content = json.loads(workbook.inputs["serializedData"])
    charts = [item["name"] for item in content["items"] if item["type"] == 3]
    assert charts == ["traffic", "latency", "errors", "sign-ins", "rejected-tokens", "rate-limits", "trace"]
    assert all(
        item["content"]["timeContextFromParameter"] == "TimeRange"
        for item in content["items"]
        if item["type"] == 3
    )
