"""The secrets of one MCP server: stored in the Key Vault, and read with the server's own identity."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import managedidentity

from gateway.backend_context import BackendContext, identity_options
from gateway.vault import VaultSecret


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSecretsArgs:
    """Arguments of `ServerSecrets`.

    Attributes:
        context: resource group and vault.
        values: the secrets by the name of the environment variable.
    """

    context: BackendContext
    values: Mapping[str, str] = field(repr=False)


class ServerSecrets(pulumi.ComponentResource):
    """Secrets of a server, and the identity with which Container Apps reads them.

    The identity may read these secrets and has no other permission. The server itself cannot get its tokens.

    Attributes:
        identity_id: resource id of the identity.
        stored: the secrets by the name of the environment variable.
        ready: the resources that must exist before the secrets can be read.
    """

    identity_id: pulumi.Output[str]
    stored: Mapping[str, VaultSecret]
    ready: tuple[pulumi.Resource, ...]

    def __init__(
        self, name: str, args: ServerSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mcp:backends:ServerSecrets", name, None, opts)
        context = args.context
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            managedidentity.UserAssignedIdentityArgs(
                resource_group_name=context.resource_group_name, location=context.location, tags=context.tags
            ),
            opts=identity_options(self),
        )
        self.identity_id = identity.id
        self.stored = {
            variable: context.vault.secret(f"{name}-{secret_name(variable)}", value, self)
            for variable, value in args.values.items()
        }
        self.ready = (
            *context.vault.ready,
            *(
                context.vault.allow_reading(
                    f"{name}-{secret_name(variable)}-access", secret, identity.principal_id, self
                )
                for variable, secret in self.stored.items()
            ),
        )
        self.register_outputs({})


def secret_name(variable: str) -> str:
    """The name in the form Container Apps and Key Vault require: lower-case letters, digits and hyphens."""
    return variable.lower().replace("_", "-")
