"""Where logs go: Log Analytics, and Application Insights on top of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import applicationinsights, operationalinsights


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryArgs:
    """Arguments of `Telemetry`.

    Attributes:
        resource_group_name: where it goes.
        location: the region.
        tags: tags of its resources.
        retention_days: how long logs are kept.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    retention_days: int = 30


class Telemetry(pulumi.ComponentResource):
    """A Log Analytics workspace and an Application Insights component that stores in it.

    Neither takes data with a key: a sender of telemetry has an identity with the role Monitoring Metrics
    Publisher.

    Attributes:
        workspace_id: resource id of the workspace.
        application_insights_id: resource id of the component.
        connection: the component's connection string.
    """

    workspace_id: pulumi.Output[str]
    application_insights_id: pulumi.Output[str]
    connection: pulumi.Output[str]

    def __init__(self, name: str, args: TelemetryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Telemetry", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        workspace = operationalinsights.Workspace(
            f"{name}-logs",
            operationalinsights.WorkspaceArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                sku=operationalinsights.WorkspaceSkuArgs(
                    name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018
                ),
                retention_in_days=args.retention_days,
                features=operationalinsights.WorkspaceFeaturesArgs(
                    disable_local_auth=True, enable_log_access_using_only_resource_permissions=True
                ),
                tags=args.tags,
            ),
            opts=child,
        )
        component = applicationinsights.Component(
            f"{name}-insights",
            applicationinsights.ComponentArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                kind="web",
                application_type=applicationinsights.ApplicationType.WEB,
                workspace_resource_id=workspace.id,
                ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
                disable_local_auth=True,
                tags=args.tags,
            ),
            opts=child,
        )
        self.workspace_id = workspace.id
        self.application_insights_id = component.id
        self.connection = component.connection_string
        self.register_outputs(
            {"workspaceId": self.workspace_id, "applicationInsightsId": self.application_insights_id}
        )
