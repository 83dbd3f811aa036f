"""Reads the settings for logs, alerts and costs."""

from dataclasses import dataclass

from configuration import declared
from configuration.reader import Reader


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
    anomalies = declared.COST_ANOMALY_ALERT
    if (cost_anomalies := anomalies.read(reader)) and not emails:
        anomalies.reject(reader, "Requires alertEmails, which is empty.", setting.command)
    return Monitoring(
        retention_days=declared.LOG_RETENTION_DAYS.read(reader),
        daily_cap_gb=declared.LOG_DAILY_CAP_GB.read(reader),
        sampling_percent=declared.SAMPLING_PERCENT.read(reader),
        workbook=declared.WORKBOOK.read(reader),
        alerts=declared.ALERTS.read(reader),
        emails=emails,
        monthly_budget=declared.MONTHLY_BUDGET.read(reader),
        cost_anomalies=cost_anomalies,
    )
