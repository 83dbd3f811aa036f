"""The project's own MCP server, on Azure Functions (Flex Consumption)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_azure_native import authorization, managedidentity, storage, web

from backends import authentication, routes
from backends.audience import Audience
from backends.deployable import DeployableBackend, Deployment
from backends.publishing import Publication, PublicationArgs
from configuration.names import PATHS
from gateway.account import Role
from gateway.backend_context import BackendContext, Deployed, LogKind, LogSource, identity_options
from settings import Settings

SOURCE = Path(__file__).resolve().parent.parent / "functions_app"
"""The code that is published."""

PYTHON_VERSION = "3.11"
"""The version of Python that runs the code.

The remote build of Flex Consumption installs packages with Python 3.11 whatever version the app has
(Azure/azure-dev#8538), so on another version compiled packages would not load and a package for that version
would not be found.
"""

_EXTENSION = "/runtime/webhooks/mcp"
_SESSION_PARAMETER = "azmcpcs"
_ORIGIN = "functions-url"

# The MCP extension keeps no session for streamable HTTP. It announces the message path relative to the path
# of the event stream, so the two paths must be related in the same way at the gateway.
ROUTES = (
    *routes.streamable_http(_EXTENSION),
    *routes.legacy(
        sse=f"{_EXTENSION}/sse",
        messages=f"{_EXTENSION}/message",
        below="/message",
        session_parameter=_SESSION_PARAMETER,
    ),
)
# The Java SDK, and Rust's rmcp up to 0.10, resolve the message path against the root of the host.
ROOT_MESSAGES = (
    routes.at_root(
        name="functions",
        messages="/message",
        origin=_ORIGIN,
        session_parameter=_SESSION_PARAMETER,
        upstream=f"{_EXTENSION}/message",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsArgs:
    """Arguments of `Functions`.

    Attributes:
        context: resource group, telemetry and the identity that it admits.
        audience: the audience of tokens that it accepts.
    """

    context: BackendContext
    audience: Audience


class Functions(pulumi.ComponentResource):
    """A Function App that accepts only requests of the gateway's identity.

    It uses one identity, and no keys, for all services that it calls: the host's own blobs and queues, the
    deployment package, the snippets and Application Insights. The snippets have a separate container but no
    separate identity, because the host needs the role of owner for the account's blobs and runs in the same
    process.

    Attributes:
        name: name of the Function App.
        url: its origin.
        authentication: built-in authentication, and publishing without passwords.
        log_sources: the app, and the services of its storage account.
    """

    name: pulumi.Output[str]
    url: pulumi.Output[str]
    authentication: tuple[pulumi.Resource, ...]
    log_sources: tuple[LogSource, ...]

    def __init__(self, name: str, args: FunctionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:backends:Functions", name, None, opts)
        context = args.context
        child = pulumi.ResourceOptions(parent=self)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            managedidentity.UserAssignedIdentityArgs(
                resource_group_name=context.resource_group_name,
                location=context.location,
                tags=context.tags,
            ),
            opts=identity_options(self),
        )
        account = self._storage_account(context)
        packages, snippets = (
            self._blob_container(name, context, account, container)
            for container in ("deployments", "snippets")
        )
        roles = self._roles(name, context, identity, account)
        # The app reaches its storage through the network, in every tier of API Management.
        network = context.network
        private: list[pulumi.Resource] = []
        if network:
            for group in ("blob", "queue"):
                private += network.endpoint(f"{name}-{group}", account.id, group, self).ready
        plan = web.AppServicePlan(
            f"{name}-plan",
            web.AppServicePlanArgs(
                resource_group_name=context.resource_group_name,
                location=context.location,
                kind="functionapp",
                reserved=True,
                sku=web.SkuDescriptionArgs(name="FC1", tier="FlexConsumption"),
                tags=context.tags,
            ),
            opts=child,
        )
        # Not read from the account's endpoints, because a preview of an update has only its name.
        blobs = pulumi.Output.concat("https://", account.name, ".blob.core.windows.net")
        package_container = pulumi.Output.concat(blobs, "/", packages.name)
        app = web.WebApp(
            f"{name}-app",
            resource_group_name=context.resource_group_name,
            location=context.location,
            kind="functionapp,linux",
            reserved=True,
            server_farm_id=plan.id,
            https_only=True,
            # Enabled even with a private endpoint, so that code can be published; see `_access_restrictions`.
            public_network_access="Enabled",
            virtual_network_subnet_id=network.functions_subnet() if network else None,
            identity=web.ManagedServiceIdentityArgs(
                type=web.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
            ),
            function_app_config=web.FunctionAppConfigArgs(
                runtime=web.FunctionsRuntimeArgs(name=web.RuntimeName.PYTHON, version=PYTHON_VERSION),
                scale_and_concurrency=web.FunctionsScaleAndConcurrencyArgs(
                    instance_memory_mb=context.scale.functions_memory,
                    maximum_instance_count=context.scale.functions_instances,
                    always_ready=_always_ready(context.scale.functions_always_ready),
                ),
                deployment=web.FunctionsDeploymentArgs(
                    storage=web.FunctionsDeploymentStorageArgs(
                        type=web.FunctionsDeploymentStorageType.BLOB_CONTAINER,
                        value=package_container,
                        authentication=web.FunctionsDeploymentStorageAuthenticationArgs(
                            type=web.AuthenticationType.USER_ASSIGNED_IDENTITY,
                            user_assigned_identity_resource_id=identity.id,
                        ),
                    )
                ),
            ),
            # A plain dictionary: `SiteConfigArgs` adds three defaults, and Flex Consumption rejects site
            # properties of other plans (error 51021).
            site_config={
                "min_tls_version": web.SupportedTlsVersions.SUPPORTED_TLS_VERSIONS_1_2,
                "scm_min_tls_version": web.SupportedTlsVersions.SUPPORTED_TLS_VERSIONS_1_2,
                **_access_restrictions(context),
                "app_settings": [
                    {"name": key, "value": value}
                    for key, value in _app_settings(context, identity, account, blobs, snippets).items()
                ],
            },
            tags=context.tags,
            # The host starts only with access to its storage. The resources that authentication needs exist
            # before the app, so that authentication is configured immediately after it.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*roles, *private, *authentication.requirements(context, args.audience)],
            ),
        )
        if network and network.settings.private_functions:
            network.endpoint(f"{name}-private", app.id, "sites", self)
        self.authentication = (
            *self._publishing_without_passwords(name, context, app),
            authentication.of_function_app(f"{name}-auth", app, context, args.audience, parent=self),
        )
        Publication(
            f"{name}-publication",
            PublicationArgs(
                app_id=app.id,
                app_name=app.name,
                runtime=f"python {PYTHON_VERSION}",
                package_container=package_container,
                source=SOURCE,
            ),
            # No code runs before the authentication exists.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self.authentication, *roles]),
        )
        self.log_sources = _log_sources(app, account)
        self.name = app.name
        # Built from the name, which is known in the preview of an update. Other host names exist only with
        # `auto_generated_domain_name_label_scope`.
        self.url = pulumi.Output.concat("https://", app.name, ".azurewebsites.net")
        self.register_outputs({"name": self.name})

    def _storage_account(self, context: BackendContext) -> "storage.StorageAccount":
        return storage.StorageAccount(
            # Pulumi adds eight random digits; the name may have at most 24 lower-case letters and digits.
            "mcpfunctions",
            storage.StorageAccountArgs(
                resource_group_name=context.resource_group_name,
                location=context.location,
                kind=storage.Kind.STORAGE_V2,
                sku=storage.SkuArgs(name=storage.SkuName.STANDARD_LRS),
                allow_blob_public_access=False,
                allow_shared_key_access=False,
                allow_cross_tenant_replication=False,
                default_to_o_auth_authentication=True,
                enable_https_traffic_only=True,
                is_local_user_enabled=False,
                minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
                public_network_access=storage.PublicNetworkAccess.DISABLED if context.network else None,
                tags=context.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _blob_container(
        self, name: str, context: BackendContext, account: "storage.StorageAccount", container: str
    ) -> "storage.BlobContainer":
        return storage.BlobContainer(
            f"{name}-{container}",
            storage.BlobContainerArgs(
                resource_group_name=context.resource_group_name,
                account_name=account.name,
                container_name=container,
                public_access=storage.PublicAccess.NONE,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _roles(
        self,
        name: str,
        context: BackendContext,
        identity: "managedidentity.UserAssignedIdentity",
        account: "storage.StorageAccount",
    ) -> "list[authorization.RoleAssignment]":
        """The roles of the app's identity at the services that the app calls."""
        return [
            authorization.RoleAssignment(
                f"{name}-{purpose}-access",
                authorization.RoleAssignmentArgs(
                    scope=scope,
                    role_definition_id=owner.role(role),
                    principal_id=identity.principal_id,
                    principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for purpose, scope, role, owner in (
                # The host creates containers and leases blobs in them.
                ("blobs", account.id, Role.STORAGE_BLOB_DATA_OWNER, context.account),
                # Messages for event streams are passed between instances through queues.
                ("queues", account.id, Role.STORAGE_QUEUE_DATA_CONTRIBUTOR, context.account),
                (
                    "telemetry",
                    context.application_insights_id,
                    Role.MONITORING_METRICS_PUBLISHER,
                    context.account.of(context.existing.application_insights),
                ),
            )
        ]

    def _publishing_without_passwords(
        self, name: str, context: BackendContext, app: "web.WebApp"
    ) -> tuple[pulumi.Resource, ...]:
        """Forbids publishing with user name and password."""
        options = pulumi.ResourceOptions(parent=self, deleted_with=app)
        return (
            web.WebAppFtpAllowed(
                f"{name}-ftp",
                web.WebAppFtpAllowedArgs(
                    resource_group_name=context.resource_group_name, name=app.name, allow=False
                ),
                opts=options,
            ),
            web.WebAppScmAllowed(
                f"{name}-scm",
                web.WebAppScmAllowedArgs(
                    resource_group_name=context.resource_group_name, name=app.name, allow=False
                ),
                opts=options,
            ),
        )


def _app_settings(
    context: BackendContext,
    identity: "managedidentity.UserAssignedIdentity",
    account: "storage.StorageAccount",
    blobs: pulumi.Output[str],
    snippets: "storage.BlobContainer",
) -> Mapping[str, pulumi.Input[str]]:
    return {
        "AzureWebJobsStorage__accountName": account.name,
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": identity.client_id,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": context.application_insights_connection,
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": pulumi.Output.concat(
            "Authorization=AAD;ClientId=", identity.client_id
        ),
        # Otherwise the worker's own azure-functions is imported instead of the app's.
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES": "1",
        "SNIPPETS_STORAGE__blobServiceUri": blobs,
        "SNIPPETS_STORAGE__clientId": identity.client_id,
        "SNIPPETS_CONTAINER": snippets.name,
    }


def _log_sources(app: "web.WebApp", account: "storage.StorageAccount") -> tuple[LogSource, ...]:
    return (
        LogSource(name="functions", kind=LogKind.FUNCTION_APP, resource_id=app.id),
        *(
            LogSource(
                name=f"functions-{label}",
                kind=LogKind.STORAGE_SERVICE,
                resource_id=pulumi.Output.concat(account.id, "/", service, "/default"),
            )
            for label, service in (("blobs", "blobServices"), ("queues", "queueServices"))
        ),
    )


def _always_ready(instances: int) -> "list[web.FunctionsAlwaysReadyConfigArgs] | None":
    """Instances that always run, for functions with HTTP triggers; the MCP extension counts as one."""
    return [web.FunctionsAlwaysReadyConfigArgs(name="http", instance_count=instances)] if instances else None


def _access_restrictions(context: BackendContext) -> Mapping[str, object]:
    """Site properties that restrict the networks from which the app accepts requests.

    With a private endpoint the app itself accepts requests only through it. Its deployment service also
    accepts others, from identities that may deploy; passwords are disabled.
    https://learn.microsoft.com/azure/app-service/overview-access-restrictions
    """
    if context.network is None or not context.network.settings.private_functions:
        return {}
    return {
        "ip_security_restrictions_default_action": web.DefaultAction.DENY,
        "scm_ip_security_restrictions_default_action": web.DefaultAction.ALLOW,
        "scm_ip_security_restrictions_use_main": False,
    }


READ_ONLY_TOOLS = ("hello_mcp", "get_snippet")
"""The tools that only read. The MCP extension of Azure Functions sends no annotations that say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsBackend(DeployableBackend):
    """The project's own MCP server."""

    def deploy(self, deployment: Deployment) -> Deployed:
        """Declares the Function App and publishes its code."""
        audience = deployment.audience(self)
        functions = Functions("functions", FunctionsArgs(context=deployment.context, audience=audience))
        return Deployed(
            backend=self,
            url=functions.url,
            named_values={self.audience: audience.client_id, _ORIGIN: functions.url},
            authentication=functions.authentication,
            log_sources=functions.log_sources,
            outputs={"functionAppName": functions.name},
        )


def describe(settings: Settings) -> FunctionsBackend:
    """Describes the server."""
    prefix = settings.path_prefix
    return FunctionsBackend(
        name="functions",
        title="Functions",
        description="Snippets of text that tools save, read and delete.",
        path=f"{prefix}/{PATHS['functions']}".lstrip("/"),
        routes=ROUTES,
        read_only_tools=READ_ONLY_TOOLS,
        # With a path prefix, the root of the host belongs to other applications.
        root_messages=() if prefix else ROOT_MESSAGES,
    )
