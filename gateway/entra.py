"""The gateway's registration in Entra."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azuread as azuread

from gateway.roles import RolePlan

_FEDERATED_AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationArgs:
    """Arguments of `Application`.

    Attributes:
        display_name: the name that users see at sign-in and administrators see in Entra.
        gateway_issuer: URL of the gateway's authorization server, without a trailing slash.
        issuer: issuer of the tokens of the tenant's managed identities, `<authority>/<tenant>/v2.0`.
        identity_principal_id: object id of the identity that may act as this application.
        roles: its app roles and their assignments.
        assignment_required: whether only users who are assigned to it may sign in.
        existing: client id of an existing application; empty to register one.
    """

    display_name: str
    gateway_issuer: pulumi.Input[str]
    issuer: pulumi.Input[str]
    identity_principal_id: pulumi.Input[str]
    roles: RolePlan
    assignment_required: bool
    existing: str = ""


class Application(pulumi.ComponentResource):
    """The application with which the gateway signs users in.

    It has no secret: the gateway authenticates with a token of its managed identity (a federated
    credential, https://learn.microsoft.com/entra/workload-id/workload-identity-federation).

    Attributes:
        client_id: the application's client id.
        registration: the required settings of an existing application; empty when the stack registers one.
    """

    client_id: pulumi.Output[str]
    registration: Mapping[str, pulumi.Input[object]]

    def __init__(self, name: str, args: ApplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Application", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        redirect_uri = pulumi.Output.concat(args.gateway_issuer, "/oauth-callback")
        if args.existing:
            # The application is not looked up: a deployer who may not register applications may not be
            # allowed to read them either.
            self.client_id = pulumi.Output.from_input(args.existing)
            self.registration = {
                "redirectUri": redirect_uri,
                "federatedCredential": {
                    "issuer": args.issuer,
                    "subject": args.identity_principal_id,
                    "audience": _FEDERATED_AUDIENCE,
                },
                **({"appRoleAssignmentRequired": True} if args.assignment_required else {}),
                **_registered_roles(args.roles),
            }
            self.register_outputs({"clientId": self.client_id})
            return
        application = azuread.Application(
            f"{name}-registration",
            azuread.ApplicationArgs(
                display_name=args.display_name,
                sign_in_audience="AzureADMyOrg",
                web=azuread.ApplicationWebArgs(
                    redirect_uris=[redirect_uri],
                    implicit_grant=azuread.ApplicationWebImplicitGrantArgs(
                        access_token_issuance_enabled=False, id_token_issuance_enabled=False
                    ),
                ),
                # Version 2 tokens, as the policies expect.
                api=azuread.ApplicationApiArgs(requested_access_token_version=2),
                fallback_public_client_enabled=False,
                app_roles=[
                    azuread.ApplicationAppRoleArgs(
                        id=role.id,
                        value=role.value,
                        display_name=role.title,
                        description=role.description,
                        allowed_member_types=list(role.members),
                        enabled=True,
                    )
                    for role in args.roles.roles
                ],
                # This claim distinguishes app-only tokens from those that act on behalf of a user.
                optional_claims=azuread.ApplicationOptionalClaimsArgs(
                    access_tokens=[azuread.ApplicationOptionalClaimsAccessTokenArgs(name="idtyp")]
                )
                if args.roles.roles
                else None,
            ),
            opts=child,
        )
        # Without a service principal, users of the tenant cannot sign in to the application.
        principal = azuread.ServicePrincipal(
            f"{name}-principal",
            azuread.ServicePrincipalArgs(
                client_id=application.client_id, app_role_assignment_required=args.assignment_required
            ),
            opts=child,
        )
        for assignment in args.roles.assignments:
            azuread.AppRoleAssignment(
                f"{name}-role-{assignment.name}",
                azuread.AppRoleAssignmentArgs(
                    app_role_id=assignment.role.id,
                    principal_object_id=assignment.principal,
                    resource_object_id=principal.object_id,
                ),
                opts=child,
            )
        azuread.ApplicationFederatedIdentityCredential(
            f"{name}-credential",
            azuread.ApplicationFederatedIdentityCredentialArgs(
                application_id=application.id,
                display_name="gateway-identity",
                description="The gateway's managed identity may act as this application.",
                issuer=args.issuer,
                # Entra's comparison of issuer, subject and audience is case-sensitive.
                subject=args.identity_principal_id,
                audiences=[_FEDERATED_AUDIENCE],
            ),
            opts=child,
        )
        self.client_id = application.client_id
        self.registration = {}
        self.register_outputs({"clientId": self.client_id})


def _registered_roles(plan: RolePlan) -> Mapping[str, pulumi.Input[object]]:
    """The settings for roles that an existing application needs."""
    if not plan.roles:
        return {}
    return {
        "accessTokenClaims": ["idtyp"],
        "appRoles": [
            {"id": role.id, "value": role.value, "allowedMemberTypes": list(role.members)}
            for role in plan.roles
        ],
        "appRoleAssignments": [
            {"role": assignment.role.value, "principal": assignment.principal}
            for assignment in plan.assignments
        ],
    }
