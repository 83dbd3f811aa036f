"""Declares the monitoring for operators: workbook, alerts, budget."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from gateway.alerts import Alerts, AlertsArgs
from gateway.budget import Budget, BudgetArgs, CostAnomalyAlert, CostAnomalyAlertArgs
from gateway.workbook import Workbook, WorkbookArgs
from settings import Monitoring as MonitoringSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringArgs:
    """Arguments of `Monitoring`.

    Attributes:
        settings: the settings of monitoring, which select its resources.
        resource_group_name: resource group of the resources.
        resource_group_id: resource id of the resource group whose costs the budget limits.
        subscription_id: the subscription whose cost anomalies are reported.
        location: the region.
        tags: tags of its resources.
        workspace_id: resource id of the workspace with the logs.
        workspace_location: region of that workspace.
        cosmos_id: resource id of the Cosmos DB account.
    """

    settings: MonitoringSettings
    resource_group_name: pulumi.Input[str]
    resource_group_id: pulumi.Input[str]
    subscription_id: str
    location: str
    tags: Mapping[str, str]
    workspace_id: pulumi.Input[str]
    workspace_location: pulumi.Input[str]
    cosmos_id: pulumi.Input[str]


class Monitoring(pulumi.ComponentResource):
    """The workbook, the alerts and the budget that the settings select."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = args.settings
        if settings.workbook:
            Workbook(
                f"{name}-workbook",
                WorkbookArgs(
                    resource_group_name=args.resource_group_name,
                    location=args.location,
                    tags=args.tags,
                    workspace_id=args.workspace_id,
                ),
                opts=child,
            )
        if settings.alerts:
            Alerts(
                f"{name}-alerts",
                AlertsArgs(
                    resource_group_name=args.resource_group_name,
                    location=args.workspace_location,
                    tags=args.tags,
                    workspace_id=args.workspace_id,
                    cosmos_id=args.cosmos_id,
                    emails=settings.emails,
                ),
                opts=child,
            )
        if settings.monthly_budget:
            Budget(
                f"{name}-budget",
                BudgetArgs(
                    resource_group_id=args.resource_group_id,
                    amount=settings.monthly_budget,
                    emails=settings.emails,
                ),
                opts=child,
            )
        if settings.cost_anomalies:
            CostAnomalyAlert(
                f"{name}-costs",
                CostAnomalyAlertArgs(subscription_id=args.subscription_id, emails=settings.emails),
                opts=child,
            )
        self.register_outputs({})
