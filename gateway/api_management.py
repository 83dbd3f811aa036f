"""A reference to the API Management service, for the resources in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_azure_native import apimanagement

from gateway.plan import included_fragments, mentioned_named_values


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiManagementRef:
    """The API Management service.

    Attributes:
        resource_group_name: its resource group.
        service_name: its name.
        resource: the service itself.
        logger_id: resource id of the logger that writes to Application Insights.
        adopted: whether the service existed before the stack and remains after it is destroyed.
    """

    resource_group_name: pulumi.Output[str]
    service_name: pulumi.Output[str]
    resource: pulumi.Resource
    logger_id: pulumi.Output[str]
    adopted: bool

    def child(
        self, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
    ) -> pulumi.ResourceOptions:
        """Options of a resource in the service.

        It is deleted with the service, so that `pulumi destroy` never leaves a part of an API in a running
        service. In an adopted service, each resource is deleted separately, after those that depend on it.
        """
        return pulumi.ResourceOptions(
            parent=parent, depends_on=depends_on, deleted_with=None if self.adopted else self.resource
        )


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
        """The resources to which a policy refers. Without them, API Management rejects the policy."""
        return [
            *(self.named_values[name] for name in sorted(mentioned_named_values(text))),
            *(self.fragments[id_] for id_ in sorted(included_fragments(text))),
        ]


_MASKED_PARAMETERS = (
    "*",
    "access_token",
    "code",
    "login_hint",
    "state",
    "subscription-key",
    "transaction",
)
"""Query parameters that are not logged. The documentation does not say that `*` means all parameters, so
parameters with credentials or names of users are listed as well; those with ids of sessions are added.

https://learn.microsoft.com/rest/api/apimanagement/diagnostic/create-or-update#datamaskingentity
"""


def logging(body_bytes: int, sampling_percent: int, session_parameters: Iterable[str]) -> dict[str, Any]:
    """Arguments of a diagnostic that sends telemetry of requests to Application Insights.

    The audit records are traces of the severity `information`, so the verbosity must not be lower.

    Args:
        body_bytes: number of bytes of a body that are logged.
        sampling_percent: percentage of requests whose telemetry is kept.
        session_parameters: the query parameters with the ids of sessions, which are not logged.
    """
    message = _logged_message(body_bytes, session_parameters)
    pipeline = {"request": message, "response": message}
    return {
        "always_log": apimanagement.AlwaysLog.ALL_ERRORS,
        "sampling": {"sampling_type": apimanagement.SamplingType.FIXED, "percentage": sampling_percent},
        "verbosity": apimanagement.Verbosity.INFORMATION,
        "http_correlation_protocol": apimanagement.HttpCorrelationProtocol.W3_C,
        "operation_name_format": apimanagement.OperationNameFormat.NAME,
        "log_client_ip": False,
        "frontend": pipeline,
        "backend": pipeline,
    }


def _logged_message(body_bytes: int, session_parameters: Iterable[str]) -> dict[str, Any]:
    """The logged parts of a message: no headers and no query, because they contain codes and tokens."""
    return {
        "body": {"bytes": body_bytes},
        "headers": [],
        "data_masking": {
            "query_params": [
                {"value": name, "mode": apimanagement.DataMaskingMode.HIDE}
                for name in dict.fromkeys((*_MASKED_PARAMETERS, *session_parameters))
            ],
        },
    }
