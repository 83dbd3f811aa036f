"""Declares an API of the plan in API Management."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import apimanagement

from gateway.api import Api
from gateway.api_management import ApiManagementRef, PolicyRequirements, logging
from gateway.backend_context import Deployed


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedApiArgs:
    """Arguments of `PublishedApi`.

    Attributes:
        service: the API Management service.
        requirements: the resources to which its policies refer.
        api: the API as planned.
        server: the MCP server behind it, or None when its policies answer.
        logged_body_bytes: number of bytes of a body that are logged.
        sampling_percent: percentage of requests whose telemetry is kept.
        session_parameters: the query parameters with the ids of sessions, which are not logged.
    """

    service: ApiManagementRef
    requirements: PolicyRequirements
    api: Api
    server: Deployed | None
    logged_body_bytes: int
    sampling_percent: int
    session_parameters: Sequence[str]


class PublishedApi(pulumi.ComponentResource):
    """An API with its policy, its operations and their policies.

    The resources are created one after the other: authentication of the server, API, policy of the API, then
    each operation with its policy. So an operation never exists without the policy of its API, even if a
    deployment fails halfway or while the API is removed, which happens in the reverse order. The policy of
    the API checks the token or rejects the request, so an operation whose own policy does not exist yet
    forwards nothing.

    The order also avoids 409 (PessimisticConcurrencyConflict), with which API Management refuses a write
    while another write to the same API is in progress.

    Attributes:
        last: the resource that is created last.
    """

    last: pulumi.Resource

    def __init__(self, name: str, args: PublishedApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:PublishedApi", name, None, opts)
        self._name = name
        self._args = args
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
                service_url=args.server.url if args.server else None,
                subscription_required=False,
            ),
            opts=service.child(self, args.server.authentication if args.server else ()),
        )
        previous: pulumi.Resource = apimanagement.ApiPolicy(
            f"{name}-policy",
            apimanagement.ApiPolicyArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                api_id=api.name,
                policy_id="policy",
                format=apimanagement.PolicyContentFormat.RAWXML,
                value=planned.policy,
            ),
            opts=service.child(self, args.requirements.of(planned.policy)),
        )
        if service.adopted:
            # A diagnostic of the service would also log the APIs of other owners.
            previous = apimanagement.ApiDiagnostic(
                f"{name}-diagnostic",
                apimanagement.ApiDiagnosticArgs(
                    resource_group_name=service.resource_group_name,
                    service_name=service.service_name,
                    api_id=api.name,
                    diagnostic_id="applicationinsights",
                    logger_id=service.logger_id,
                    **logging(args.logged_body_bytes, args.sampling_percent, args.session_parameters),
                ),
                opts=service.child(self, [previous]),
            )
        for operation in planned.operations:
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
                opts=service.child(self, [previous]),
            )
            previous = declared
            if operation.policy is not None:
                previous = self._declare_operation_policy(operation.id, operation.policy, api, declared)
        self.last = previous
        self.register_outputs({})

    def _declare_operation_policy(
        self, id_: str, text: str, api: "apimanagement.Api", operation: "apimanagement.ApiOperation"
    ) -> pulumi.Resource:
        service = self._args.service
        return apimanagement.ApiOperationPolicy(
            f"{self._name}-{id_}-policy",
            apimanagement.ApiOperationPolicyArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                api_id=api.name,
                operation_id=operation.name,
                policy_id="policy",
                format=apimanagement.PolicyContentFormat.RAWXML,
                value=text,
            ),
            opts=service.child(self, self._args.requirements.of(text)),
        )
