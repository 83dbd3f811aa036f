"""Resources that exist before a stack, and the settings of a stack that uses all of them."""

import json

from twin.azure.cloud import Cloud

SUBSCRIPTION = Cloud().subscription.id


def identifier(type_: str, name: str, *, subscription: str = SUBSCRIPTION) -> str:
    """Id of a resource in the resource group `shared`."""
    return f"/subscriptions/{subscription}/resourceGroups/shared/providers/{type_}/{name}"


CERTIFICATE = f"{identifier('Microsoft.KeyVault/vaults', 'certificates')}/secrets/mcp"
IDENTITY = identifier("Microsoft.ManagedIdentity/userAssignedIdentities", "gateway")

EXISTING = {
    "existingResourceGroup": "platform",
    "existingApiManagement": identifier("Microsoft.ApiManagement/service", "central"),
    "existingIdentity": IDENTITY,
    "existingWorkspace": identifier("Microsoft.OperationalInsights/workspaces", "logs"),
    "existingApplicationInsights": identifier("Microsoft.Insights/components", "traces"),
    "existingEnvironment": identifier("Microsoft.App/managedEnvironments", "apps"),
    "existingKeyVault": identifier("Microsoft.KeyVault/vaults", "secrets"),
    "existingApplication": "11111111-1111-4111-8111-111111111111",
    "existingAudiences": json.dumps(
        {
            "functions": "22222222-2222-4222-8222-222222222222",
            "notes": "33333333-3333-4333-8333-333333333333",
        }
    ),
}
"""A setting for each kind of resource that a stack can adopt."""

ALL = {
    "sku": "StandardV2",
    "backends": '["functions"]',
    "containers": json.dumps([{"name": "notes", "image": "ghcr.io/example/notes:1.2.3", "port": 8080}]),
    **EXISTING,
}
"""A stack with the functions and a container, which adopts all resources of `EXISTING`."""

TYPES = {
    "existingResourceGroup": "resources:ResourceGroup",
    "existingApiManagement": "apimanagement:ApiManagementService",
    "existingIdentity": "managedidentity:UserAssignedIdentity",
    "existingWorkspace": "operationalinsights:Workspace",
    "existingApplicationInsights": "applicationinsights:Component",
    "existingEnvironment": "app:ManagedEnvironment",
    "existingKeyVault": "keyvault:Vault",
}
"""The resources that a stack reads for each setting; it does not read applications of Entra."""


def resource_id(setting: str) -> str:
    """The id of the resource that a setting of `EXISTING` names."""
    value = EXISTING[setting]
    return value if value.startswith("/") else f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{value}"
