"""The monthly budget of the stack, and the notifications about it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import consumption, costmanagement

_FORECAST, _ACTUAL = 100, 80
_YEAR = dt.timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetArgs:
    """Arguments of `Budget`.

    Attributes:
        resource_group_id: resource id of the resource group whose costs count.
        amount: the budget of a month, in the currency of the subscription.
        emails: receivers of e-mails, in addition to the owners of the resource group.
    """

    resource_group_id: pulumi.Input[str]
    amount: int
    emails: Sequence[str]


class Budget(pulumi.ComponentResource):
    """A monthly budget of the resource group. It sends notifications; it does not limit costs."""

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Budget", name, None, opts)

        def notification(kind: "consumption.ThresholdType", threshold: int) -> "consumption.NotificationArgs":
            return consumption.NotificationArgs(
                enabled=True,
                operator=consumption.OperatorType.GREATER_THAN_OR_EQUAL_TO,
                threshold=threshold,
                threshold_type=kind,
                contact_emails=list(args.emails),
                contact_roles=["Owner"],
            )

        consumption.Budget(
            f"{name}-monthly",
            consumption.BudgetArgs(
                scope=args.resource_group_id,
                amount=args.amount,
                category=consumption.CategoryType.COST,
                time_grain=consumption.TimeGrainType.MONTHLY,
                time_period=consumption.BudgetTimePeriodArgs(start_date=_this_month()),
                notifications={
                    "spent": notification(consumption.ThresholdType.ACTUAL, _ACTUAL),
                    "forecast": notification(consumption.ThresholdType.FORECASTED, _FORECAST),
                },
            ),
            # A budget begins with the month in which it is created; a later deployment does not move it.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["timePeriod"]),
        )
        self.register_outputs({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAnomalyAlertArgs:
    """Arguments of `CostAnomalyAlert`.

    Attributes:
        subscription_id: the subscription.
        emails: receivers of e-mails.
    """

    subscription_id: str
    emails: Sequence[str]


class CostAnomalyAlert(pulumi.ComponentResource):
    """A daily check of the subscription's costs.

    https://learn.microsoft.com/azure/cost-management-billing/understand/analyze-unexpected-charges
    """

    def __init__(
        self, name: str, args: CostAnomalyAlertArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mcp:gateway:CostAnomalyAlert", name, None, opts)
        scope = f"/subscriptions/{args.subscription_id}"
        now = dt.datetime.now(dt.UTC)
        costmanagement.ScheduledActionByScope(
            f"{name}-daily",
            costmanagement.ScheduledActionByScopeArgs(
                scope=scope,
                kind=costmanagement.ScheduledActionKind.INSIGHT_ALERT,
                display_name="Unusual costs",
                status=costmanagement.ScheduledActionStatus.ENABLED,
                view_id=f"{scope}/providers/Microsoft.CostManagement/views/ms:DailyAnomalyByResourceGroup",
                notification=costmanagement.NotificationPropertiesArgs(
                    subject="Unusual costs in the subscription of the MCP gateway", to=list(args.emails)
                ),
                schedule=costmanagement.SchedulePropertiesArgs(
                    frequency=costmanagement.ScheduleFrequency.DAILY,
                    start_date=_timestamp(now),
                    end_date=_timestamp(now + _YEAR),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["schedule"]),
        )
        self.register_outputs({})


def _timestamp(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT00:00:00Z")


def _this_month() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-01T00:00:00Z")
