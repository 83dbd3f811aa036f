"""The outputs of the `azuread` provider's resources, as Entra computes them.

Source: https://www.pulumi.com/registry/packages/azuread/api-docs/ and
https://learn.microsoft.com/graph/api/resources/application
"""

from collections.abc import Callable, Mapping
from typing import Any

from twin.azure.identifiers import Seed


def create(
    seed: Seed, tenant: str, type_: str, inputs: Mapping[str, Any], urn: str
) -> tuple[str, dict[str, Any]]:
    """Computes the id and outputs of an `azuread` resource.

    For a type without an entry, these are an object id and the inputs.
    """
    object_id = seed.guid(f"{urn}#object")
    make = _MAKERS.get(type_.rpartition(":")[2])
    identifier, outputs = (
        make(seed, tenant, object_id, inputs) if make else (object_id, {"objectId": object_id})
    )
    return identifier, {**inputs, **outputs}


def _application(
    seed: Seed, _tenant: str, object_id: str, inputs: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    roles = inputs.get("appRoles") or []
    scopes = (inputs.get("api") or {}).get("oauth2PermissionScopes") or []
    return f"/applications/{object_id}", {
        "clientId": seed.guid(f"{object_id}#client"),
        "objectId": object_id,
        "appRoleIds": {role["value"]: role["id"] for role in roles if role.get("value")},
        "oauth2PermissionScopeIds": {scope["value"]: scope["id"] for scope in scopes if scope.get("value")},
        "publisherDomain": "twin.onmicrosoft.com",
    }


def _service_principal(
    _seed: Seed, tenant: str, object_id: str, inputs: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    return f"/servicePrincipals/{object_id}", {
        "objectId": object_id,
        "clientId": inputs.get("clientId"),
        "applicationTenantId": tenant,
        "type": "Application",
    }


def _federated_credential(
    _seed: Seed, _tenant: str, object_id: str, inputs: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    application = str(inputs.get("applicationId") or "").rpartition("/")[2]
    return f"{application}/federatedIdentityCredential/{object_id}", {"credentialId": object_id}


def _password(
    seed: Seed, _tenant: str, object_id: str, inputs: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    application = str(inputs.get("applicationId") or "").rpartition("/")[2]
    return f"{application}/password/{object_id}", {
        "keyId": object_id,
        "value": seed.key(f"{object_id}#password", 30),
    }


_MAKERS: dict[str, Callable[[Seed, str, str, Mapping[str, Any]], tuple[str, dict[str, Any]]]] = {
    "Application": _application,
    "ServicePrincipal": _service_principal,
    "ApplicationFederatedIdentityCredential": _federated_credential,
    "ApplicationPassword": _password,
}
