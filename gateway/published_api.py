"""Declares an API of the plan in API Management."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement

from apim.named_values import mentioned
from gateway.api import Api, Operation
from gateway.plan import included_fragments


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiManagementRef:
    """The service in which APIs are published.

    Attributes:
        resource_group_name: resource group of the service.
        service_name: name of the service.
        named_values: the named values by name.
        fragments: the fragments by id.
    """

    resource_group_name: pulumi.Output[str]
    service_name: pulumi.Output[str]
    named_values: Mapping[str, pulumi.Resource]
    fragments: Mapping[str, pulumi.Resource]

    def required_by(self, text: str) -> list[pulumi.Resource]:
        """What a policy mentions or includes; API Management refuses the policy while one is missing."""
        return [
            *(self.named_values[name] for name in sorted(mentioned(text))),
            *(self.fragments[id_] for id_ in sorted(included_fragments(text))),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedApiArgs:
    """Arguments of `PublishedApi`.

    Attributes:
        service: where the API is published.
        api: the API as planned.
        service_url: origin of the MCP server behind it, or None when its policies answer.
    """

    service: ApiManagementRef
    api: Api
    service_url: pulumi.Output[str] | None


class PublishedApi(pulumi.ComponentResource):
    """An API with its policy, its operations and their policies."""

    def __init__(self, name: str, args: PublishedApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:PublishedApi", name, None, opts)
        service, planned = args.service, args.api
        api = apimanagement.Api(
            f"{name}-api",
            apimanagement.ApiArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                api_id=planned.id,
                display_name=planned.title,
                description=planned.description,
                path=planned.path,
                protocols=[apimanagement.Protocol.HTTPS],
                api_type=apimanagement.ApiType.HTTP,
                service_url=args.service_url,
                subscription_required=False,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        apimanagement.ApiPolicy(
            f"{name}-policy",
            apimanagement.ApiPolicyArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                api_id=api.name,
                policy_id="policy",
                format=apimanagement.PolicyContentFormat.RAWXML,
                value=planned.policy,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=service.required_by(planned.policy)),
        )
        for operation in planned.operations:
            self._declare_operation(name, operation, service, api)
        self.register_outputs({})

    def _declare_operation(
        self, name: str, operation: Operation, service: ApiManagementRef, api: apimanagement.Api
    ) -> None:
        declared = apimanagement.ApiOperation(
            f"{name}-{operation.id}",
            apimanagement.ApiOperationArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                api_id=api.name,
                operation_id=operation.id,
                display_name=operation.title,
                method=operation.method,
                url_template=operation.template,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if operation.policy is None:
            return
        apimanagement.ApiOperationPolicy(
            f"{name}-{operation.id}-policy",
            apimanagement.ApiOperationPolicyArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                api_id=api.name,
                operation_id=declared.name,
                policy_id="policy",
                format=apimanagement.PolicyContentFormat.RAWXML,
                value=operation.policy,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=service.required_by(operation.policy)),
        )
