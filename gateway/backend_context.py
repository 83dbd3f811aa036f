"""The context in which the gateway deploys a backend, and the record of a deployed backend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pulumi

from configuration.existing import Existing
from configuration.scale import Scale
from gateway.account import Account
from gateway.backend import Backend
from gateway.network import Network
from gateway.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The managed identity with which the gateway calls backends.

    Attributes:
        client_id: client id of the user-assigned identity; the claim `azp` of its tokens.
        principal_id: its object id; the claim `oid` of its tokens.
        issuer: issuer of those tokens.
        resource: the identity, which must exist before a server can admit it.
    """

    client_id: pulumi.Output[str]
    principal_id: pulumi.Output[str]
    issuer: str
    resource: pulumi.Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendContext:
    """Values of the gateway that the deployment of a backend needs.

    Attributes:
        resource_group_name: resource group of the resources.
        location: Azure region of the resources.
        tags: tags of every resource.
        account: subscription and tenant.
        workspace_id: resource id of the Log Analytics workspace.
        application_insights_id: resource id of the Application Insights component.
        application_insights_connection: its connection string. It is not a secret: the component accepts no
            telemetry without a token.
        caller: the only identity that a backend admits.
        local: true only in the twin.
        network: the virtual network; None without one.
        vault: the Key Vault that holds the servers' secrets.
        existing: existing resources that the stack uses instead of creating its own.
        scale: the size of the stack.
    """

    resource_group_name: pulumi.Output[str]
    location: str
    tags: Mapping[str, str]
    account: Account
    workspace_id: pulumi.Output[str]
    application_insights_id: pulumi.Output[str]
    application_insights_connection: pulumi.Output[str]
    caller: Caller
    local: bool
    network: Network | None
    vault: Vault
    existing: Existing
    scale: Scale


class LogKind(StrEnum):
    """Kinds of resources whose logs go to the workspace."""

    API_MANAGEMENT = "api-management"
    COSMOS_DB = "cosmos-db"
    KEY_VAULT = "key-vault"
    STORAGE_SERVICE = "storage-service"
    FUNCTION_APP = "function-app"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """A resource whose logs go to the workspace.

    Attributes:
        name: unique in the stack.
        kind: determines the log categories.
        resource_id: id of the resource, or of a service of a storage account.
    """

    name: str
    kind: LogKind
    resource_id: pulumi.Output[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A backend whose resources are declared.

    Attributes:
        backend: its description.
        url: origin of its main server (`https://host`), without a path.
        named_values: values of the deployment that its policies use, by the name of the named value.
        authentication: the resources that admit only the gateway to its servers.
        log_sources: its resources whose logs go to the workspace.
        outputs: additional outputs of the stack, by name; never its URL.
    """

    backend: Backend
    url: pulumi.Output[str]
    named_values: Mapping[str, pulumi.Output[str]]
    authentication: tuple[pulumi.Resource, ...]
    log_sources: tuple[LogSource, ...] = ()
    outputs: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)


def identity_options(parent: pulumi.Resource) -> pulumi.ResourceOptions:
    """Options of a user-assigned identity: changes of its tags are ignored.

    While a preview updates an identity, its client id and object id are unknown. A changed tag would
    therefore show all resources that use them as changed, and role assignments as replaced.
    """
    return pulumi.ResourceOptions(parent=parent, ignore_changes=["tags"])
