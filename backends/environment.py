"""Container Apps environments, whose logs go to the stack's workspace."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import app, monitor

from gateway.backend_context import BackendContext
from settings import Settings

PROFILE = "Consumption"
"""The workload profile: pay for what runs, up to four cores a replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentArgs:
    """Arguments of `Environment`.

    Attributes:
        context: resource group and telemetry.
    """

    context: BackendContext


class Environment(pulumi.ComponentResource):
    """A Container Apps environment.

    Its logs travel by a diagnostic setting, because the other way would need the workspace's key, and the
    workspace takes none. https://learn.microsoft.com/azure/container-apps/log-options

    Attributes:
        id: resource id of the environment.
        name: its name.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:backends:Environment", name, None, opts)
        context = args.context
        child = pulumi.ResourceOptions(parent=self)
        environment = app.ManagedEnvironment(
            f"{name}-environment",
            app.ManagedEnvironmentArgs(
                resource_group_name=context.resource_group_name,
                location=context.location,
                app_logs_configuration=app.AppLogsConfigurationArgs(destination="azure-monitor"),
                workload_profiles=[app.WorkloadProfileArgs(name=PROFILE, workload_profile_type=PROFILE)],
                zone_redundant=False,
                tags=context.tags,
            ),
            opts=child,
        )
        monitor.DiagnosticSetting(
            f"{name}-logs",
            monitor.DiagnosticSettingArgs(
                resource_uri=environment.id,
                name="logs",
                workspace_id=context.workspace_id,
                logs=[
                    monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True)
                    for category in ("ContainerAppConsoleLogs", "ContainerAppSystemLogs")
                ],
            ),
            opts=child,
        )
        self.id = environment.id
        self.name = environment.name
        self.register_outputs({"id": self.id})


class Environments:
    """The environments of a stack, each declared when the first container needs it."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._declared: dict[str, Environment] = {}

    def get(self, name: str) -> Environment:
        """The environment of this name."""
        if name not in self._declared:
            self._declared[name] = Environment(name, EnvironmentArgs(context=self._context))
        return self._declared[name]


def environment_name(settings: Settings, backend: str) -> str:
    """The environment that a backend's containers run in.

    One serves all: containers are locked by identity, not by network, and a second environment costs more and
    adds only a boundary between servers. `isolateEnvironments` asks for that boundary.
    """
    return backend if settings.isolate_environments else "containers"
