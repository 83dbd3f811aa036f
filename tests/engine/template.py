"""The resources of a template that a stack deploys with Azure Resource Manager."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.engine.record import Call

_TYPES = {
    "Microsoft.ApiManagement/service/diagnostics": "apimanagement:Diagnostic",
    "Microsoft.ApiManagement/service/loggers": "apimanagement:Logger",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateResource:
    """A resource of a template.

    Attributes:
        id: its id.
        type: the type token of azure-native.
        properties: its properties.
        depends_on: the ids of the resources that are deployed before it.
    """

    id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...]


def resources(call: Call) -> Iterator[TemplateResource]:
    """The resources of the template of a call; none if the call does not create or update a deployment.

    Raises:
        LookupError: a type that the table does not have.
    """
    if call.kind not in ("create", "update") or not call.is_of("resources:Deployment"):
        return
    group = call.id.partition("/providers/")[0]
    for resource in call.inputs["properties"]["template"]["resources"]:
        namespace, *types = resource["type"].split("/")
        path = "/".join(
            part for pair in zip(types, resource["name"].split("/"), strict=True) for part in pair
        )
        if resource["type"] not in _TYPES:
            raise LookupError(f"tests/engine/template.py does not list the type {resource['type']}: add it.")
        yield TemplateResource(
            id=f"{group}/providers/{namespace}/{path}",
            type=_TYPES[resource["type"]],
            properties=resource["properties"],
            depends_on=tuple(resource["dependsOn"]),
        )
