"""An API of API Management with its operations, each with its policy."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        id: its id in API Management.
        title: its name in the portal and in logs.
        method: HTTP method.
        template: URL template below the API's path.
        policy: text of its policy, or None when the API's is all there is.
        mentioned: the named values and fragments that its policy mentions, beside the values that all do.
    """

    id: str
    title: str
    method: str
    template: str
    policy: str | None
    mentioned: tuple[pulumi.Resource, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The service in which an API is created.

    Attributes:
        resource_group_name: resource group of the service.
        service_name: the API Management service.
        named_values: the values that any policy may mention.
        fragments: the fragments that policies of MCP servers include; they come after the values.
    """

    resource_group_name: pulumi.Output[str]
    service_name: pulumi.Output[str]
    named_values: tuple[pulumi.Resource, ...]
    fragments: tuple[pulumi.Resource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One API, open to the network: its policies decide who gets in, not a subscription key.

    Attributes:
        host: the service in which it is created.
        api_id: its id.
        title: its name in the portal and in logs.
        description: what it is for.
        path: first segments of its URLs, without slashes; empty for the root.
        service_url: origin of the server behind it, or None when policies answer.
        policy: text of the API's policy.
        mentioned: the named values and fragments that it mentions.
        operations: its operations.
    """

    host: Host
    api_id: str
    title: str
    description: str
    path: str
    service_url: pulumi.Input[str] | None
    policy: str
    mentioned: Sequence[pulumi.Resource] = ()
    operations: Sequence[Operation]


def declare(name: str, definition: Api, parent: pulumi.Resource) -> None:
    """Declares an API with its policy, its operations and theirs, as children of a component."""
    host = definition.host
    child = pulumi.ResourceOptions(parent=parent)
    api = apimanagement.Api(
        f"{name}-api",
        apimanagement.ApiArgs(
            resource_group_name=host.resource_group_name,
            service_name=host.service_name,
            api_id=definition.api_id,
            display_name=definition.title,
            description=definition.description,
            path=definition.path,
            protocols=[apimanagement.Protocol.HTTPS],
            api_type=apimanagement.ApiType.HTTP,
            service_url=definition.service_url,
            subscription_required=False,
        ),
        opts=child,
    )
    apimanagement.ApiPolicy(
        f"{name}-policy",
        apimanagement.ApiPolicyArgs(
            resource_group_name=host.resource_group_name,
            service_name=host.service_name,
            api_id=api.name,
            policy_id="policy",
            format=apimanagement.PolicyContentFormat.RAWXML,
            value=definition.policy,
        ),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=definition.mentioned),
    )
    for operation in definition.operations:
        declared = apimanagement.ApiOperation(
            f"{name}-{operation.id}",
            apimanagement.ApiOperationArgs(
                resource_group_name=host.resource_group_name,
                service_name=host.service_name,
                api_id=api.name,
                operation_id=operation.id,
                display_name=operation.title,
                method=operation.method,
                url_template=operation.template,
            ),
            opts=child,
        )
        if operation.policy is not None:
            apimanagement.ApiOperationPolicy(
                f"{name}-{operation.id}-policy",
                apimanagement.ApiOperationPolicyArgs(
                    resource_group_name=host.resource_group_name,
                    service_name=host.service_name,
                    api_id=api.name,
                    operation_id=declared.name,
                    policy_id="policy",
                    format=apimanagement.PolicyContentFormat.RAWXML,
                    value=operation.policy,
                ),
                opts=pulumi.ResourceOptions(
                    parent=parent, depends_on=[*host.named_values, *operation.mentioned]
                ),
            )
