"""The audience of one MCP server: the Entra application for which the gateway gets tokens."""

from dataclasses import dataclass

import pulumi
import pulumi_azuread as azuread


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceArgs:
    """Arguments of `Audience`.

    Attributes:
        title: name of the MCP server, shown to administrators of Entra.
        existing: client id of an existing application; None to register one.
    """

    title: str
    existing: str | None = None


class Audience(pulumi.ComponentResource):
    """The Entra application of one server: no other server accepts the tokens that the gateway sends to it.

    No user signs in to the application: it has no redirect URI, no scope, no role and no secret.

    Attributes:
        client_id: its client id, which is the `aud` of tokens for it.
        resources: the resources that must exist before the gateway's identity can get a token for it.
    """

    client_id: pulumi.Output[str]
    resources: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: AudienceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:backends:Audience", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        if args.existing:
            # The application is not looked up: a deployer who may not register applications may not be
            # allowed to read them either.
            self.client_id = pulumi.Output.from_input(args.existing)
            self.resources = ()
            self.register_outputs({"clientId": self.client_id})
            return
        application = azuread.Application(
            f"{name}-application",
            azuread.ApplicationArgs(
                display_name=f"MCP server {args.title} ({pulumi.get_project()}, {pulumi.get_stack()})",
                sign_in_audience="AzureADMyOrg",
                # Version 2 tokens: their issuer is the one that built-in authentication expects, and their
                # audience is the client id.
                api=azuread.ApplicationApiArgs(requested_access_token_version=2),
                fallback_public_client_enabled=False,
            ),
            opts=child,
        )
        # Without a service principal, the gateway's identity gets no token (AADSTS500011). It needs no role:
        # the server's authentication admits it by its object id.
        principal = azuread.ServicePrincipal(
            f"{name}-principal",
            azuread.ServicePrincipalArgs(client_id=application.client_id, app_role_assignment_required=False),
            opts=child,
        )
        self.client_id = application.client_id
        self.resources = (application, principal)
        self.register_outputs({"clientId": self.client_id})
