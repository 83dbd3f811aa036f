"""Declares the fragments of the plan: the parts that the policies of all MCP servers share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement

from gateway.api_management import ApiManagementRef, PolicyRequirements
from gateway.plan import Fragment


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentsArgs:
    """Arguments of `Fragments`.

    Attributes:
        service: the API Management service.
        planned: the fragments to declare.
        requirements: the named values that they mention.
    """

    service: ApiManagementRef
    planned: Sequence[Fragment]
    requirements: PolicyRequirements


class Fragments(pulumi.ComponentResource):
    """The fragments of the service. A change to a fragment affects every MCP server.

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
                    resource_group_name=args.service.resource_group_name,
                    service_name=args.service.service_name,
                    id=planned.id,
                    format=apimanagement.PolicyFragmentContentFormat.RAWXML,
                    value=planned.policy,
                ),
                opts=args.service.child(self, args.requirements.of(planned.policy)),
            )
            for planned in args.planned
        }
        self.register_outputs({})
