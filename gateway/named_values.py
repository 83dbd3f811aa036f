"""Declares named values: values of the deployment that policies use as `{{name}}`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement

from gateway.api_management import ApiManagementRef
from gateway.plan import PlannedValue
from gateway.propagation import retries
from gateway.vault import VaultSecret


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A secret in a Key Vault that API Management reads.

    Attributes:
        secret: the secret.
        client_id: client id of the user-assigned identity that reads it; None for the system-assigned one.
        ready: the resources that must exist before it can be read.
    """

    secret: VaultSecret
    client_id: pulumi.Input[str] | None
    ready: Sequence[pulumi.Resource]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValuesArgs:
    """Arguments of `NamedValues`.

    Attributes:
        service: the API Management service.
        planned: the named values to declare.
        values: their values by name, except those of secrets.
        references: where the secrets are, by the name of the named value.
    """

    service: ApiManagementRef
    planned: Sequence[PlannedValue]
    values: Mapping[str, pulumi.Input[str]]
    references: Mapping[str, Reference]


class NamedValues(pulumi.ComponentResource):
    """Named values of the service.

    Attributes:
        declared: the resources by name.
    """

    declared: Mapping[str, pulumi.Resource]

    def __init__(self, name: str, args: NamedValuesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:NamedValues", name, None, opts)
        self.declared = {planned.name: self._declare(name, args, planned) for planned in args.planned}
        self.register_outputs({})

    def _declare(self, name: str, args: NamedValuesArgs, planned: PlannedValue) -> "apimanagement.NamedValue":
        reference = args.references[planned.name] if planned.secret else None
        resource = f"{name}-{planned.name}"
        options = args.service.child(self, reference.ready if reference else ())
        options.hooks = retries(resource) if reference else None
        return apimanagement.NamedValue(
            resource,
            apimanagement.NamedValueArgs(
                resource_group_name=args.service.resource_group_name,
                service_name=args.service.service_name,
                named_value_id=planned.name,
                display_name=planned.name,
                value=None if reference else args.values[planned.name],
                # The URL contains a version: without one, API Management reads the secret again every four
                # hours.
                key_vault=apimanagement.KeyVaultContractCreatePropertiesArgs(
                    secret_identifier=reference.secret.uri, identity_client_id=reference.client_id
                )
                if reference
                else None,
                secret=planned.secret,
            ),
            opts=options,
        )
