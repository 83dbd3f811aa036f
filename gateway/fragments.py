"""What the policies of all MCP servers share, deployed once: fragments, which they include by their ids."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement

from gateway import policy
from settings import Settings

IDS = ("mcp-token", "mcp-request", "mcp-answer", "mcp-failure")
"""Each is the name of a template below `policies/fragments`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentsArgs:
    """What `Fragments` needs.

    Attributes:
        resource_group_name: resource group of the service.
        service_name: the API Management service.
        settings: the stack's settings.
        named_values: what the fragments mention.
    """

    resource_group_name: pulumi.Input[str]
    service_name: pulumi.Input[str]
    settings: Settings
    named_values: tuple[pulumi.Resource, ...]


class Fragments(pulumi.ComponentResource):
    """The fragments of the service.

    A change of one reaches every MCP server at once, as it should: it is the check of tokens and sessions.

    Attributes:
        declared: the resources; a policy that includes one is refused while it is not there.
    """

    declared: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: FragmentsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Fragments", name, None, opts)
        self.declared = tuple(
            apimanagement.PolicyFragment(
                f"{name}-{id_}",
                apimanagement.PolicyFragmentArgs(
                    resource_group_name=args.resource_group_name,
                    service_name=args.service_name,
                    id=id_,
                    format=apimanagement.PolicyFragmentContentFormat.RAWXML,
                    value=policy.render(f"fragments/{id_}.xml.j2", settings=args.settings),
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=args.named_values),
            )
            for id_ in IDS
        )
        self.register_outputs({})
