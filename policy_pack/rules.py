"""Rules for the resources of every stack, as plain functions that need no SDK."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]
_SECRET_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|KEY)\Z", re.IGNORECASE)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: its name in the policy pack.
        description: the requirement, and its reason.
        mandatory: whether a violation stops a deployment.
        problems: returns the problems of a resource of a type, as sentences.
    """

    name: str
    description: str
    mandatory: bool
    problems: Callable[[str, Properties], Iterator[str]]


def _type(type_: str) -> str:
    """`azure-native:storage:StorageAccount` as `storage:StorageAccount`, for any version of its API."""
    provider, _, rest = type_.partition(":")
    if provider != "azure-native":
        return ""
    module, _, name = rest.rpartition(":")
    return f"{module.partition('/')[0]}:{name}"


def _no_shared_keys(type_: str, properties: Properties) -> Iterator[str]:
    kind = _type(type_)
    if kind == "storage:StorageAccount" and properties.get("allowSharedKeyAccess") is not False:
        yield "Set allowSharedKeyAccess to false: the account's key gives access to all its data."
    if kind in {"cosmosdb:DatabaseAccount", "applicationinsights:Component"} and not properties.get(
        "disableLocalAuth"
    ):
        yield "Set disableLocalAuth to true: access is by identity."


def _no_old_tls(type_: str, properties: Properties) -> Iterator[str]:
    expected = {
        "storage:StorageAccount": ("minimumTlsVersion", "TLS1_2"),
        "cosmosdb:DatabaseAccount": ("minimalTlsVersion", "Tls12"),
    }
    if (setting := expected.get(_type(type_))) and properties.get(setting[0]) != setting[1]:
        yield f"Set {setting[0]} to {setting[1]}."
    if _type(type_) == "web:WebApp" and not properties.get("httpsOnly"):
        yield "Set httpsOnly to true."


def _no_public_blobs(type_: str, properties: Properties) -> Iterator[str]:
    if _type(type_) == "storage:StorageAccount" and properties.get("allowBlobPublicAccess") is not False:
        yield "Set allowBlobPublicAccess to false."


def _no_logged_content(type_: str, properties: Properties) -> Iterator[str]:
    for diagnostic in _diagnostics(type_, properties):
        for side in ("frontend", "backend"):
            for message in ("request", "response"):
                logged = (diagnostic.get(side) or {}).get(message) or {}
                if (logged.get("body") or {}).get("bytes") or logged.get("headers"):
                    yield f"Log neither headers nor bodies of {side}.{message}: they contain tokens."


def _diagnostics(type_: str, properties: Properties) -> Iterator[Properties]:
    """The properties of a diagnostic of API Management, also of one in a template."""
    if _type(type_) in {"apimanagement:Diagnostic", "apimanagement:ApiDiagnostic"}:
        yield properties
    if _type(type_) == "resources:Deployment":
        template = (properties.get("properties") or {}).get("template") or {}
        for resource in template.get("resources") or ():
            if str(resource.get("type")).endswith("/diagnostics"):
                yield resource.get("properties") or {}


def _principal_types(type_: str, properties: Properties) -> Iterator[str]:
    if _type(type_) == "authorization:RoleAssignment" and not properties.get("principalType"):
        yield "Set principalType: without it the assignment fails while a new identity propagates."


def _no_plain_secrets(type_: str, properties: Properties) -> Iterator[str]:
    for container in _containers(type_, properties):
        for variable in container.get("env") or ():
            if _SECRET_NAME.search(str(variable.get("name"))) and variable.get("value"):
                yield f"Make {variable['name']} a secret of the app and refer to it with secretRef."


def _pinned_images(type_: str, properties: Properties) -> Iterator[str]:
    for container in _containers(type_, properties):
        image = str(container.get("image") or "")
        if image and not _DIGEST.search(image):
            yield f"Pin {image} by its digest (@sha256:...): a tag can be moved."


def _containers(type_: str, properties: Properties) -> list[Properties]:
    if _type(type_) != "app:ContainerApp":
        return []
    template = properties.get("template") or {}
    return [container for container in template.get("containers") or () if isinstance(container, Mapping)]


RULES = (
    Rule("no-shared-keys", "Access is by identity, never by a key of an account.", True, _no_shared_keys),
    Rule("tls-1-2", "Connections use TLS 1.2 or newer.", True, _no_old_tls),
    Rule("no-public-blobs", "No blob can be read without a sign-in.", True, _no_public_blobs),
    Rule("no-logged-content", "API Management logs no header and no body.", True, _no_logged_content),
    Rule("principal-types", "Role assignments set `principalType`.", True, _principal_types),
    Rule("no-plain-secrets", "Containers have secrets, not plain variables.", True, _no_plain_secrets),
    Rule("pinned-images", "Images are pinned by digest.", False, _pinned_images),
)
