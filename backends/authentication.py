"""Built-in authentication of a backend, which admits only the gateway's identity.

A request without a token of that identity for the server's own audience gets 401 or 403 from the platform and
never reaches the server. App Service and Container Apps have the same mechanism under two names.
https://learn.microsoft.com/azure/app-service/configure-authentication-provider-aad#use-a-built-in-authorization-policy
https://learn.microsoft.com/azure/container-apps/authentication
"""

from typing import Any

import pulumi
from pulumi_azure_native import app, web

from backends.audience import Audience
from gateway.backend_context import BackendContext


def of_function_app(
    name: str,
    function_app: "web.WebApp",
    context: BackendContext,
    audience: Audience,
    parent: pulumi.Resource,
) -> pulumi.Resource:
    """Authentication of a Function App.

    It is deleted with the app, because without authentication anyone could call the app.
    """
    return web.WebAppAuthSettingsV2(
        name,
        web.WebAppAuthSettingsV2Args(
            resource_group_name=context.resource_group_name,
            name=function_app.name,
            platform=web.AuthPlatformArgs(enabled=True, runtime_version="~1"),
            global_validation=web.GlobalValidationArgs(
                require_authentication=True,
                unauthenticated_client_action=web.UnauthenticatedClientActionV2.RETURN401,
            ),
            http_settings=web.HttpSettingsArgs(require_https=True),
            identity_providers=_only_the_gateway(web, context, audience),
            login=web.LoginArgs(token_store=web.TokenStoreArgs(enabled=False)),
        ),
        opts=pulumi.ResourceOptions(parent=parent, deleted_with=function_app),
    )


def of_container_app(
    name: str,
    container_app: "app.ContainerApp",
    context: BackendContext,
    audience: Audience,
    parent: pulumi.Resource,
) -> pulumi.CustomResource:
    """Authentication of a Container App.

    It is deleted with the app, because without authentication anyone could call the app.
    """
    return app.ContainerAppsAuthConfig(
        name,
        app.ContainerAppsAuthConfigArgs(
            resource_group_name=context.resource_group_name,
            container_app_name=container_app.name,
            # The only name that the platform supports.
            auth_config_name="current",
            platform=app.AuthPlatformArgs(enabled=True),
            global_validation=app.GlobalValidationArgs(
                unauthenticated_client_action=app.UnauthenticatedClientActionV2.RETURN401
            ),
            http_settings=app.HttpSettingsArgs(require_https=True),
            identity_providers=_only_the_gateway(app, context, audience),
            login=app.LoginArgs(token_store=app.TokenStoreArgs(enabled=False)),
        ),
        opts=pulumi.ResourceOptions(parent=parent, deleted_with=container_app),
    )


def requirements(context: BackendContext, audience: Audience) -> list[pulumi.Resource]:
    """The resources that authentication needs.

    The app is created after them, so that its authentication can be created immediately after the app.
    """
    return [context.caller.resource, *audience.resources]


def _only_the_gateway(sdk: Any, context: BackendContext, audience: Audience) -> Any:
    """Entra as the only provider, as arguments of one module of the SDK: `web` or `app`."""
    caller = context.caller
    return sdk.IdentityProvidersArgs(
        azure_active_directory=sdk.AzureActiveDirectoryArgs(
            enabled=True,
            registration=sdk.AzureActiveDirectoryRegistrationArgs(
                client_id=audience.client_id, open_id_issuer=caller.issuer
            ),
            validation=sdk.AzureActiveDirectoryValidationArgs(
                allowed_audiences=[audience.client_id],
                default_authorization_policy=sdk.DefaultAuthorizationPolicyArgs(
                    allowed_applications=[caller.client_id],
                    allowed_principals=sdk.AllowedPrincipalsArgs(identities=[caller.principal_id]),
                ),
            ),
        )
    )
