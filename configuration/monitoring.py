"""Reads the settings for logs, alerts and costs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from configuration import declared
from configuration.reader import Reader

# The receivers that Cost Management's scheduled actions accept.
# https://learn.microsoft.com/rest/api/cost-management/scheduled-actions/create-or-update-by-scope#notificationproperties
_MAX_ANOMALY_RECEIVERS = 20
_ANOMALY_RECEIVER = re.compile(r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """The settings for logs, alerts and costs.

    Attributes:
        retention_days: days for which logs are kept.
        daily_cap_gb: maximum number of gigabytes of logs per day; 0 for no maximum.
        sampling_percent: percentage of requests whose telemetry is kept.
        workbook: whether there is a workbook.
        alerts: whether there are alerts.
        emails: the receivers of alerts.
        monthly_budget: the monthly budget of the stack; 0 for no budget.
        cost_anomalies: whether unusual daily costs of the subscription are reported.
    """

    retention_days: int
    daily_cap_gb: int
    sampling_percent: int
    workbook: bool
    alerts: bool
    emails: tuple[str, ...]
    monthly_budget: int
    cost_anomalies: bool


def read(reader: Reader) -> Monitoring:
    """Reads and checks the settings.

    Args:
        reader: collects the problems.
    """
    setting = declared.ALERT_EMAILS
    emails = setting.read(reader)
    for index, email in enumerate(emails):
        if wrong := declared.email_problem(email):
            setting.reject(reader, wrong, setting.command_without_entry(index))
    if len(emails) > 50:  # noqa: PLR2004 -- stated in `limits`
        setting.reject(
            reader,
            f"There are {len(emails)} addresses; at most 50 are allowed.",
            setting.command_without_entry(50),
        )
    monthly_budget = declared.MONTHLY_BUDGET.read(reader)
    if monthly_budget and not emails:
        declared.MONTHLY_BUDGET.reject(reader, "Requires alertEmails, which is empty.", setting.command)
    cost_anomalies = declared.COST_ANOMALY_ALERT.read(reader)
    if cost_anomalies:
        _check_anomaly_receivers(reader, emails)
    return Monitoring(
        retention_days=declared.LOG_RETENTION_DAYS.read(reader),
        daily_cap_gb=declared.LOG_DAILY_CAP_GB.read(reader),
        sampling_percent=declared.SAMPLING_PERCENT.read(reader),
        workbook=declared.WORKBOOK.read(reader),
        alerts=declared.ALERTS.read(reader),
        emails=emails,
        monthly_budget=monthly_budget,
        cost_anomalies=cost_anomalies,
    )


def _check_anomaly_receivers(reader: Reader, emails: Sequence[str]) -> None:
    """Reports receivers that Cost Management does not accept."""
    setting, anomalies = declared.ALERT_EMAILS, declared.COST_ANOMALY_ALERT
    if not emails:
        anomalies.reject(reader, "Requires alertEmails, which is empty.", setting.command)
    if len(emails) > _MAX_ANOMALY_RECEIVERS:
        anomalies.reject(
            reader,
            f"alertEmails has {len(emails)} addresses; at most {_MAX_ANOMALY_RECEIVERS} are allowed "
            "for this alert.",
            setting.command_without_entry(_MAX_ANOMALY_RECEIVERS),
        )
    for index, email in enumerate(emails):
        if declared.email_problem(email) is None and not _ANOMALY_RECEIVER.fullmatch(email):
            wrong = f"Cost Management sends no e-mails to '{email}' in alertEmails."
            anomalies.reject(reader, wrong, setting.command_without_entry(index))
