"""Declares the fragments of the plan: what the policies of all MCP servers share, deployed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement

from apim.named_values import mentioned
from gateway.plan import Fragment


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentsArgs:
    """Arguments of `Fragments`.

    Attributes:
        resource_group_name: resource group of the service.
        service_name: the API Management service.
        planned: the fragments to declare.
        named_values: the declared named values, by name.
    """

    resource_group_name: pulumi.Input[str]
    service_name: pulumi.Input[str]
    planned: Sequence[Fragment]
    named_values: Mapping[str, pulumi.Resource]


class Fragments(pulumi.ComponentResource):
    """The fragments of the service. A change of one reaches every MCP server.

    Attributes:
        declared: the resources by id.
    """

    declared: Mapping[str, pulumi.Resource]

    def __init__(self, name: str, args: FragmentsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Fragments", name, None, opts)
        self.declared = {
            planned.id: apimanagement.PolicyFragment(
                f"{name}-{planned.id}",
                apimanagement.PolicyFragmentArgs(
                    resource_group_name=args.resource_group_name,
                    service_name=args.service_name,
                    id=planned.id,
                    format=apimanagement.PolicyFragmentContentFormat.RAWXML,
                    value=planned.policy,
                ),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[args.named_values[each] for each in sorted(mentioned(planned.policy))],
                ),
            )
            for planned in args.planned
        }
        self.register_outputs({})
