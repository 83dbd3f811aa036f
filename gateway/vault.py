"""The Key Vault of a stack, and references to the secrets in it.

Pulumi writes secrets through Azure Resource Manager, so the deployer needs no right to read a secret and
no network path to the vault. Resource Manager cannot delete a secret; the provider Azure Native deletes it
through the API of the vault.
https://github.com/pulumi/pulumi-azure-native/issues/2374
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, keyvault

from configuration.resource_id import ResourceId
from gateway.account import Account, Role
from gateway.network import Network

_RETENTION_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultArgs:
    """Arguments of `Vault`.

    Attributes:
        resource_group_name: resource group of the vault.
        location: the region.
        tags: tags of its resources.
        account: subscription and tenant.
        protect: whether Pulumi refuses to delete or replace the vault.
        network: the only network from which it can be reached, except by trusted services of Azure; None for
            the internet.
        existing: a vault to use; None to create one.
        must_be_open: whether an existing vault must have no firewall, because a firewall would block its
            readers.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    account: Account
    protect: bool
    network: Network | None = None
    existing: ResourceId | None = None
    must_be_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSecret:
    """A secret in the vault.

    Attributes:
        id: its resource id, which is the scope of the right to read it.
        uri: its URL with its version, so that a reference to it always reads the same value.
    """

    id: pulumi.Output[str]
    uri: pulumi.Output[str]


class Vault(pulumi.ComponentResource):
    """A Key Vault with role-based access control, soft delete and purge protection.

    Attributes:
        id: resource id of the vault.
        ready: the resources that must exist before the virtual network can resolve the vault's name.
    """

    id: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Vault", name, None, opts)
        self._name = name
        self._account = args.account
        # Secrets in the stack's own vault are deleted with the vault. They remain if only a server is removed
        # from the stack: only the vault's own API can delete a secret, and the deployer may have neither the
        # right nor network access.
        self._retained = args.existing is None
        if args.existing:
            self._resource_group_name: pulumi.Input[str] = args.existing.group
            vault = keyvault.Vault.get(
                f"{name}-vault", str(args.existing), opts=pulumi.ResourceOptions(parent=self)
            )
            self._vault_name = pulumi.Output.all(vault.name, vault.properties).apply(
                lambda values: _require_suitable(*values, must_be_open=args.must_be_open)
            )
        else:
            self._resource_group_name = args.resource_group_name
            vault = self._create(args)
            self._vault_name = vault.name
        self.id = vault.id
        self.ready = (
            args.network.endpoint(f"{name}-private", vault.id, "vault", self).ready if args.network else ()
        )
        self.register_outputs({"id": self.id})

    def _create(self, args: VaultArgs) -> "keyvault.Vault":
        return keyvault.Vault(
            # Pulumi adds eight random characters; a vault's name has at most 24. The name of a deleted vault
            # cannot be used again for ninety days, because purge protection prevents an earlier removal.
            "mcp-vault",
            keyvault.VaultArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                properties=keyvault.VaultPropertiesArgs(
                    tenant_id=args.account.tenant_id,
                    sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                    enable_rbac_authorization=True,
                    enable_soft_delete=True,
                    soft_delete_retention_in_days=_RETENTION_DAYS,
                    enable_purge_protection=True,
                    enabled_for_deployment=False,
                    enabled_for_disk_encryption=False,
                    enabled_for_template_deployment=False,
                    public_network_access="Disabled" if args.network else "Enabled",
                    # API Management reads secrets as a trusted service, not from its subnet.
                    # https://learn.microsoft.com/azure/api-management/api-management-howto-properties
                    network_acls=keyvault.NetworkRuleSetArgs(
                        bypass=keyvault.NetworkRuleBypassOptions.AZURE_SERVICES,
                        default_action=keyvault.NetworkRuleAction.DENY,
                    )
                    if args.network
                    else None,
                ),
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def secret(self, name: str, value: pulumi.Input[str], parent: pulumi.Resource) -> VaultSecret:
        """Stores a secret.

        Args:
            name: its logical name. The name in Azure has eight more random characters, because the name of a
                deleted secret cannot be used again while the vault retains it.
            value: the value of the secret.
            parent: the component that it belongs to.
        """
        secret = keyvault.Secret(
            name,
            keyvault.SecretArgs(
                resource_group_name=self._resource_group_name,
                vault_name=self._vault_name,
                properties=keyvault.SecretPropertiesArgs(value=pulumi.Output.secret(value)),
            ),
            opts=pulumi.ResourceOptions(parent=parent, retain_on_delete=self._retained),
        )
        # The address is not secret, but Pulumi marks all properties of a resource with a secret one.
        uri = secret.properties.apply(lambda properties: properties.secret_uri_with_version)
        return VaultSecret(id=secret.id, uri=pulumi.Output.unsecret(uri))

    def allow_reading(
        self, name: str, secret: VaultSecret, principal_id: pulumi.Input[str], parent: pulumi.Resource
    ) -> pulumi.Resource:
        """Lets an identity read one secret and nothing else in the vault."""
        return authorization.RoleAssignment(
            name,
            authorization.RoleAssignmentArgs(
                scope=secret.id,
                role_definition_id=self._account.role(Role.KEY_VAULT_SECRETS_USER),
                principal_id=principal_id,
                principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
            ),
            opts=pulumi.ResourceOptions(parent=parent),
        )


def _require_suitable(
    name: str,
    properties: "keyvault.outputs.VaultPropertiesResponse | Mapping[str, object]",
    *,
    must_be_open: bool,
) -> str:
    """The name of an existing vault, if the stack can use it.

    Raises:
        pulumi.RunError: it has access policies, or a firewall that the stack cannot pass.
    """
    # `Output.all` gives nested properties as dictionaries.
    vault: Mapping[str, object] = properties if isinstance(properties, Mapping) else {}
    if not vault.get("enable_rbac_authorization"):
        raise pulumi.RunError(
            f"The Key Vault {name} has access policies. The stack gives its identities the role Key Vault "
            "Secrets User, which such a vault ignores, and does not change the vault.\n"
            f"  > az keyvault update --name {name} --enable-rbac-authorization true"
        )
    rules = vault.get("network_acls")
    closed = vault.get("public_network_access") == "Disabled" or (
        isinstance(rules, Mapping) and rules.get("default_action") == "Deny"
    )
    if closed and must_be_open:
        raise pulumi.RunError(
            f"The Key Vault {name} has a firewall, which admits API Management only with its "
            "system-assigned identity. With existingApiManagement the stack uses the user-assigned identity "
            "of that service. Let the stack create its own vault.\n"
            "  > pulumi config rm existingKeyVault"
        )
    return name
