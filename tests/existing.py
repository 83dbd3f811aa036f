"""Resources that exist before a stack, and the settings of a stack that uses all of them."""

import json


def identifier(type_: str, name: str, *, subscription: str = "00000000") -> str:
    """Id of a resource in the resource group `shared`."""
    group = f"/subscriptions/{subscription}-0000-4000-8000-00000000aaaa/resourceGroups/shared"
    return f"{group}/providers/{type_}/{name}"


IDENTITY = identifier("Microsoft.ManagedIdentity/userAssignedIdentities", "gateway")

EXISTING = {
    "existingResourceGroup": "given",
    "existingApiManagement": identifier("Microsoft.ApiManagement/service", "central"),
    "existingIdentity": IDENTITY,
    "existingWorkspace": identifier("Microsoft.OperationalInsights/workspaces", "logs"),
    "existingApplicationInsights": identifier("Microsoft.Insights/components", "traces"),
    "existingEnvironment": identifier("Microsoft.App/managedEnvironments", "apps"),
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
"""A stack with the functions and a container that adopts all of them."""
