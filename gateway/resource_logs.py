"""Sends the logs of Azure resources to the Log Analytics workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor

from gateway.backend_context import LogKind, LogSource

# https://learn.microsoft.com/azure/azure-monitor/reference/logs-index. Listed individually: a group such as
# `allLogs` would also include categories that Azure adds later, and GatewayLlmLogs may contain bodies.
_CATEGORIES = {
    LogKind.API_MANAGEMENT: ("GatewayLogs",),
    LogKind.COSMOS_DB: ("ControlPlaneRequests", "DataPlaneRequests"),
    LogKind.KEY_VAULT: ("AuditEvent",),
    LogKind.STORAGE_SERVICE: ("StorageDelete", "StorageRead", "StorageWrite"),
    LogKind.FUNCTION_APP: ("AppServiceAuthenticationLogs", "FunctionAppLogs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLogsArgs:
    """Arguments of `ResourceLogs`.

    Attributes:
        workspace_id: resource id of the workspace.
        sources: the resources.
    """

    workspace_id: pulumi.Input[str]
    sources: Sequence[LogSource]


class ResourceLogs(pulumi.ComponentResource):
    """A diagnostic setting for each resource, with a separate table for each category.

    Attributes:
        settings: the diagnostic settings by the name of their source.
    """

    settings: Mapping[str, pulumi.Resource]

    def __init__(self, name: str, args: ResourceLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:ResourceLogs", name, None, opts)
        self.settings = {
            source.name: monitor.DiagnosticSetting(
                f"{name}-{source.name}",
                monitor.DiagnosticSettingArgs(
                    resource_uri=source.resource_id,
                    workspace_id=args.workspace_id,
                    log_analytics_destination_type="Dedicated",
                    logs=[
                        monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True)
                        for category in _CATEGORIES[source.kind]
                    ],
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for source in args.sources
        }
        self.register_outputs({})
