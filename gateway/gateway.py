"""Declares the gateway: API Management, the resources that it needs, and the APIs that it publishes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, resources

from configuration.existing import Existing
from gateway.account import Account, Role
from gateway.api_center import ApiCenterEntries, ApiCenterEntriesArgs, environment_name
from gateway.api_management import ApiManagementRef, PolicyRequirements
from gateway.azure_monitor import AzureMonitor, AzureMonitorArgs
from gateway.backend import Hosted
from gateway.backend_context import BackendContext, Caller, Deployed, LogKind, LogSource
from gateway.entra import Application, ApplicationArgs
from gateway.fragments import Fragments, FragmentsArgs
from gateway.keys import KeyRing, KeyRingArgs
from gateway.monitoring import Monitoring, MonitoringArgs
from gateway.named_values import NamedValues, NamedValuesArgs, Reference
from gateway.network import Network, NetworkArgs
from gateway.plan import Plan
from gateway.policy import issuer_path
from gateway.product import ProductWithKey, ProductWithKeyArgs
from gateway.published_api import PublishedApi, PublishedApiArgs
from gateway.registry_api import NAMESPACE, namespace
from gateway.resource_logs import ResourceLogs, ResourceLogsArgs
from gateway.service import Service, ServiceArgs
from gateway.store import Store, StoreArgs
from gateway.telemetry import Telemetry, TelemetryArgs
from gateway.vault import Vault, VaultArgs
from settings import ApiCenter, Settings

_API_MANAGEMENT_LOGS = "apim"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayArgs:
    """Arguments of `Gateway`.

    Attributes:
        settings: the stack's settings.
        plan: the plan of the gateway.
    """

    settings: Settings
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """Values that most parts of the gateway need.

    Attributes:
        name: name of the gateway, with which the names of its resources begin.
        settings: the stack's settings.
        account: the subscription and tenant of the deployment.
        tags: tags of all resources.
        resource_group_name: resource group of the stack.
    """

    name: str
    settings: Settings
    account: Account
    tags: Mapping[str, str]
    resource_group_name: pulumi.Output[str]

    @property
    def entra_issuer(self) -> str:
        """The issuer of Entra's tokens in the tenant of the deployment."""
        return f"{self.settings.entra_authority}/{self.account.tenant_id}/v2.0"


