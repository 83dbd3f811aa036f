"""The input changes that replace a resource, and the difference between two sets of inputs.

azure-native has this metadata in its binary, which the Python package does not include. Its generator
takes it from three places (https://github.com/pulumi/pulumi-azure-native, folder `provider/pkg/gen`): the
parameters of a resource's path, `forceNewMap` in `replacement.go`, and properties whose specification says
`"x-ms-mutability": ["read", "create"]`, such as the `location` of tracked resources.
azuread and random are bridged from Terraform, whose documentation says "forces a new resource to be created".
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from twin.azure import arm
from twin.monitor import UNKNOWN

_GENERATED = frozenset(
    {
        "keepers",
        "length",
        "lower",
        "minLower",
        "minNumeric",
        "minSpecial",
        "minUpper",
        "numeric",
        "overrideSpecial",
        "special",
        "upper",
    }
)

# Inputs whose change replaces a resource, in addition to the parameters of its path and its `location`.
_AZURE: Mapping[str, frozenset[str]] = {
    "app:ContainerApp": frozenset({"environmentId"}),
    "authorization:RoleAssignment": frozenset({"principalId", "scope"}),
    "cosmosdb:SqlResourceSqlRoleAssignment": frozenset({"principalId", "scope"}),
    "storage:StorageAccount": frozenset({"isHnsEnabled"}),
    "web:WebApp": frozenset({"kind"}),
}

# Their specifications allow a change of `location`, but Azure refuses such an update.
_LOCATION_UPDATES = frozenset({"apimanagement:ApiManagementService", "cosmosdb:DatabaseAccount"})

_OTHERS: Mapping[str, frozenset[str]] = {
    "azuread:index/application:Application": frozenset({"templateId"}),
    "azuread:index/applicationFederatedIdentityCredential:ApplicationFederatedIdentityCredential": frozenset(
        {"applicationId", "displayName"}
    ),
    "azuread:index/servicePrincipal:ServicePrincipal": frozenset({"clientId"}),
    "random:index/randomBytes:RandomBytes": _GENERATED,
    "random:index/randomString:RandomString": _GENERATED,
}


def replacement_inputs(type_: str, inputs: Mapping[str, Any]) -> frozenset[str]:
    """The top-level inputs of a type whose change replaces the resource.

    Raises:
        LookupError: a type of azuread or random that the table does not have.
    """
    if not type_.startswith("azure-native:"):
        if type_ not in _OTHERS:
            raise LookupError(
                f"tests/engine/replacement.py does not list the inputs that replace a {type_}: add them."
            )
        return _OTHERS[type_]
    key = type_.removeprefix("azure-native:")
    path = {name for name, _default in arm.path_inputs(type_, inputs)} | {"resourceGroupName"}
    location = set() if key in _LOCATION_UPDATES else {"location"}
    return frozenset(path | location | _AZURE.get(key, frozenset()))


def changed_paths(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths of the inputs in which two values differ; an unknown value differs from every other."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from changed_paths(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for index, (earlier, other) in enumerate(itertools.zip_longest(old, new)):
            yield from changed_paths(earlier, other, f"{path}[{index}]")
    elif old is UNKNOWN or new is UNKNOWN or not _same(path, old, new):
        yield path


def _same(path: str, old: Any, new: Any) -> bool:
    if path == "location" and isinstance(old, str) and isinstance(new, str):
        return _normalized(old) == _normalized(new)
    return old == new


def _normalized(location: str) -> str:
    return location.replace(" ", "").lower()
