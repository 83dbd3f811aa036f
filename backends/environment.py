"""Container Apps environments, whose logs go to the stack's workspace."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import app, monitor, privatedns

from configuration.region import programmatic_name
from gateway.backend_context import BackendContext
from gateway.network import Network
from settings import Settings

PROFILE = "Consumption"
"""The workload profile: billed by use, up to four cores per replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentArgs:
    """Arguments of `Environment`.

    Attributes:
        context: resource group and telemetry.
    """

    context: BackendContext


class Environment(pulumi.ComponentResource):
    """A Container Apps environment.

    Its logs are sent by a diagnostic setting, because the alternative needs the workspace's key, which is
    disabled. https://learn.microsoft.com/azure/container-apps/log-options

    Attributes:
        id: resource id of the environment.
        name: its name.
        location: its region, in which its apps must be.
        resource_group_name: its resource group.
        ready: the resources that must exist before the gateway can resolve the names of its apps.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    location: pulumi.Output[str]
    resource_group_name: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:backends:Environment", name, None, opts)
        context = args.context
        child = pulumi.ResourceOptions(parent=self)
        existing = context.existing.environment
        if existing:
            environment = app.ManagedEnvironment.get(f"{name}-environment", str(existing), opts=child)
            self._finish(environment, environment.location.apply(programmatic_name), existing.group, ())
            return
        environment = app.ManagedEnvironment(
            f"{name}-environment",
            app.ManagedEnvironmentArgs(
                resource_group_name=context.resource_group_name,
                location=context.location,
                app_logs_configuration=app.AppLogsConfigurationArgs(destination="azure-monitor"),
                workload_profiles=[app.WorkloadProfileArgs(name=PROFILE, workload_profile_type=PROFILE)],
                zone_redundant=False,
                vnet_configuration=self._vnet_configuration(name, context.network),
                public_network_access="Disabled" if self._is_internal(context) else None,
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
        self._finish(
            environment,
            context.location,
            context.resource_group_name,
            self._records(name, environment, context),
        )

    def _finish(
        self,
        environment: "app.ManagedEnvironment",
        location: pulumi.Input[str],
        resource_group_name: pulumi.Input[str],
        ready: tuple[pulumi.Resource, ...],
    ) -> None:
        self.id = environment.id
        self.name = environment.name
        self.location = pulumi.Output.from_input(location)
        self.resource_group_name = pulumi.Output.from_input(resource_group_name)
        self.ready = ready
        self.register_outputs({"id": self.id})

    def _is_internal(self, context: BackendContext) -> bool:
        """Whether it can be reached only from the virtual network, to which the gateway is connected."""
        return context.network is not None and context.network.settings.reached_by_gateway

    def _vnet_configuration(self, name: str, network: Network | None) -> "app.VnetConfigurationArgs | None":
        if network is None:
            return None
        return app.VnetConfigurationArgs(
            infrastructure_subnet_id=network.environment_subnet(name),
            internal=network.settings.reached_by_gateway,
        )

    def _records(
        self, name: str, environment: "app.ManagedEnvironment", context: BackendContext
    ) -> tuple[pulumi.Resource, ...]:
        """DNS records of an internal environment for the virtual network: all names have the same address.

        https://learn.microsoft.com/azure/container-apps/networking#dns
        """
        if context.network is None or not self._is_internal(context):
            return ()
        zone = context.network.zone(f"{name}-domain", environment.default_domain, self)
        records = privatedns.PrivateRecordSet(
            f"{name}-domain-records",
            privatedns.PrivateRecordSetArgs(
                resource_group_name=context.resource_group_name,
                private_zone_name=zone.name,
                relative_record_set_name="*",
                record_type="A",
                ttl=300,
                a_records=[privatedns.ARecordArgs(ipv4_address=environment.static_ip)],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return (zone.link, records)


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
    """The name of the environment for a backend's containers.

    By default all containers share an environment: they admit callers by identity, not by network, and
    further environments cost more and only isolate servers from each other. The setting
    `isolateEnvironments` selects that isolation.
    """
    return backend if settings.isolate_environments else "containers"
