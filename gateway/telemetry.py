"""Declares the destination of logs: Log Analytics, and Application Insights, which stores its data there."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import applicationinsights, operationalinsights

from configuration.region import programmatic_name
from configuration.resource_id import ResourceId

_NO_CAP = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryArgs:
    """Arguments of `Telemetry`.

    Attributes:
        resource_group_name: resource group of its resources.
        location: the region.
        tags: tags of its resources.
        retention_days: how long logs are kept.
        daily_cap_gb: maximum gigabytes per day; 0 for no maximum.
        existing_workspace: a workspace to use; None to create one.
        existing_component: an Application Insights component to use; None to create one.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    retention_days: int
    daily_cap_gb: int
    existing_workspace: ResourceId | None = None
    existing_component: ResourceId | None = None


class Telemetry(pulumi.ComponentResource):
    """A Log Analytics workspace and an Application Insights component that stores its data in it.

    Local authentication is disabled in both, so a sender of telemetry needs an identity with the role
    Monitoring Metrics Publisher.

    Attributes:
        workspace_id: resource id of the workspace.
        workspace_location: region of the workspace.
        application_insights_id: resource id of the component.
        connection_string: the component's connection string.
    """

    workspace_id: pulumi.Output[str]
    workspace_location: pulumi.Output[str]
    application_insights_id: pulumi.Output[str]
    connection_string: pulumi.Output[str]

    def __init__(self, name: str, args: TelemetryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Telemetry", name, None, opts)
        workspace = self._workspace(f"{name}-logs", args)
        component = self._component(f"{name}-insights", args, workspace.id)
        self.workspace_id = workspace.id
        self.workspace_location = (
            workspace.location.apply(programmatic_name)
            if args.existing_workspace
            else pulumi.Output.from_input(args.location)
        )
        self.application_insights_id = component.id
        self.connection_string = component.connection_string
        self.register_outputs(
            {"workspaceId": self.workspace_id, "applicationInsightsId": self.application_insights_id}
        )

    def _workspace(self, name: str, args: TelemetryArgs) -> "operationalinsights.Workspace":
        child = pulumi.ResourceOptions(parent=self)
        if args.existing_workspace:
            return operationalinsights.Workspace.get(name, str(args.existing_workspace), opts=child)
        return operationalinsights.Workspace(
            name,
            operationalinsights.WorkspaceArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                sku=operationalinsights.WorkspaceSkuArgs(
                    name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018
                ),
                retention_in_days=args.retention_days,
                workspace_capping=operationalinsights.WorkspaceCappingArgs(
                    daily_quota_gb=args.daily_cap_gb or _NO_CAP
                ),
                features=operationalinsights.WorkspaceFeaturesArgs(
                    disable_local_auth=True, enable_log_access_using_only_resource_permissions=True
                ),
                tags=args.tags,
            ),
            opts=child,
        )

    def _component(
        self, name: str, args: TelemetryArgs, workspace_id: pulumi.Output[str]
    ) -> "applicationinsights.Component":
        child = pulumi.ResourceOptions(parent=self)
        if args.existing_component:
            return applicationinsights.Component.get(name, str(args.existing_component), opts=child)
        return applicationinsights.Component(
            name,
            applicationinsights.ComponentArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                kind="web",
                application_type=applicationinsights.ApplicationType.WEB,
                workspace_resource_id=workspace_id,
                ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
                disable_local_auth=True,
                tags=args.tags,
            ),
            opts=child,
        )
