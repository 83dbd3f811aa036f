"""Replaces Azure for a Pulumi program: computes ids and outputs of resources, and results of functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from twin.azure import arm, graph, random
from twin.azure.identifiers import Seed

FIXED_SEED = Seed(b"the twin's tests need no secrets")
"""For tests and other evaluations whose values are not used; each running twin has its own seed."""


_REFERABLE_TYPES = frozenset(
    {
        "ApiManagementService",
        "Component",
        "ManagedEnvironment",
        "ResourceGroup",
        "UserAssignedIdentity",
        "Vault",
        "Workspace",
    }
)
"""The types of existing resources that settings of the program can refer to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One Azure subscription in one Entra tenant; the ids of both are derived from a seed.

    Attributes:
        seed: the same seed gives the same ids, keys and random values.
        gateway_url: the address that API Management reports; None for `https://<name>.azure-api.net`.
    """

    seed: Seed = field(default=FIXED_SEED)
    gateway_url: str | None = None

    @property
    def tenant(self) -> str:
        """GUID of the Entra tenant."""
        return self.seed.guid("tenant")

    @property
    def subscription(self) -> arm.Subscription:
        """The subscription in which all resources are created."""
        return arm.Subscription(
            id=self.seed.guid("subscription"),
            tenant=self.tenant,
            seed=self.seed,
            gateway_url=self.gateway_url,
        )

    def create(
        self, type_: str, name: str, inputs: Mapping[str, Any], *, urn: str
    ) -> tuple[str, dict[str, Any]]:
        """Computes the id and outputs of a resource.

        Raises:
            pulumi.RunError: the twin does not support this type, or Azure would reject the resource.
        """
        provider = type_.partition(":")[0]
        match provider:
            case "azure-native":
                return arm.create(self.subscription, type_, name, inputs, urn)
            case "azuread":
                return graph.create(self.seed, self.tenant, type_, inputs, urn)
            case "random":
                try:
                    return random.create(self.seed, type_, inputs, urn)
                except LookupError as error:
                    raise pulumi.RunError(f"{name}: {error.args[0]}") from None
            case _:
                # A dynamic provider. Its code (`__provider`) works only with Azure, so it is not run.
                return f"{name}-{self.seed.hexadecimal(urn, 8)}", {
                    key: value for key, value in inputs.items() if key != "__provider"
                }

    def read(self, type_: str, identifier: str, *, assigned: Sequence[str] = ()) -> dict[str, Any]:
        """Computes the outputs of an existing resource, as if the stack had created it with this id.

        Args:
            type_: type token.
            identifier: id of the resource.
            assigned: ids of the user-assigned identities of the resource.

        Raises:
            pulumi.RunError: the twin does not support resources of this type.
        """
        namespace, _, kind = type_.partition(":")
        if namespace != "azure-native" or kind.rpartition(":")[2] not in _REFERABLE_TYPES:
            types = ", ".join(sorted(_REFERABLE_TYPES))
            raise pulumi.RunError(
                f"The local twin does not support existing resources of type {type_}. Declare the resource "
                f"in the program instead, or refer to a resource of one of these types: {types}."
            )
        return arm.read(self.subscription, type_, identifier, assigned)

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a look-up function.

        Raises:
            pulumi.RunError: the twin does not support the function.
        """
        del arguments
        caller = {
            "clientId": self.seed.guid("deployer#client"),
            "objectId": self.seed.guid("deployer#object"),
            "tenantId": self.tenant,
        }
        match token:
            case "azure-native:authorization:getClientConfig":
                return {**caller, "subscriptionId": self.subscription.id}
            case "azuread:index/getClientConfig:getClientConfig":
                return {**caller, "id": f"{caller['tenantId']}-{caller['clientId']}-{caller['objectId']}"}
            case _:
                raise pulumi.RunError(
                    f"The program calls {token}, which the local twin does not support. "
                    "Compute the value from the outputs of declared resources, or take it from configuration."
                )
