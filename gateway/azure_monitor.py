"""Declares what API Management sends to Azure Monitor about each request."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pulumi
from pulumi_azure_native import apimanagement, resources

from gateway.api_management import ApiManagementRef, logging

_NAME = "azuremonitor"
_API_VERSION = "2024-05-01"
_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureMonitorArgs:
    """Arguments of `AzureMonitor`.

    Attributes:
        service: the API Management service, which the stack created.
        service_id: its resource id.
        tags: tags of the deployment.
        logged_body_bytes: number of bytes of a body that are logged.
        sampling_percent: percentage of requests whose telemetry is kept.
        session_parameters: the query parameters with the ids of sessions, which are not logged.
        after: the resource with which Azure may create the logger and the diagnostic.
    """

    service: ApiManagementRef
    service_id: pulumi.Input[str]
    tags: Mapping[str, str]
    logged_body_bytes: int
    sampling_percent: int
    session_parameters: Sequence[str]
    after: pulumi.Resource


class AzureMonitor(pulumi.ComponentResource):
    """The logger and the diagnostic `azuremonitor`: the content of the resource logs in Log Analytics.

    Exports of services contain both although their owners did not create them. Whether Azure creates them
    with the service, with its diagnostic setting or in the portal is not documented, and azure-native refuses
    to create a resource that exists. A deployment of Azure Resource Manager creates what does not exist and
    updates what exists. It comes after the diagnostic setting, so its values remain.

    To delete the deployment deletes only its record; the logger and the diagnostic are deleted with the
    service. The record is in the resource group, which may be an existing one, so it is not left there.
    https://learn.microsoft.com/azure/azure-resource-manager/templates/deployment-history-deletions
    """

    def __init__(self, name: str, args: AzureMonitorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:AzureMonitor", name, None, opts)
        resources.Deployment(
            f"{name}-deployment",
            resources.DeploymentArgs(
                resource_group_name=args.service.resource_group_name,
                tags=args.tags,
                properties=resources.DeploymentPropertiesArgs(
                    mode=resources.DeploymentMode.INCREMENTAL, template=_template(args)
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.service.resource, args.after]),
        )
        self.register_outputs({})


def _template(args: AzureMonitorArgs) -> Mapping[str, Any]:
    """The template of the deployment."""
    logger_id = pulumi.Output.concat(args.service_id, "/loggers/", _NAME)
    diagnostic = logging_to_monitor(args.logged_body_bytes, args.sampling_percent, args.session_parameters)
    return {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "resources": [
            _resource(args.service, "loggers", {"loggerType": apimanagement.LoggerType.AZURE_MONITOR.value}),
            _resource(args.service, "diagnostics", {"loggerId": logger_id, **diagnostic}, [logger_id]),
        ],
    }


def _resource(
    service: ApiManagementRef,
    kind: str,
    properties: Mapping[str, Any],
    depends_on: Sequence[pulumi.Input[str]] = (),
) -> Mapping[str, Any]:
    return {
        "type": f"Microsoft.ApiManagement/service/{kind}",
        "apiVersion": _API_VERSION,
        "name": pulumi.Output.concat(service.service_name, "/", _NAME),
        "dependsOn": list(depends_on),
        "properties": properties,
    }


def logging_to_monitor(
    body_bytes: int, sampling_percent: int, session_parameters: Sequence[str]
) -> Mapping[str, Any]:
    """Properties of a diagnostic, in the names of templates, for telemetry without the audit records.

    Args:
        body_bytes: as in `logging`.
        sampling_percent: as in `logging`.
        session_parameters: as in `logging`.
    """
    only_application_insights = {"http_correlation_protocol", "operation_name_format"}
    arguments = {
        **logging(body_bytes, sampling_percent, session_parameters),
        "verbosity": apimanagement.Verbosity.ERROR,
    }
    return _in_template(
        {key: value for key, value in arguments.items() if key not in only_application_insights}
    )


def _in_template(value: Any) -> Any:
    """Arguments of the SDK as templates have them: `log_client_ip` is `logClientIp`."""
    if isinstance(value, Mapping):
        return {
            re.sub(r"_([a-z])", lambda match: match[1].upper(), key): _in_template(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_in_template(item) for item in value]
    return value.value if isinstance(value, Enum) else value
