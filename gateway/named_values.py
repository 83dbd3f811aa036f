"""What policies know of the deployment: named values, written `{{name}}` in a policy."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValuesArgs:
    """What `NamedValues` needs.

    Attributes:
        resource_group_name: resource group of the service.
        service_name: the API Management service.
        plain: values by name, readable by whoever may read the service.
        secret: values by name that API Management keeps encrypted and never shows.
    """

    resource_group_name: pulumi.Input[str]
    service_name: pulumi.Input[str]
    plain: Mapping[str, pulumi.Input[str]]
    secret: Mapping[str, pulumi.Output[str]]


class NamedValues(pulumi.ComponentResource):
    """The named values of the service.

    Attributes:
        declared: the resources; every policy depends on them, because API Management refuses a policy that
            names a value that is not there yet.
    """

    declared: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: NamedValuesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:NamedValues", name, None, opts)
        self.declared = tuple(
            apimanagement.NamedValue(
                f"{name}-{key}",
                apimanagement.NamedValueArgs(
                    resource_group_name=args.resource_group_name,
                    service_name=args.service_name,
                    named_value_id=key,
                    display_name=key,
                    value=value,
                    secret=key in args.secret,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for key, value in {**args.plain, **args.secret}.items()
        )
        self.register_outputs({})
