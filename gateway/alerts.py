"""Alerts about the gateway, its store and its logs, and who receives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor

from gateway import kql

_ERROR, _WARNING = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAlert:
    """An alert about the rows that a query returns.

    Attributes:
        name: its name, which is also the name of its query below `kql/alerts`.
        title: what happened.
        threshold: the alert fires above this number.
        column: the column whose values are added up; None to count rows.
        window: the period that is evaluated.
        severity: the severity in Azure Monitor, from 0 (critical) to 4.
    """

    name: str
    title: str
    threshold: int
    column: str | None = None
    window: str = "PT5M"
    severity: int = _WARNING


LOG_ALERTS = (
    LogAlert(
        name="server-errors",
        title="Requests failed with 5xx",
        threshold=10,
        column="errors",
        severity=_ERROR,
    ),
    LogAlert(
        name="rejected-tokens", title="Many calls had an invalid token", threshold=300, column="rejected"
    ),
    LogAlert(
        name="server-down",
        title="An MCP server does not respond to requests",
        threshold=0,
        window="PT15M",
        severity=_ERROR,
    ),
    LogAlert(
        name="logs-stopped",
        title="The daily cap of the logs is reached; audit records are lost",
        threshold=0,
        window="PT1H",
        severity=_ERROR,
    ),
)
_THROTTLED_CALLS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsArgs:
    """Arguments of `Alerts`.

    Attributes:
        resource_group_name: resource group of the alerts.
        location: the region of the workspace.
        tags: tags of its resources.
        workspace_id: resource id of the workspace.
        cosmos_id: resource id of the Cosmos DB account.
        emails: the receivers of e-mails; if empty, alerts are only shown in the portal.
    """

    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    workspace_id: pulumi.Input[str]
    cosmos_id: pulumi.Input[str]
    emails: Sequence[str]


class Alerts(pulumi.ComponentResource):
    """An action group, alerts about logs, and an alert about throttled calls of Cosmos DB.

    Attributes:
        action_group_id: resource id of the action group; None without receivers.
    """

    action_group_id: pulumi.Output[str] | None

    def __init__(self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Alerts", name, None, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self.action_group_id = self._action_group() if args.emails else None
        for alert in LOG_ALERTS:
            self._log_alert(alert)
        self._throttled_alert()
        self.register_outputs({})

    def _action_group(self) -> pulumi.Output[str]:
        args = self._args
        return monitor.ActionGroup(
            f"{self._name}-receivers",
            # Azure limits the short name to 12 characters; it is the sender of messages.
            group_short_name="mcp-gateway",
            enabled=True,
            resource_group_name=args.resource_group_name,
            location="Global",
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(
                    name=f"receiver-{number}", email_address=email, use_common_alert_schema=True
                )
                for number, email in enumerate(args.emails, 1)
            ],
            tags=args.tags,
            opts=self._child,
        ).id

    def _log_alert(self, alert: LogAlert) -> None:
        args = self._args
        measured = monitor.TimeAggregation.TOTAL if alert.column else monitor.TimeAggregation.COUNT
        monitor.ScheduledQueryRule(
            f"{self._name}-{alert.name}",
            monitor.ScheduledQueryRuleArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                kind=monitor.Kind.LOG_ALERT,
                display_name=alert.title,
                description=f"{alert.title}. The query is kql/alerts/{alert.name}.kql.",
                severity=alert.severity,
                enabled=True,
                evaluation_frequency=alert.window,
                window_size=alert.window,
                scopes=[args.workspace_id],
                auto_mitigate=True,
                # The tables of a workspace that is created in the same deployment have no rows yet.
                skip_query_validation=True,
                criteria=monitor.ScheduledQueryRuleCriteriaArgs(
                    all_of=[
                        monitor.ConditionArgs(
                            query=kql.query(f"alerts/{alert.name}"),
                            time_aggregation=measured,
                            metric_measure_column=alert.column,
                            operator=monitor.ConditionOperator.GREATER_THAN,
                            threshold=alert.threshold,
                            failing_periods=monitor.ConditionFailingPeriodsArgs(
                                number_of_evaluation_periods=1, min_failing_periods_to_alert=1
                            ),
                        )
                    ]
                ),
                actions=monitor.ActionsArgs(action_groups=[self.action_group_id])
                if self.action_group_id
                else None,
                tags=args.tags,
            ),
            opts=self._child,
        )

    def _throttled_alert(self) -> None:
        """Declares the alert about requests that Cosmos DB answers with 429.

        https://learn.microsoft.com/azure/cosmos-db/create-alerts
        """
        args = self._args
        title = "Cosmos DB throttles requests"
        monitor.MetricAlert(
            f"{self._name}-cosmos-throttled",
            monitor.MetricAlertArgs(
                resource_group_name=args.resource_group_name,
                location="Global",
                description=f"{title}: sign-ins and refreshes become slow or fail.",
                severity=_WARNING,
                enabled=True,
                evaluation_frequency="PT5M",
                window_size="PT5M",
                scopes=[args.cosmos_id],
                auto_mitigate=True,
                criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
                    odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                    all_of=[
                        monitor.MetricCriteriaArgs(
                            criterion_type="StaticThresholdCriterion",
                            name="throttled",
                            metric_namespace="Microsoft.DocumentDB/databaseAccounts",
                            metric_name="TotalRequests",
                            time_aggregation=monitor.AggregationTypeEnum.COUNT,
                            operator=monitor.Operator.GREATER_THAN,
                            threshold=_THROTTLED_CALLS,
                            dimensions=[
                                monitor.MetricDimensionArgs(
                                    name="StatusCode", operator="Include", values=["429"]
                                )
                            ],
                        )
                    ],
                ),
                actions=[monitor.MetricAlertActionArgs(action_group_id=self.action_group_id)]
                if self.action_group_id
                else None,
                tags=args.tags,
            ),
            opts=self._child,
        )
