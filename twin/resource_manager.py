"""A read-only stand-in for Azure Resource Manager on the control port, for `make verify`.

It returns the resources of API Management, Function Apps and Container Apps, by id and as collections.
Resources of API Management reflect the running gateway, including policies that were replaced since the
start. Responses never contain secrets: secret named values have no value, apps have no settings,
environment variables or secrets.

Source: https://learn.microsoft.com/rest/api/apimanagement/, /rest/api/appservice/, /rest/api/containerapps/
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from apim.nesting import DEFAULT_POLICY
from apim.service import PolicyDocument, Service
from twin.stack import Declared, Stack

_APPS = {
    "web:WebApp": ("defaultHostName", "state"),
    "web:WebAppAuthSettingsV2": (
        "platform",
        "globalValidation",
        "httpSettings",
        "identityProviders",
        "login",
    ),
    "web:WebAppFtpAllowed": ("allow",),
    "web:WebAppScmAllowed": ("allow",),
    "app:ManagedEnvironment": ("defaultDomain",),
    "app:ContainerApp": ("latestRevisionName",),
    "app:ContainerAppsAuthConfig": (
        "platform",
        "globalValidation",
        "httpSettings",
        "identityProviders",
        "login",
    ),
}
"""The types of resources of apps, with the properties that responses contain."""


class ResourceManager:
    """Serves read requests about one subscription.

    Args:
        stack: the evaluated stack.
        service: returns the service that the gateway is running.
    """

    def __init__(self, stack: Stack, service: Callable[[], Service]) -> None:
        self._stack = stack
        self._service = service

    def routes(self) -> list[BaseRoute]:
        """The routes on the control port."""
        methods = ["GET", "PUT", "PATCH", "POST", "DELETE"]
        return [
            Route("/subscriptions", self._respond, methods=methods),
            Route("/subscriptions/{rest:path}", self._respond, methods=methods),
        ]

    async def _respond(self, request: Request) -> Response:
        if not request.headers.get("authorization", "").lower().startswith("bearer "):
            return _error(401, "AuthenticationFailed", "Authentication failed. Send any bearer token.")
        if request.method != "GET":
            return _error(405, "MethodNotAllowed", "The twin's Azure Resource Manager is read-only.")
        if "api-version" not in request.query_params:
            return _error(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        path = request.url.path.rstrip("/")
        resources = {resource["id"].lower(): resource for resource in self._resources()}
        resource = resources.get(path.lower())
        if resource is None:
            return _collection(path.lower(), resources)
        if "format" in resource.get("properties", {}) and request.query_params.get("format") != "rawxml":
            return _error(400, "ValidationError", "The twin returns policies only with format=rawxml.")
        return JSONResponse(_response_body(resource))

    def _resources(self) -> Iterator[dict[str, Any]]:
        """All resources, computed for each request, so that they are never out of date."""
        service = self._stack.one("apimanagement:ApiManagementService")
        subscription = "/".join(service.id.split("/")[:3])
        yield {"id": subscription, "subscriptionId": subscription.rpartition("/")[2], "state": "Enabled"}
        yield _service(service, self._service().sku)
        yield from _children(service.id, self._service())
        for type_, properties in _APPS.items():
            for declared in self._stack.of_type(type_):
                yield _app(declared, properties)
        for route in self._stack.of_type("app:HttpRouteConfig"):
            yield {**_id_members(route.id), "properties": route.outputs["properties"]}


def _service(declared: Declared, sku: str) -> dict[str, Any]:
    outputs = declared.outputs
    return {
        **_id_members(declared.id),
        "location": outputs.get("location"),
        "sku": declared.inputs.get("sku") or {"name": sku, "capacity": 1},
        "identity": outputs.get("identity"),
        "properties": {
            key: outputs.get(key) for key in ("gatewayUrl", "platformVersion", "provisioningState")
        },
    }


def _children(service_id: str, service: Service) -> Iterator[dict[str, Any]]:
    """The child resources of the service, as the gateway runs them."""
    # Azure creates a policy of all APIs with the service.
    yield from _policy(service_id, service.policy or DEFAULT_POLICY)
    for api in service.apis:
        api_id = f"{service_id}/apis/{api.id}"
        yield {
            **_id_members(api_id),
            "properties": {
                "displayName": api.name,
                "path": api.path,
                "serviceUrl": api.service_url,
                "subscriptionRequired": api.subscription_required,
                "isCurrent": True,
            },
        }
        yield from _policy(api_id, api.policy)
        for operation in api.operations:
            operation_id = f"{api_id}/operations/{operation.id}"
            yield {
                **_id_members(operation_id),
                "properties": {
                    "displayName": operation.name,
                    "method": operation.method,
                    "urlTemplate": operation.url_template,
                },
            }
            yield from _policy(operation_id, operation.policy)
    for fragment in service.fragments:
        yield _document(f"{service_id}/policyFragments/{fragment.id}", fragment.document)
    for value in service.named_values:
        shown = {} if value.secret else {"value": value.value}
        yield {
            **_id_members(f"{service_id}/namedValues/{value.name}"),
            "properties": {"displayName": value.name, "secret": value.secret, **shown},
        }


def _policy(owner: str, document: PolicyDocument | None) -> Iterator[dict[str, Any]]:
    if document is not None:
        yield _document(f"{owner}/policies/policy", document)


def _document(id_: str, document: PolicyDocument) -> dict[str, Any]:
    return {**_id_members(id_), "properties": {"format": "rawxml", "value": document.xml}}


def _response_body(resource: dict[str, Any]) -> dict[str, Any]:
    properties = resource.get("properties", {})
    if "format" not in properties:
        return resource
    return {**resource, "properties": {**properties, "value": _format_as_azure(properties["value"])}}


def _format_as_azure(xml: str) -> str:
    """A policy document in the format in which Azure returns it: indented with tabs, lines ending with CR LF.

    Source: Azure/azure-rest-api-specs#21835 and #25306, which compare written and returned documents.
    """
    lines = [
        re.sub(r"^(?: {4})+(?=<)", lambda spaces: "\t" * (len(spaces[0]) // 4), line)
        for line in xml.split("\n")
    ]
    return "\r\n".join(lines).rstrip()


def _app(declared: Declared, properties: tuple[str, ...]) -> dict[str, Any]:
    values = {**declared.inputs, **declared.outputs}
    shown = {key: values.get(key) for key in properties}
    if ingress := ((values.get("configuration") or {}).get("ingress")):
        shown["configuration"] = {"ingress": ingress}
    return {
        **_id_members(declared.id),
        "location": declared.inputs.get("location"),
        "tags": declared.inputs.get("tags"),
        "properties": shown,
    }


def _id_members(id_: str) -> dict[str, Any]:
    provider, *rest = id_.rpartition("/providers/")[2].split("/")
    return {"id": id_, "name": id_.rpartition("/")[2], "type": "/".join([provider, *rest[::2]])}


def _collection(path: str, resources: Mapping[str, dict[str, Any]]) -> Response:
    """The resources of the type at the end of a path, in all resource groups if the path has none."""
    pattern = re.escape(path).replace("/providers/", "(?:/resourcegroups/[^/]+)?/providers/", 1)
    below = re.compile(rf"{pattern}/[^/]+")
    matching = [resource for id_, resource in resources.items() if below.fullmatch(id_)]
    owner = path.rpartition("/")[0]
    if not matching and owner not in resources and "/providers/" not in path:
        return _error(404, "ResourceNotFound", f"The resource '{path}' was not found.")
    if not matching and _is_resource(path):
        return _error(404, "ResourceNotFound", f"The resource '{path}' was not found.")
    return JSONResponse({"value": [_response_body(resource) for resource in matching]})


def _is_resource(path: str) -> bool:
    """Whether a path is that of a resource: after the provider, it has pairs of type and name."""
    parts = path.rpartition("/providers/")[2].split("/")
    return len(parts) % 2 == 1


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
