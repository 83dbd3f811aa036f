"""API Management itself: its name, its identity, the service, and what it logs."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_random as random
from pulumi_azure_native import apimanagement, authorization, managedidentity

from gateway.backend_context import Account, Role, steady_identity

_CLASSIC_TIERS = ("Developer", "Basic", "Standard", "Premium")

# Off: protocols and ciphers that no current client needs. The v2 tiers do not take these properties.
# https://learn.microsoft.com/azure/api-management/api-management-howto-manage-protocols-ciphers
_GATEWAY_SECURITY = "Microsoft.WindowsAzure.ApiManagement.Gateway.Security"
_HARDENING = {
    f"{_GATEWAY_SECURITY}.Protocols.Tls10": "False",
    f"{_GATEWAY_SECURITY}.Protocols.Tls11": "False",
    f"{_GATEWAY_SECURITY}.Protocols.Ssl30": "False",
    f"{_GATEWAY_SECURITY}.Backend.Protocols.Tls10": "False",
    f"{_GATEWAY_SECURITY}.Backend.Protocols.Tls11": "False",
    f"{_GATEWAY_SECURITY}.Backend.Protocols.Ssl30": "False",
    f"{_GATEWAY_SECURITY}.Ciphers.TripleDes168": "False",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceArgs:
    """Arguments of `Service`.

    Attributes:
        resource_group_name: where it goes.
        location: the region.
        tags: tags of its resources.
        account: subscription and tenant.
        publisher_email: where API Management sends service notices.
        publisher_name: the organisation that runs the gateway.
        sku: tier.
        capacity: units.
        application_insights_id: resource id of the component that it logs to.
        application_insights_connection: connection string of that component.
        logged_body_bytes: how much of a message's body is logged.
        protect: whether Pulumi refuses to delete or replace the service.
        local_url: origin of the twin's gateway; empty on Azure.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    account: Account
    publisher_email: str
    publisher_name: str
    sku: str
    capacity: int
    application_insights_id: pulumi.Input[str]
    application_insights_connection: pulumi.Input[str]
    logged_body_bytes: int
    protect: bool
    local_url: str


