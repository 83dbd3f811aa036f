"""Reads the Key Vaults of a stack, with the checks of Azure when a resource refers to a secret.

Sources: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates (addresses),
https://learn.microsoft.com/azure/key-vault/general/rbac-guide (roles and their scopes).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from twin.stack import Stack

_SECRET_ADDRESS = re.compile(
    r"https://(?P<vault>[A-Za-z0-9-]{3,24})\.vault\.azure\.net/secrets/(?P<name>[A-Za-z0-9-]{1,127})"
    r"(?:/(?P<version>[0-9a-f]{32}))?"
)

_READER_ROLES = (
    "4633458b-17de-408a-b874-0445c86b69e6",  # Key Vault Secrets User
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",  # Key Vault Secrets Officer
    "00482a5a-887f-4fb3-b363-3b7fe8e74483",  # Key Vault Administrator
)


class UnreadableError(Exception):
    """An identity cannot read a secret; the message has the reason."""


class Resource(Protocol):
    """A resource of Azure."""

    @property
    def id(self) -> str:
        """The resource id."""
        ...

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The inputs of the resource."""
        ...

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs that Azure reports."""
        ...


def vaults(stack: Stack) -> "Vaults":
    """The Key Vaults of a stack, which must not be evaluated as a preview."""
    return Vaults(stack.of_type("keyvault:Secret"), stack.of_type("authorization:RoleAssignment"))


class Vaults:
    """The secrets in Key Vaults and the principals that may read them.

    Args:
        secrets: the secrets.
        roles: the role assignments.
    """

    def __init__(self, secrets: Iterable[Resource], roles: Iterable[Resource]) -> None:
        self._secrets = tuple(secrets)
        self._roles = tuple(roles)

    def read(self, address: str, principal_id: str) -> str:
        """The value of a secret, if an identity can read it.

        Args:
            address: URL of the secret, with or without a version.
            principal_id: object id of the identity.

        Raises:
            UnreadableError: the secret or the version does not exist, or the identity has no role to read it.
        """
        parts = _SECRET_ADDRESS.fullmatch(address)
        if parts is None:
            raise UnreadableError(f"{address} is not the address of a secret.")
        secret = next(self._find(parts["vault"], parts["name"]), None)
        # A vault checks the role of the caller before it checks whether the secret exists.
        if not self._can_read(secret, principal_id):
            raise UnreadableError(f"ForbiddenByRbac: {principal_id} has no role that reads {address}.")
        if secret is None or parts["version"] not in (None, _version(secret)):
            raise UnreadableError(f"SecretNotFound: {address} was not found in this key vault.")
        return str(secret.inputs["properties"]["value"])

    def _find(self, vault: str, name: str) -> Iterator[Resource]:
        path = f"/providers/Microsoft.KeyVault/vaults/{vault}/secrets/{name}".lower()
        return (secret for secret in self._secrets if secret.id.lower().endswith(path))

    def _can_read(self, secret: Resource | None, principal_id: str) -> bool:
        if secret is None:
            return False
        return any(
            role.inputs["principalId"] == principal_id
            and role.inputs["roleDefinitionId"].rpartition("/")[2] in _READER_ROLES
            and f"{secret.id}/".lower().startswith(f"{role.inputs['scope']}/".lower())
            for role in self._roles
        )


def _version(secret: Resource) -> str:
    return secret.outputs["properties"]["secretUriWithVersion"].rpartition("/")[2]
