"""Declares API Management: its name, its identity, the service, and its logging."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_random as random
from pulumi_azure_native import apimanagement, authorization, managedidentity

from configuration.address import Address
from configuration.resource_id import ResourceId
from configuration.scale import Scale
from gateway.api_management import logging
from gateway.backend_context import identity_options
from gateway.propagation import retries

_CLASSIC_TIERS = ("Developer", "Basic", "Standard", "Premium")

# Disables protocols and ciphers that no current client needs. The v2 tiers do not support these properties.
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
        resource_group_name: resource group of the service.
        location: the region.
        tags: tags of its resources.
        publisher_email: the address to which API Management sends service notices.
        publisher_name: the organisation that runs the gateway.
        sku: tier.
        capacity: units.
        application_insights_id: resource id of the component that it logs to.
        application_insights_connection: connection string of that component.
        logged_body_bytes: number of bytes of a body that are logged.
        sampling_percent: percentage of requests whose telemetry is kept.
        session_parameters: the query parameters with the ids of sessions, which are not logged.
        protect: whether Pulumi refuses to delete or replace the service.
        local_url: origin of the twin's gateway; empty on Azure.
        subnet_id: the subnet to which it is connected; None without a virtual network.
        existing: an existing service, and its identity for calls to other services; None to create both.
        address: the gateway's custom host name; None for the host name that Azure assigns.
        issuer_path: what follows the origin in the URL of the issuer: empty, or a slash and the path prefix.
        scale: zones, further regions, external cache.
        secrets_role: resource id of the role that allows it to read a certificate.
        telemetry_role: resource id of the role that allows it to send telemetry to Application Insights.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    publisher_email: str
    publisher_name: str
    sku: str
    capacity: int
    application_insights_id: pulumi.Input[str]
    application_insights_connection: pulumi.Input[str]
    logged_body_bytes: int
    sampling_percent: int
    session_parameters: Sequence[str]
    protect: bool
    local_url: str
    subnet_id: pulumi.Input[str] | None = None
    existing: tuple[ResourceId, ResourceId] | None = None
    address: Address | None = None
    issuer_path: str = ""
    scale: Scale
    secrets_role: str
    telemetry_role: str


class Service(pulumi.ComponentResource):
    """An API Management service with a user-assigned identity and request logs without contents.

    The creation of the service takes minutes, up to 45 in classic tiers. Its name, URL and identity are known
    before, so only the resources in the service wait for it. Entra applications, the servers behind the
    gateway and their authentication do not wait.

    Attributes:
        url: origin of the gateway, without a trailing slash.
        issuer: URL of the authorization server: the origin, and the path prefix.
        identity: the user-assigned identity with which the gateway calls other services.
        resource: the service; resources in it depend on it and are deleted with it.
        name: its name, for the resources in it.
        cname: the host name that Azure assigns, the target of the CNAME record of a custom host name.
        resource_group_name: its resource group.
        logger_id: resource id of the logger that writes to Application Insights.
    """

    url: pulumi.Output[str]
    issuer: pulumi.Output[str]
    identity: "managedidentity.UserAssignedIdentity"
    resource: "apimanagement.ApiManagementService"
    name: pulumi.Output[str]
    cname: pulumi.Output[str]
    resource_group_name: pulumi.Input[str]
    logger_id: pulumi.Output[str]

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Service", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        if args.existing:
            self._adopt(name, args, *args.existing)
        else:
            self._create(name, args)
        identity = self.identity
        publisher = authorization.RoleAssignment(
            f"{name}-telemetry-access",
            authorization.RoleAssignmentArgs(
                scope=args.application_insights_id,
                role_definition_id=args.telemetry_role,
                principal_id=identity.principal_id,
                principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
            ),
            opts=child,
        )
        logger = apimanagement.Logger(
            f"{name}-logger",
            apimanagement.LoggerArgs(
                resource_group_name=self.resource_group_name,
                service_name=self.name,
                logger_id="mcp-application-insights" if args.existing else "application-insights",
                logger_type=apimanagement.LoggerType.APPLICATION_INSIGHTS,
                resource_id=args.application_insights_id,
                # https://learn.microsoft.com/azure/api-management/api-management-howto-app-insights
                credentials={
                    "connectionString": args.application_insights_connection,
                    "identityClientId": identity.client_id,
                },
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[publisher], deleted_with=self._owned),
        )
        self.logger_id = logger.id
        self.issuer = pulumi.Output.concat(self.url, args.issuer_path)
        # Clients identify the gateway, its issuer and its servers by this URL, so a protected stack refuses
        # to change it: this resource would have to be replaced, and Pulumi's error shows its name.
        random.RandomString(
            f"{name}-address-that-clients-registered-with",
            random.RandomStringArgs(length=8, keepers={"url": self.issuer}),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        if not args.existing:
            self._log_all_apis(name, args)
        self.register_outputs({"name": self.name, "url": self.url})

    @property
    def own_principal_id(self) -> pulumi.Output[str]:
        """Object id of the system-assigned identity of a service that the stack creates."""
        return self.resource.identity.apply(lambda identity: identity.principal_id if identity else "")

    @property
    def _owned(self) -> pulumi.Resource | None:
        """The service, unless it remains when the stack is destroyed."""
        return None if self._adopted else self.resource

    def _log_all_apis(self, name: str, args: ServiceArgs) -> None:
        """Logs every request; in an adopted service, each API of the stack has a diagnostic instead."""
        apimanagement.Diagnostic(
            f"{name}-diagnostic",
            apimanagement.DiagnosticArgs(
                resource_group_name=self.resource_group_name,
                service_name=self.name,
                diagnostic_id="applicationinsights",
                logger_id=self.logger_id,
                **logging(args.logged_body_bytes, args.sampling_percent, args.session_parameters),
            ),
            opts=pulumi.ResourceOptions(parent=self, deleted_with=self.resource),
        )

    def _create(self, name: str, args: ServiceArgs) -> None:
        """Creates the service and its identity."""
        self._adopted = False
        self.resource_group_name = args.resource_group_name
        self.identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            managedidentity.UserAssignedIdentityArgs(
                resource_group_name=args.resource_group_name, location=args.location, tags=args.tags
            ),
            opts=identity_options(self),
        )
        # Names are global, and a deleted service keeps its name for 48 hours (soft delete).
        suffix = random.RandomString(
            f"{name}-suffix",
            random.RandomStringArgs(
                length=8, upper=False, special=False, keepers={"location": args.location}
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        service_name = pulumi.Output.concat("apim-", suffix.result)
        self.resource = apimanagement.ApiManagementService(
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
                # Policies use the user-assigned identity only. The system-assigned identity reads the keys
                # from a Key Vault that has a firewall, and has no other role.
                identity=apimanagement.ApiManagementServiceIdentityArgs(
                    type=apimanagement.ApimIdentityType.SYSTEM_ASSIGNED_USER_ASSIGNED,
                    user_assigned_identities=self.identity.id.apply(
                        lambda identity_id: {identity_id: apimanagement.UserIdentityPropertiesArgs()}
                    ),
                ),
                # The classic tiers refuse `false`, the SDK's default. There, whether a client certificate is
                # requested is a property of each host name; in the v2 tiers `true` would request one.
                # https://github.com/pulumi/pulumi-azure-native/issues/1741
                enable_client_certificate=args.sku in _CLASSIC_TIERS,
                # MCP servers need no developer portal.
                developer_portal_status=apimanagement.DeveloperPortalStatus.DISABLED,
                legacy_portal_status=apimanagement.LegacyPortalStatus.DISABLED,
                # The gateway keeps its public address; requests to servers and stores go through the subnet.
                virtual_network_type=apimanagement.VirtualNetworkType.EXTERNAL if args.subnet_id else None,
                virtual_network_configuration=apimanagement.VirtualNetworkConfigurationArgs(
                    subnet_resource_id=args.subnet_id
                )
                if args.subnet_id
                else None,
                zones=list(args.scale.zones) or None,
                additional_locations=[
                    apimanagement.AdditionalLocationArgs(
                        location=region,
                        sku=apimanagement.ApiManagementServiceSkuPropertiesArgs(
                            name=args.sku, capacity=args.capacity
                        ),
                    )
                    for region in args.scale.regions
                ]
                or None,
                hostname_configurations=self._hostnames(args.address),
                custom_properties=_HARDENING if args.sku in _CLASSIC_TIERS else None,
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                depends_on=self._certificate_access(name, args),
                hooks=retries(f"{name}-apim") if args.address and args.address.certificate else None,
            ),
        )
        self.name = self.resource.name
        if args.local_url:
            self.name = pulumi.Output.all(self.resource.name, self.resource.gateway_url).apply(
                lambda values: _require_local(*values, local_url=args.local_url)
            )
        if args.scale.redis_connection:
            # Policies use this cache if it exists, and otherwise the service's own cache.
            apimanagement.Cache(
                f"{name}-cache",
                apimanagement.CacheArgs(
                    resource_group_name=self.resource_group_name,
                    service_name=self.name,
                    cache_id="default",
                    use_from_location="default",
                    connection_string=pulumi.Output.secret(args.scale.redis_connection),
                ),
                opts=pulumi.ResourceOptions(parent=self, deleted_with=self.resource),
            )
        # https://learn.microsoft.com/azure/api-management/configure-custom-domain: the default domain name.
        self.cname = pulumi.Output.concat(service_name, ".azure-api.net")
        self.url = self._url(args, pulumi.Output.concat("https://", self.cname))

    def _url(self, args: ServiceArgs, default: pulumi.Output[str]) -> pulumi.Output[str]:
        """The origin of the gateway for clients."""
        if args.local_url:
            return pulumi.Output.from_input(args.local_url)
        if args.address:
            return pulumi.Output.from_input(f"https://{args.address.hostname}")
        return default

    def _hostnames(self, address: Address | None) -> "list[apimanagement.HostnameConfigurationArgs] | None":
        """The gateway's custom host name. The host name that Azure assigns remains valid.

        https://learn.microsoft.com/azure/api-management/configure-custom-domain
        """
        if address is None:
            return None
        certificate = address.certificate
        return [
            apimanagement.HostnameConfigurationArgs(
                type=apimanagement.HostnameType.PROXY,
                host_name=address.hostname,
                default_ssl_binding=True,
                certificate_source=(
                    apimanagement.CertificateSource.KEY_VAULT
                    if certificate
                    else apimanagement.CertificateSource.MANAGED
                ),
                # Without a version, so that a renewed certificate is used without a deployment.
                key_vault_id=f"https://{certificate.name}.vault.azure.net/secrets/{certificate.below[1]}"
                if certificate
                else None,
                identity_client_id=self.identity.client_id if certificate else None,
            )
        ]

    def _certificate_access(self, name: str, args: ServiceArgs) -> list[pulumi.Resource]:
        """The permission to read the certificate, and nothing else in its vault."""
        if args.address is None or args.address.certificate is None:
            return []
        return [
            authorization.RoleAssignment(
                f"{name}-certificate-access",
                authorization.RoleAssignmentArgs(
                    scope=str(args.address.certificate),
                    role_definition_id=args.secrets_role,
                    principal_id=self.identity.principal_id,
                    principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]

    def _adopt(self, name: str, args: ServiceArgs, service_id: ResourceId, identity_id: ResourceId) -> None:
        """Reads an existing service; the stack adds only its own APIs and the resources that they need."""
        self._adopted = True
        child = pulumi.ResourceOptions(parent=self)
        self.resource_group_name = service_id.group
        self.identity = managedidentity.UserAssignedIdentity.get(
            f"{name}-identity", str(identity_id), opts=child
        )
        self.resource = apimanagement.ApiManagementService.get(
            f"{name}-apim",
            str(service_id),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.identity]),
        )
        self.name = pulumi.Output.all(
            self.resource.name, self.resource.sku, self.resource.identity, self.resource.gateway_url
        ).apply(lambda values: _require_suitable(*values, args=args, identity=identity_id))
        default = self.resource.gateway_url.apply(lambda url: url.rstrip("/"))
        self.cname = default.apply(lambda url: url.partition("//")[2])
        self.url = self._url(args, default)


def _require_local(name: str, gateway_url: str, *, local_url: str) -> str:
    """The service's name, if its gateway has the URL of the local stack.

    Raises:
        pulumi.RunError: a local stack was deployed to Azure.
    """
    if gateway_url.rstrip("/") != local_url:
        raise pulumi.RunError(
            f"The stack has the setting local, but its gateway is {gateway_url}. Local stacks have weaker "
            "checks and must not run on Azure.\n"
            "  > pulumi config rm local && pulumi config rm localUrl && pulumi config rm entraAuthority"
        )
    return name


def _require_suitable(
    name: str,
    sku: Any,
    assigned: Any,
    gateway_url: str,
    *,
    args: ServiceArgs,
    identity: ResourceId,
) -> str:
    """The name of an adopted service, if it has the tier and the identity of the settings.

    Raises:
        pulumi.RunError: it has another tier than the policies were checked for, or lacks the identity.
    """
    if args.local_url:
        return _require_local(name, gateway_url, local_url=args.local_url)
    # `Output.all` gives nested properties as dictionaries.
    tier = (sku or {}).get("name", args.sku)
    if tier != args.sku:
        raise pulumi.RunError(
            f"The API Management service {name} has the tier {tier}, but the setting sku is {args.sku}.\n"
            f"  > pulumi config set sku {tier}"
        )
    identities = (assigned or {}).get("user_assigned_identities") or {}
    if str(identity).lower() not in (identifier.lower() for identifier in identities):
        raise pulumi.RunError(
            f"The API Management service {name} does not have the identity {identity}. The stack does not "
            "change the service: assign the identity in the portal (API Management, Security, Managed "
            "identities, User assigned), or set one that the service has.\n"
            "  > pulumi config set existingIdentity <resource id>"
        )
    return name
