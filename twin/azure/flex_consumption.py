"""Properties of a Function App that Flex Consumption rejects (error 51021).

Azure's error names the rejected properties. Regions differ in what they reject: newer regions are stricter.
The twin is as strict as the strictest region. It accepts the site properties that Microsoft's guide for the
migration to Flex Consumption or the `azurerm_function_app_flex_consumption` resource sets, and rejects all
others. It also rejects the app settings that, according to the guide, must not be migrated.

https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations
https://learn.microsoft.com/azure/azure-functions/migration/migrate-plan-consumption-to-flex
https://github.com/pulumi/pulumi-azure-native/issues/4168
https://github.com/Azure/terraform-azurerm-avm-res-web-site/issues/283
"""

from collections.abc import Mapping
from typing import Any

_SITE_PROPERTIES = frozenset(
    {
        "acrUseManagedIdentityCreds",
        "acrUserManagedIdentityID",
        "apiDefinition",
        "apiManagementConfig",
        "appCommandLine",
        "appSettings",
        "azureStorageAccounts",
        "connectionStrings",
        "cors",
        "defaultDocuments",
        "healthCheckPath",
        "http20Enabled",
        "ipSecurityRestrictions",
        "ipSecurityRestrictionsDefaultAction",
        "loadBalancing",
        "managedPipelineMode",
        "minTlsCipherSuite",
        "minTlsVersion",
        "remoteDebuggingEnabled",
        "remoteDebuggingVersion",
        "scmIpSecurityRestrictions",
        "scmIpSecurityRestrictionsDefaultAction",
        "scmIpSecurityRestrictionsUseMain",
        "scmMinTlsVersion",
        "vnetRouteAllEnabled",
        "webSocketsEnabled",
    }
)

_REJECTED_APP_SETTINGS = frozenset(
    {
        "ENABLE_ORYX_BUILD",
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_MAX_HTTP_CONCURRENCY",
        "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
        "FUNCTIONS_WORKER_PROCESS_COUNT",
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_WORKER_RUNTIME_VERSION",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTOVERVNET",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_DNS_SERVER",
        "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
        "WEBSITE_MOUNT_ENABLED",
        "WEBSITE_NODE_DEFAULT_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_SKIP_CONTENTSHARE_VALIDATION",
        "WEBSITE_USE_PLACEHOLDER_DOTNETISOLATED",
        "WEBSITE_VNET_ROUTE_ALL",
    }
)


def rejection(site: Mapping[str, Any]) -> str | None:
    """The error with which Azure rejects a `Microsoft.Web/sites` resource, or None if it accepts it.

    Args:
        site: the inputs of the resource by their names in Azure's REST API. Only sites in a Flex Consumption
            plan have `functionAppConfig`.
    """
    if not site.get("functionAppConfig"):
        return None
    config: Mapping[str, Any] = site.get("siteConfig") or {}
    properties = [
        f"Site.SiteConfig.{name[0].upper()}{name[1:]}" for name in config if name not in _SITE_PROPERTIES
    ]
    if properties:
        return _message("site configuration property", "site configuration properties", properties)
    declared = config.get("appSettings")
    # In a preview, the whole list may be a value that Pulumi does not know yet.
    names = [str(setting.get("name")) for setting in declared] if isinstance(declared, list) else []
    settings = [
        f"Site.SiteConfig.AppSettings.{name}" for name in names if name.upper() in _REJECTED_APP_SETTINGS
    ]
    return _message("app setting", "app settings", settings) if settings else None


def _message(singular: str, several: str, rejected: list[str]) -> str:
    subject, them = (singular, "it") if len(rejected) == 1 else (f"list of {len(rejected)} {several}", "them")
    message = (
        f"The following {subject} ({', '.join(rejected)}) for Flex Consumption sites is invalid.  "
        f"Please remove or rename {them} before retrying."
    )
    return f'Code="BadRequest" ExtendedCode="51021" Message="{message}"'