class Service(pulumi.ComponentResource):
    """An API Management service with an identity of its own and request logs without contents.

    The service takes minutes to create, up to 45 in classic tiers. Its name, its URL and its identity exist
    before it, so that only what is created in it has to wait: Entra applications, the servers behind the
    gateway and their locks do not.

    Attributes:
        url: origin of the gateway, without a trailing slash.
        identity: the user-assigned identity with which the gateway calls others.
        resource: the service; resources in it depend on it and are deleted with it.
        name: its name, for the resources in it.
    """

    url: pulumi.Output[str]
    identity: managedidentity.UserAssignedIdentity
    resource: apimanagement.ApiManagementService
    name: pulumi.Output[str]

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Service", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            managedidentity.UserAssignedIdentityArgs(
                resource_group_name=args.resource_group_name, location=args.location, tags=args.tags
            ),
            opts=steady_identity(self),
        )
        # Names are global, and a deleted service keeps its name for 48 hours (soft delete).
        suffix = random.RandomString(
            f"{name}-suffix",
            random.RandomStringArgs(
                length=8, upper=False, special=False, keepers={"location": args.location}
            ),
            opts=child,
        )
        service_name = pulumi.Output.concat("apim-", suffix.result)
        service = apimanagement.ApiManagementService(
            f"{name}-apim",
            apimanagement.ApiManagementServiceArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                service_name=service_name,
                publisher_email=args.publisher_email,
                publisher_name=args.publisher_name,
                sku=apimanagement.ApiManagementServiceSkuPropertiesArgs(
                    name=args.sku, capacity=args.capacity
                ),
                # Our policies use the user-assigned identity only. The other one has no role; it is for what
                # an operator adds: certificates and named values from a Key Vault, policies of their own.
                identity=apimanagement.ApiManagementServiceIdentityArgs(
                    type=apimanagement.ApimIdentityType.SYSTEM_ASSIGNED_USER_ASSIGNED,
                    user_assigned_identities=identity.id.apply(
                        lambda identity_id: {identity_id: apimanagement.UserIdentityPropertiesArgs()}
                    ),
                ),
                # An MCP server is used without a portal.
                developer_portal_status=apimanagement.DeveloperPortalStatus.DISABLED,
                legacy_portal_status=apimanagement.LegacyPortalStatus.DISABLED,
                custom_properties=_HARDENING if args.sku in _CLASSIC_TIERS else None,
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        name_of_created = service.name
        if args.local_url:
            name_of_created = pulumi.Output.all(service.name, service.gateway_url).apply(
                lambda values: _require_local(*values, local_url=args.local_url)
            )
        publisher = authorization.RoleAssignment(
            f"{name}-telemetry-access",
            authorization.RoleAssignmentArgs(
                scope=args.application_insights_id,
                role_definition_id=args.account.role(Role.MONITORING_METRICS_PUBLISHER),
                principal_id=identity.principal_id,
                principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
            ),
            opts=child,
        )
        logger = apimanagement.Logger(
            f"{name}-logger",
            apimanagement.LoggerArgs(
                resource_group_name=args.resource_group_name,
                service_name=name_of_created,
                logger_id="application-insights",
                logger_type=apimanagement.LoggerType.APPLICATION_INSIGHTS,
                resource_id=args.application_insights_id,
                # https://learn.microsoft.com/azure/api-management/api-management-howto-app-insights
                credentials={
                    "connectionString": args.application_insights_connection,
                    "identityClientId": identity.client_id,
                },
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[publisher], deleted_with=service),
        )
        message = _logged_message(args.logged_body_bytes)
        pipeline = apimanagement.PipelineDiagnosticSettingsArgs(request=message, response=message)
        apimanagement.Diagnostic(
            f"{name}-diagnostic",
            apimanagement.DiagnosticArgs(
                resource_group_name=args.resource_group_name,
                service_name=name_of_created,
                diagnostic_id="applicationinsights",
                logger_id=logger.id,
                always_log=apimanagement.AlwaysLog.ALL_ERRORS,
                sampling=apimanagement.SamplingSettingsArgs(
                    sampling_type=apimanagement.SamplingType.FIXED, percentage=100
                ),
                verbosity=apimanagement.Verbosity.INFORMATION,
                http_correlation_protocol=apimanagement.HttpCorrelationProtocol.W3_C,
                operation_name_format=apimanagement.OperationNameFormat.NAME,
                log_client_ip=False,
                frontend=pipeline,
                backend=pipeline,
            ),
            opts=pulumi.ResourceOptions(parent=self, deleted_with=service),
        )
        # https://learn.microsoft.com/azure/api-management/configure-custom-domain: the default domain name.
        self.url = (
            pulumi.Output.from_input(args.local_url)
            if args.local_url
            else pulumi.Output.concat("https://", service_name, ".azure-api.net")
        )
        self.identity = identity
        self.resource = service
        self.name = name_of_created
        self.register_outputs({"name": self.name, "url": self.url})


def _logged_message(body_bytes: int) -> apimanagement.HttpMessageDiagnosticArgs:
    """What is logged of a message: no header and no query string, because they carry codes and tokens."""
    return apimanagement.HttpMessageDiagnosticArgs(
        body=apimanagement.BodyDiagnosticSettingsArgs(bytes=body_bytes),
        headers=[],
        data_masking=apimanagement.DataMaskingArgs(
            query_params=[
                apimanagement.DataMaskingEntityArgs(value="*", mode=apimanagement.DataMaskingMode.HIDE)
            ],
        ),
    )


def _require_local(name: str, gateway_url: str, *, local_url: str) -> str:
    """The service's name, if its gateway is where a local stack says.

    Raises:
        pulumi.RunError: a local stack was deployed to Azure.
    """
    if gateway_url.rstrip("/") != local_url:
        raise pulumi.RunError(
            f"The stack is set to be local, but its gateway is {gateway_url}. A local stack is less strict "
            "than one on Azure.\n"
            "  > pulumi config rm local && pulumi config rm localUrl && pulumi config rm entraAuthority"
        )
    return name
