"""The front door, up to the point where servers are put behind it."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement, authorization, resources

from gateway import policy
from gateway.api import Host
from gateway.entra import Application, ApplicationArgs
from gateway.fragments import Fragments, FragmentsArgs
from gateway.keys import KeyRing, KeyRingArgs
from gateway.named_values import NamedValues, NamedValuesArgs
from gateway.platform import Account, Caller, Platform
from gateway.service import Service, ServiceArgs
from gateway.store import Store, StoreArgs
from gateway.telemetry import Telemetry, TelemetryArgs
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayArgs:
    """What `Gateway` needs.

    Attributes:
        settings: the stack's settings.
    """

    settings: Settings


class Gateway(pulumi.ComponentResource):
    """API Management with everything that it stands on: identity, Entra application, store, keys, logs.

    Attributes:
        url: origin of the gateway, without a trailing slash.
        host: where APIs are created.
        platform: what backends build on.
    """

    url: pulumi.Output[str]
    host: Host
    platform: Platform

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Gateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = args.settings
        tags = {**settings.tags, "project": pulumi.get_project(), "stack": pulumi.get_stack()}
        # Asked and answered here and now. When the program ends, Pulumi waits for the calls that it has begun
        # one after the other; had it begun none, it would look at every output after each step of any.
        client = authorization.get_client_config(opts=pulumi.InvokeOptions(parent=self))
        account = Account(subscription_id=client.subscription_id, tenant_id=client.tenant_id)
        issuer = f"{settings.entra_authority}/{account.tenant_id}/v2.0"

        group = resources.ResourceGroup(
            f"{name}-group",
            resources.ResourceGroupArgs(location=settings.location, tags=tags),
            opts=child,
        )
        telemetry = Telemetry(
            f"{name}-telemetry",
            TelemetryArgs(resource_group_name=group.name, location=settings.location, tags=tags),
            opts=child,
        )
        service = Service(
            f"{name}-service",
            ServiceArgs(
                resource_group_name=group.name,
                location=settings.location,
                tags=tags,
                account=account,
                publisher_email=settings.publisher_email,
                publisher_name=settings.publisher_name,
                sku=settings.sku,
                capacity=settings.capacity,
                application_insights_id=telemetry.application_insights_id,
                application_insights_connection=telemetry.connection,
                local=settings.local,
            ),
            opts=child,
        )
        application = Application(
            f"{name}-application",
            ApplicationArgs(
                display_name=f"MCP gateway of {settings.publisher_name} ({pulumi.get_stack()})",
                gateway_url=service.url,
                issuer=issuer,
                identity_principal_id=service.identity_principal_id,
            ),
            opts=child,
        )
        store = Store(
            f"{name}-store",
            StoreArgs(
                resource_group_name=group.name,
                location=settings.location,
                tags=tags,
                principal_id=service.identity_principal_id,
            ),
            opts=child,
        )
        keys = KeyRing(f"{name}-keys", KeyRingArgs(version=settings.key_version), opts=child)
        named_values = NamedValues(
            f"{name}-values",
            NamedValuesArgs(
                resource_group_name=group.name,
                service_name=service.name,
                plain={
                    "gateway-url": service.url,
                    "entra-authority": settings.entra_authority,
                    "entra-tenant": account.tenant_id,
                    "entra-client": application.client_id,
                    "gateway-identity": service.identity_client_id,
                    "cosmos-url": store.url,
                },
                secret=keys.named_values,
            ),
            opts=child,
        )
        fragments = Fragments(
            f"{name}-fragments",
            FragmentsArgs(
                resource_group_name=group.name,
                service_name=service.name,
                settings=settings,
                named_values=named_values.declared,
            ),
            opts=child,
        )
        apimanagement.Policy(
            f"{name}-policy",
            apimanagement.PolicyArgs(
                resource_group_name=group.name,
                service_name=service.name,
                policy_id="policy",
                format=apimanagement.PolicyContentFormat.RAWXML,
                value=policy.render("global.xml.j2"),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=named_values.declared),
        )

        self.url = service.url
        self.host = Host(
            resource_group_name=group.name,
            service_name=service.name,
            named_values=named_values.declared,
            fragments=fragments.declared,
        )
        self.platform = Platform(
            resource_group_name=group.name,
            location=settings.location,
            tags=tags,
            account=account,
            workspace_id=telemetry.workspace_id,
            application_insights_id=telemetry.application_insights_id,
            application_insights_connection=telemetry.connection,
            local=settings.local,
            caller=Caller(
                client_id=service.identity_client_id,
                principal_id=service.identity_principal_id,
                audience=application.client_id,
                issuer=issuer,
            ),
        )
        self.register_outputs({"url": self.url})