class Gateway(pulumi.ComponentResource):
    """API Management with identity, Entra application, store, keys and logs.

    Attributes:
        url: origin of the gateway, without a trailing slash.
        issuer: URL of its authorization server: the origin, and the stack's path prefix.
        cname: target of the CNAME record of the gateway's custom host name; None without one.
        resource_group_name: resource group of the stack.
        service_name: name of the API Management service.
        client_id: client id of the application with which the gateway signs users in.
        registration: the required settings of an existing application; empty when the stack registers one.
        token_url: Entra's token endpoint, for agents.
        keys: subscription keys, secret, by the name of their MCP server; set by `publish`.
        backend_context: what the deployment of a backend needs from the gateway.
    """

    url: pulumi.Output[str]
    issuer: pulumi.Output[str]
    cname: pulumi.Output[str] | None
    resource_group_name: pulumi.Output[str]
    service_name: pulumi.Output[str]
    client_id: pulumi.Output[str]
    registration: Mapping[str, pulumi.Input[object]]
    token_url: str
    keys: Mapping[str, pulumi.Output[str]]
    backend_context: BackendContext

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Gateway", name, None, opts)
        settings = args.settings
        client = authorization.get_client_config(opts=pulumi.InvokeOptions(parent=self))
        account = Account(subscription_id=client.subscription_id, tenant_id=client.tenant_id)
        if not settings.local:
            _require_own_subscription(settings.existing, account)
        tags = {**settings.tags, "project": pulumi.get_project(), "stack": pulumi.get_stack()}
        group = self._declare_resource_group(name, settings, account, tags)
        common = _Common(
            name=name, settings=settings, account=account, tags=tags, resource_group_name=group.name
        )
        network = self._declare_network(common)
        telemetry = self._declare_telemetry(common)
        service = self._declare_service(common, args.plan, network, telemetry)
        application = self._declare_application(common, args.plan, service)
        store = self._declare_store(common, service, network)
        keys = KeyRing(
            f"{name}-keys",
            KeyRingArgs(version=settings.key_version, protect=settings.protect),
            opts=pulumi.ResourceOptions(parent=self),
        )
        vault = self._declare_vault(common, network)

        self._name = name
        self._protects = settings.protect
        self._subscription_key_version = settings.subscription_key_version
        self._sampling_percent = settings.monitoring.sampling_percent
        self._service = ApiManagementRef(
            resource_group_name=pulumi.Output.from_input(service.resource_group_name),
            service_name=service.name,
            resource=service.resource,
            logger_id=service.logger_id,
            adopted=settings.existing.api_management is not None,
        )
        self._service_id = service.resource.id
        self._values = _named_values(common, service, application, store)
        self._references = self._store_keys(f"{name}-keys", keys, vault, service, settings)
        self._log_sources = _log_sources(settings.existing, service, store, vault)
        self.keys = {}
        self.url = service.url
        self.issuer = service.issuer
        self.cname = service.cname if settings.address else None
        self.resource_group_name = group.name
        self.service_name = service.name
        self.client_id = application.client_id
        self.registration = application.registration
        self.token_url = f"{settings.entra_authority}/{account.tenant_id}/oauth2/v2.0/token"
        self.backend_context = _backend_context(common, service, telemetry, network, vault)
        self._declare_monitoring(common, group.id, telemetry, store)
        self.register_outputs({"url": self.url})

    def _declare_resource_group(
        self, name: str, settings: Settings, account: Account, tags: Mapping[str, str]
    ) -> "resources.ResourceGroup":
        """The resource group: an existing group, or a group that the stack creates."""
        if settings.existing.resource_group:
            identifier = (
                f"/subscriptions/{account.subscription_id}/resourceGroups/{settings.existing.resource_group}"
            )
            return resources.ResourceGroup.get(
                f"{name}-group", identifier, opts=pulumi.ResourceOptions(parent=self)
            )
        return resources.ResourceGroup(
            f"{name}-group",
            resources.ResourceGroupArgs(location=settings.location, tags=tags),
            # Replacing a group deletes everything in it.
            opts=pulumi.ResourceOptions(parent=self, protect=settings.protect),
        )

    def _declare_network(self, common: _Common) -> Network | None:
        """The virtual network, if the stack has one."""
        settings = common.settings
        if settings.network is None:
            return None
        return Network(
            f"{common.name}-network",
            NetworkArgs(
                resource_group_name=common.resource_group_name,
                location=settings.location,
                tags=common.tags,
                settings=settings.network,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _declare_telemetry(self, common: _Common) -> Telemetry:
        settings = common.settings
        return Telemetry(
            f"{common.name}-telemetry",
            TelemetryArgs(
                resource_group_name=common.resource_group_name,
                location=settings.location,
                tags=common.tags,
                existing_workspace=settings.existing.workspace,
                existing_component=settings.existing.application_insights,
                retention_days=settings.monitoring.retention_days,
                daily_cap_gb=settings.monitoring.daily_cap_gb,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _declare_service(
        self, common: _Common, plan: Plan, network: Network | None, telemetry: Telemetry
    ) -> Service:
        settings, account = common.settings, common.account
        existing = settings.existing
        certificate = settings.address.certificate if settings.address else None
        return Service(
            f"{common.name}-service",
            ServiceArgs(
                resource_group_name=common.resource_group_name,
                location=settings.location,
                tags=common.tags,
                publisher_email=settings.publisher_email,
                publisher_name=settings.publisher_name,
                sku=settings.sku,
                capacity=settings.capacity,
                application_insights_id=telemetry.application_insights_id,
                application_insights_connection=telemetry.connection_string,
                logged_body_bytes=plan.logged_body_bytes,
                sampling_percent=settings.monitoring.sampling_percent,
                session_parameters=plan.session_parameters,
                protect=settings.protect,
                local_url=settings.local_url,
                subnet_id=network.gateway_subnet if network else None,
                existing=(existing.api_management, existing.identity)
                if existing.api_management and existing.identity
                else None,
                address=settings.address,
                issuer_path=issuer_path(settings.path_prefix),
                scale=settings.scale,
                secrets_role=account.of(certificate).role(Role.KEY_VAULT_SECRETS_USER),
                telemetry_role=account.of(existing.application_insights).role(
                    Role.MONITORING_METRICS_PUBLISHER
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _declare_application(self, common: _Common, plan: Plan, service: Service) -> Application:
        settings = common.settings
        return Application(
            f"{common.name}-application",
            ApplicationArgs(
                display_name=f"MCP gateway of {settings.publisher_name} ({pulumi.get_stack()})",
                gateway_issuer=service.issuer,
                issuer=common.entra_issuer,
                identity_principal_id=service.identity.principal_id,
                assignment_required=settings.assignment_required,
                existing=settings.existing.application,
                roles=plan.roles,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _declare_store(self, common: _Common, service: Service, network: Network | None) -> Store:
        settings = common.settings
        return Store(
            f"{common.name}-store",
            StoreArgs(
                resource_group_name=common.resource_group_name,
                location=settings.location,
                tags=common.tags,
                principal_id=service.identity.principal_id,
                protect=settings.protect,
                regions=settings.scale.regions,
                throughput=settings.scale.store_throughput,
                network=network if network and network.settings.reached_by_gateway else None,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _declare_vault(self, common: _Common, network: Network | None) -> Vault:
        settings = common.settings
        existing = settings.existing
        return Vault(
            f"{common.name}-vault",
            VaultArgs(
                resource_group_name=common.resource_group_name,
                location=settings.location,
                tags=common.tags,
                account=common.account,
                protect=settings.protect,
                network=network if not _reached_from_outside(existing) else None,
                existing=existing.key_vault,
                must_be_open=existing.api_management is not None,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _declare_monitoring(
        self, common: _Common, group_id: pulumi.Output[str], telemetry: Telemetry, store: Store
    ) -> None:
        settings = common.settings
        Monitoring(
            f"{common.name}-monitoring",
            MonitoringArgs(
                settings=settings.monitoring,
                resource_group_name=common.resource_group_name,
                resource_group_id=group_id,
                subscription_id=common.account.subscription_id,
                location=settings.location,
                tags=common.tags,
                workspace_id=telemetry.workspace_id,
                workspace_location=telemetry.workspace_location,
                cosmos_id=store.account_id,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _store_keys(
        self, name: str, keys: KeyRing, vault: Vault, service: Service, settings: Settings
    ) -> Mapping[str, Reference]:
        """Stores the keys in the vault and allows API Management to read each of them.

        A vault with a firewall admits API Management with its system-assigned identity only. An existing
        vault may have a firewall.
        https://learn.microsoft.com/azure/api-management/api-management-howto-properties
        """
        existing = settings.existing
        passes_firewall = not existing.api_management and bool(settings.network or existing.key_vault)
        references = {}
        for key, value in keys.values.items():
            secret = vault.secret(f"{name}-{key}-secret", value, keys)
            access = vault.allow_reading(
                f"{name}-{key}-access",
                secret,
                service.own_principal_id if passes_firewall else service.identity.principal_id,
                keys,
            )
            references[key] = Reference(
                secret=secret,
                client_id=None if passes_firewall else service.identity.client_id,
                ready=(access,),
            )
        return references

    def list_in_api_center(self, plan: Plan, center: ApiCenter, hosted: Sequence[Hosted]) -> None:
        """Declares the entries of the stack's MCP servers in an API Center.

        Args:
            plan: the plan of the gateway.
            center: the API Center.
            hosted: MCP servers of other organisations.
        """
        ApiCenterEntries(
            f"{self._name}-catalogue",
            ApiCenterEntriesArgs(
                center=center,
                environment=environment_name(pulumi.get_project(), pulumi.get_stack()),
                gateway_url=self.url,
                backends=plan.backends,
                hosted=hosted,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def publish(self, plan: Plan, deployed: Sequence[Deployed]) -> None:
        """Declares the named values, fragments, policies and APIs of the plan.

        Args:
            plan: the plan that the gateway was declared with.
            deployed: the MCP servers behind it.
        """
        name, service, child = self._name, self._service, pulumi.ResourceOptions(parent=self)
        servers = {server.backend.name: server for server in deployed}
        values = {
            **self._values,
            **{key: value for server in deployed for key, value in server.named_values.items()},
        }
        logs = ResourceLogs(
            f"{name}-logs",
            ResourceLogsArgs(
                workspace_id=self.backend_context.workspace_id,
                sources=(
                    *self._log_sources,
                    *(source for server in deployed for source in server.log_sources),
                ),
            ),
            opts=child,
        )
        if not service.adopted:
            AzureMonitor(
                f"{name}-azure-monitor",
                AzureMonitorArgs(
                    service=service,
                    service_id=self._service_id,
                    tags=self.backend_context.tags,
                    logged_body_bytes=plan.logged_body_bytes,
                    sampling_percent=self._sampling_percent,
                    session_parameters=plan.session_parameters,
                    after=logs.settings[_API_MANAGEMENT_LOGS],
                ),
                opts=child,
            )
        named_values = NamedValues(
            f"{name}-values",
            NamedValuesArgs(
                service=service, planned=plan.named_values, values=values, references=self._references
            ),
            opts=child,
        )
        fragments = Fragments(
            f"{name}-fragments",
            FragmentsArgs(
                service=service,
                planned=plan.fragments,
                requirements=PolicyRequirements(named_values=named_values.declared, fragments={}),
            ),
            opts=child,
        )
        requirements = PolicyRequirements(named_values=named_values.declared, fragments=fragments.declared)
        published = {
            api.id: PublishedApi(
                api.name,
                PublishedApiArgs(
                    service=service,
                    requirements=requirements,
                    api=api,
                    server=servers[api.backend] if api.backend else None,
                    logged_body_bytes=plan.logged_body_bytes,
                    sampling_percent=self._sampling_percent,
                    session_parameters=plan.session_parameters,
                ),
                opts=child,
            )
            for api in plan.apis
        }
        self.keys = {
            product.backend: ProductWithKey(
                product.id,
                ProductWithKeyArgs(
                    service=service,
                    product=product,
                    after=[published[product.api].last],
                    key_version=self._subscription_key_version,
                    protect=self._protects,
                ),
                opts=child,
            ).key
            for product in plan.products
        }


def _named_values(
    common: _Common, service: Service, application: Application, store: Store
) -> dict[str, pulumi.Input[str]]:
    """The values of the gateway's own named values, by name."""
    return {
        "gateway-url": service.url,
        "entra-authority": common.settings.entra_authority,
        "entra-tenant": common.account.tenant_id,
        "entra-client": application.client_id,
        "gateway-identity": service.identity.client_id,
        "cosmos-url": store.url,
        NAMESPACE: service.url.apply(namespace),
    }


def _log_sources(existing: Existing, service: Service, store: Store, vault: Vault) -> Sequence[LogSource]:
    """The resources whose logs the stack collects; the owner of an existing one configures its logs."""
    sources = [LogSource(name="cosmos", kind=LogKind.COSMOS_DB, resource_id=store.account_id)]
    if not existing.api_management:
        sources.append(
            LogSource(name=_API_MANAGEMENT_LOGS, kind=LogKind.API_MANAGEMENT, resource_id=service.resource.id)
        )
    if not existing.key_vault:
        sources.append(LogSource(name="vault", kind=LogKind.KEY_VAULT, resource_id=vault.id))
    return sources


def _backend_context(
    common: _Common, service: Service, telemetry: Telemetry, network: Network | None, vault: Vault
) -> BackendContext:
    settings = common.settings
    return BackendContext(
        resource_group_name=common.resource_group_name,
        location=settings.location,
        tags=common.tags,
        account=common.account,
        workspace_id=telemetry.workspace_id,
        application_insights_id=telemetry.application_insights_id,
        application_insights_connection=telemetry.connection_string,
        local=settings.local,
        network=network,
        vault=vault,
        existing=settings.existing,
        scale=settings.scale,
        caller=Caller(
            client_id=service.identity.client_id,
            principal_id=service.identity.principal_id,
            issuer=common.entra_issuer,
            resource=service.identity,
        ),
    )


def _reached_from_outside(existing: Existing) -> bool:
    """Whether existing resources, which may be outside the network, must reach the vault."""
    return any((existing.key_vault, existing.api_management, existing.environment))


def _require_own_subscription(existing: Existing, account: Account) -> None:
    """Checks that existing resources in which the stack creates others are in its own subscription.

    Raises:
        pulumi.RunError: a resource is in another subscription than the deployment.
    """
    for resource in (existing.api_management, existing.environment, existing.key_vault):
        if resource and resource.subscription != account.subscription_id:
            raise pulumi.RunError(
                f"{resource} is not in the subscription of the deployment, {account.subscription_id}. "
                "The stack creates resources in it, so both must be in one subscription.\n"
                f"  > pulumi config set azure-native:subscriptionId {resource.subscription}"
            )
