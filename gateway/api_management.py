"""A reference to the API Management service, for the resources in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from gateway.plan import included_fragments, mentioned_named_values


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiManagementRef:
    """The API Management service.

    Attributes:
        resource_group_name: its resource group.
        service_name: its name.
        resource: the service itself.
    """

    resource_group_name: pulumi.Output[str]
    service_name: pulumi.Output[str]
    resource: pulumi.Resource

    def child(
        self, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
    ) -> pulumi.ResourceOptions:
        """Options of a resource in the service.

        It is deleted with the service: `pulumi destroy` does not take an API apart while the service runs.
        """
        return pulumi.ResourceOptions(parent=parent, depends_on=depends_on, deleted_with=self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRequirements:
    """The declared resources that policies refer to.

    Attributes:
        named_values: the named values by name.
        fragments: the fragments by id.
    """

    named_values: Mapping[str, pulumi.Resource]
    fragments: Mapping[str, pulumi.Resource]

    def of(self, text: str) -> list[pulumi.Resource]:
        """What a policy mentions or includes; API Management refuses the policy while one is missing."""
        return [
            *(self.named_values[name] for name in sorted(mentioned_named_values(text))),
            *(self.fragments[id_] for id_ in sorted(included_fragments(text))),
        ]
