"""The Azure account that a stack is deployed to, and the roles that it assigns there."""

from dataclasses import dataclass, replace
from enum import StrEnum

from configuration.resource_id import ResourceId


class Role(StrEnum):
    """Built-in roles of Azure, by the id of their definition.

    https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
    """

    STORAGE_BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
    STORAGE_QUEUE_DATA_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
    KEY_VAULT_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
    MONITORING_METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The Azure account that the stack is deployed to.

    Attributes:
        subscription_id: the subscription.
        tenant_id: the Entra tenant that the subscription trusts.
    """

    subscription_id: str
    tenant_id: str

    def of(self, resource: ResourceId | None) -> "Account":
        """The account of a resource, which may be in another subscription; this account for None."""
        return replace(self, subscription_id=resource.subscription) if resource else self

    def role(self, role: Role) -> str:
        """Resource id of a role's definition in this subscription."""
        definitions = "providers/Microsoft.Authorization/roleDefinitions"
        return f"/subscriptions/{self.subscription_id}/{definitions}/{role.value}"
