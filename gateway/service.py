"""API Management itself: the service, its identity, and what it logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
import pulumi_random as random
from pulumi_azure_native import apimanagement, authorization, managedidentity

from gateway.platform import Account, Role

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
    """What `Service` needs.

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
        local: whether the gateway must be on this machine.
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
    local: bool


class Service(pulumi.ComponentResource):
    """An API Management service with an identity of its own and request logs without contents.

    Attributes:
        name: the service's name.
        url: origin of the gateway, without a trailing slash.
        identity_client_id: client id of the user-assigned identity with which the gateway calls others.
        identity_principal_id: object id of that identity.
    """

    name: pulumi.Output[str]
    url: pulumi.Output[str]
    identity_client_id: pulumi.Output[str]
    identity_principal_id: pulumi.Output[str]

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Service", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            managedidentity.UserAssignedIdentityArgs(
                resource_group_name=args.resource_group_name, location=args.location, tags=args.tags
            ),
            opts=child,
        )
        # A deleted service keeps its name for 48 hours (soft delete), and names are global.
        suffix = random.RandomString(
            f"{name}-suffix",
            random.RandomStringArgs(
                length=8, upper=False, special=False, keepers={"location": args.location}
            ),
            opts=child,
        )
        service = apimanagement.ApiManagementService(
            f"{name}-apim",
            apimanagement.ApiManagementServiceArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                service_name=pulumi.Output.concat("apim-", suffix.result),
                publisher_email=args.publisher_email,
                publisher_name=args.publisher_name,
                sku=apimanagement.ApiManagementServiceSkuPropertiesArgs(
                    name=args.sku, capacity=args.capacity
                ),
                identity=apimanagement.ApiManagementServiceIdentityArgs(
                    type=apimanagement.ApimIdentityType.SYSTEM_ASSIGNED_USER_ASSIGNED,
                    user_assigned_identities=identity.id.apply(
                        lambda identity_id: {identity_id: apimanagement.UserIdentityPropertiesArgs()}
                    ),
                ),
                # Nobody needs a portal to use an MCP server.
                developer_portal_status=apimanagement.DeveloperPortalStatus.DISABLED,
                legacy_portal_status=apimanagement.LegacyPortalStatus.DISABLED,
                custom_properties=_HARDENING if args.sku in _CLASSIC_TIERS else None,
                tags=args.tags,
            ),
            opts=child,
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
                service_name=service.name,
                logger_id="application-insights",
                logger_type=apimanagement.LoggerType.APPLICATION_INSIGHTS,
                resource_id=args.application_insights_id,
                # https://learn.microsoft.com/azure/api-management/api-management-howto-app-insights
                credentials={
                    "connectionString": args.application_insights_connection,
                    "identityClientId": identity.client_id,
                },
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[publisher]),
        )
        message = _logged_message(args.logged_body_bytes)
        pipeline = apimanagement.PipelineDiagnosticSettingsArgs(request=message, response=message)
        apimanagement.Diagnostic(
            f"{name}-diagnostic",
            apimanagement.DiagnosticArgs(
                resource_group_name=args.resource_group_name,
                service_name=service.name,
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
            opts=child,
        )
        self.name = service.name
        self.url = service.gateway_url.apply(lambda url: _checked(url, local=args.local))
        self.identity_client_id = identity.client_id
        self.identity_principal_id = identity.principal_id
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


def _checked(url: str, *, local: bool) -> str:
    """The gateway's origin without a trailing slash.

    Raises:
        pulumi.RunError: a stack that is `local` came to life elsewhere.
    """
    origin = url.rstrip("/")
    if local and urlsplit(origin).hostname not in ("localhost", "127.0.0.1", "::1"):
        raise pulumi.RunError(
            f"The stack is set to be local, but its gateway is {origin}. A local stack is softer than one on "
            "Azure.\n  > pulumi config rm local && pulumi config rm entraAuthority"
        )
    return origin
