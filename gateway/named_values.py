"""Declares named values: values of the deployment that policies use as `{{name}}`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement

from gateway.api_management import ApiManagementRef
from gateway.plan import NamedValue


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValuesArgs:
    """Arguments of `NamedValues`.

    Attributes:
        service: the API Management service.
        planned: the named values to declare.
        values: their values by name.
    """

    service: ApiManagementRef
    planned: Sequence[NamedValue]
    values: Mapping[str, pulumi.Input[str]]


class NamedValues(pulumi.ComponentResource):
    """Named values of the service.

    Attributes:
        declared: the resources by name.
    """

    declared: Mapping[str, pulumi.Resource]

    def __init__(self, name: str, args: NamedValuesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:NamedValues", name, None, opts)
        self.declared = {
            planned.name: apimanagement.NamedValue(
                f"{name}-{planned.name}",
                apimanagement.NamedValueArgs(
                    resource_group_name=args.service.resource_group_name,
                    service_name=args.service.service_name,
                    named_value_id=planned.name,
                    display_name=planned.name,
                    value=args.values[planned.name],
                    secret=planned.secret,
                ),
                opts=args.service.child(self),
            )
            for planned in args.planned
        }
        self.register_outputs({})
