"""Checks of API Management: the service, its APIs, policies, fragments and named values."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from apim.findings import PolicyError
from apim.rawxml import parse
from gateway import policy
from verify.check import Check, FailedError, require
from verify.documents import differences
from verify.resource_manager import ResourceManager
from verify.session import Service, Session
from verify.target import Azure

SECTION = "Azure"


def checks(manager: ResourceManager) -> Iterable[Check]:
    """The checks of API Management, in the order of the report."""
    yield Check(
        id="service",
        section=SECTION,
        title="API Management is found in Azure",
        run=partial(_find, manager),
        remedy="Select it: --subscription <id> --resource-group <name> --service <name>.",
    )
    yield Check(
        id="operations",
        section=SECTION,
        title="APIs and operations are those of the plan",
        run=partial(_operations, manager),
        remedy="Run `pulumi refresh`, then `pulumi up`.",
        needs=("service",),
    )
    yield Check(
        id="policies",
        section=SECTION,
        title="Deployed policies are the rendered ones",
        run=partial(_policies, manager),
        remedy="Run `pulumi refresh`, then `pulumi up`; Pulumi may not detect a change to a policy by itself "
        "(pulumi/pulumi-azure-native#3620).",
        needs=("service",),
    )
    yield Check(
        id="fragments",
        section=SECTION,
        title="Deployed fragments are the rendered ones",
        run=partial(_fragments, manager),
        remedy="API Management can take minutes to register a fragment, and keeps the old one if it rejects "
        "the new one. Wait and try again; then run `pulumi refresh` and `pulumi up`.",
        needs=("service",),
    )
    yield Check(
        id="named-values",
        section=SECTION,
        title="Named values exist",
        run=partial(_named_values, manager),
        remedy="Run `pulumi refresh`, then `pulumi up`.",
        needs=("service",),
    )


async def _find(manager: ResourceManager, session: Session) -> str:
    service = await _service(manager, session.url, session.target.azure)
    if service is None:
        raise FailedError(
            f"no service of the subscriptions that you may read has the gateway URL {session.url}"
        )
    properties = service.get("properties") or {}
    identity = service.get("identity") or {}
    assigned = identity.get("userAssignedIdentities") or {}
    session.service = Service(
        id=str(service["id"]),
        identities=tuple(
            (identity.get("clientId", ""), identity.get("principalId", "")) for identity in assigned.values()
        ),
        tenant=str(identity.get("tenantId") or ""),
    )
    problems = []
    state = properties.get("provisioningState")
    if state != "Succeeded":
        problems.append(f"its provisioning state is {state}")
    if not _has_url(service, session.url):
        problems.append(f"its gateway URL is {properties.get('gatewayUrl')}, not {session.url}")
    if not assigned:
        problems.append("it has no user-assigned identity")
    sku = (service.get("sku") or {}).get("name")
    return require(problems, f"{service.get('name')}, {sku}", "Run `pulumi up`.")


async def _service(manager: ResourceManager, url: str, azure: Azure) -> Mapping[str, Any] | None:
    """The service with the name in the options, or otherwise the service with the gateway's URL."""
    if azure.subscription and azure.resource_group and azure.service:
        return await manager.get(
            f"/subscriptions/{azure.subscription}/resourceGroups/{azure.resource_group}"
            f"/providers/Microsoft.ApiManagement/service/{azure.service}"
        )
    subscriptions = [azure.subscription] if azure.subscription else await _subscriptions(manager)
    for subscription in subscriptions:
        group = f"/resourceGroups/{azure.resource_group}" if azure.resource_group else ""
        services = await manager.list(
            f"/subscriptions/{subscription}{group}/providers/Microsoft.ApiManagement/service"
        )
        for service in services:
            if service.get("name") == azure.service or (azure.service is None and _has_url(service, url)):
                return service
    return None


async def _subscriptions(manager: ResourceManager) -> list[str]:
    return [str(subscription["subscriptionId"]) for subscription in await manager.list("/subscriptions")]


def _has_url(service: Mapping[str, Any], url: str) -> bool:
    """Whether a URL has the default host name or a custom host name of the service."""
    properties = service.get("properties") or {}
    own = str(properties.get("gatewayUrl") or "").rstrip("/")
    custom = {
        configuration.get("hostName") for configuration in properties.get("hostnameConfigurations") or ()
    }
    return own.lower() == url.lower() or urlsplit(url).hostname in custom


def service_id(session: Session) -> str:
    """The resource id of the service.

    Raises:
        FailedError: the service was not found.
    """
    if session.service is None:
        raise FailedError("API Management was not found")
    return session.service.id


async def _operations(manager: ResourceManager, session: Session) -> str:
    service = service_id(session)
    expected = session.target.expected.apis
    deployed = {str(api["name"]): api for api in await _apis(manager, session)}
    problems = [f"API '{name}' is missing" for name in expected.keys() - deployed.keys()]
    foreign = sorted(deployed.keys() - expected.keys())
    problems += [f"API '{name}' is not part of this stack" for name in foreign]
    count = 0
    for name, api in expected.items():
        if name not in deployed:
            continue
        properties = deployed[name].get("properties") or {}
        if (properties.get("path") or "") != api.path:
            problems.append(f"API '{name}' has the path '{properties.get('path')}', not '{api.path}'")
        if properties.get("subscriptionRequired"):
            problems.append(f"API '{name}' requires a subscription key")
        operations = {
            str(operation["name"]): (
                operation["properties"]["method"],
                operation["properties"]["urlTemplate"],
            )
            for operation in await manager.list(f"{service}/apis/{name}/operations")
        }
        count += len(operations)
        problems += [
            f"operation '{name}/{operation}' "
            + ("is missing" if operation not in operations else "is not as declared")
            for operation, declared in api.operations.items()
            if operations.get(operation) != declared
        ]
        problems += [
            f"operation '{name}/{operation}' is not part of this stack"
            for operation in operations.keys() - api.operations.keys()
        ]
    remedy = (
        f"Delete the APIs that are not part of the stack, for example: az apim api delete --api-id "
        f"{foreign[0]} --service-name {service.rpartition('/')[2]} --resource-group {service.split('/')[4]}"
        if foreign
        else ""
    )
    return require(problems, f"{len(expected)} APIs, {count} operations", remedy)


async def _policies(manager: ResourceManager, session: Session) -> str:
    service = service_id(session)
    rendered = {
        document: text
        for document, text in session.target.expected.documents.items()
        if not document.startswith("policyFragments/")
    }
    prefixes = []
    for api in await _apis(manager, session):
        name = api["name"]
        prefixes.append(f"apis/{name}/")
        prefixes += [
            f"apis/{name}/operations/{operation['name']}/"
            for operation in await manager.list(f"{service}/apis/{name}/operations")
        ]
    documents = [f"{prefix}policies/policy" for prefix in prefixes]
    deployed = await _deployed_texts(manager, service, documents)
    problems = [] if session.target.expected.shared else await _all_apis_problems(manager, service)
    return _compare(rendered, deployed, "policies", problems)


async def _all_apis_problems(manager: ResourceManager, service: str) -> list[str]:
    """The problems of the policy of all APIs, which Azure creates with the service.

    The stack does not declare this policy. Its text can differ between services, but `forward-request` is its
    only element.
    """
    texts = await _deployed_texts(manager, service, ["policies/policy"])
    try:
        sections = [section for text in texts.values() for section in parse(text, "all APIs").children]
    except PolicyError:
        return ["the policy of all APIs cannot be read"]
    added = [
        policy.name
        for section in sections
        for policy in section.children
        if (section.name, policy.name) != ("backend", "forward-request")
    ]
    remove = "remove them in the portal (API Management, APIs, All APIs)"
    return [f"the policy of all APIs also contains {', '.join(added)}: {remove}"] if added else []


async def _apis(manager: ResourceManager, session: Session) -> list[Mapping[str, Any]]:
    """The current revision of each API; in a service of another owner, only the APIs of the plan."""
    expected = session.target.expected
    return [
        api
        for api in await manager.list(f"{service_id(session)}/apis")
        if (api.get("properties") or {}).get("isCurrent") is not False
        and (not expected.shared or api["name"] in expected.apis)
    ]


async def _fragments(manager: ResourceManager, session: Session) -> str:
    service = service_id(session)
    rendered = {
        document: text
        for document, text in session.target.expected.documents.items()
        if document.startswith("policyFragments/")
    }
    listed = await manager.list(f"{service}/policyFragments")
    documents = [f"policyFragments/{fragment['name']}" for fragment in listed]
    if session.target.expected.shared:
        documents = [document for document in documents if document in rendered]
    return _compare(rendered, await _deployed_texts(manager, service, documents), "fragments")


async def _deployed_texts(manager: ResourceManager, service: str, documents: list[str]) -> dict[str, str]:
    """The texts of the deployed documents, by id. Documents that are not deployed are omitted."""

    async def text(document: str) -> str | None:
        resource = await manager.get(f"{service}/{document}", format="rawxml")
        return str((resource.get("properties") or {}).get("value") or "") if resource is not None else None

    texts = await asyncio.gather(*(text(document) for document in documents))
    return {document: text for document, text in zip(documents, texts, strict=True) if text is not None}


def _source_location(text: str, line: int) -> str:
    """The source location of a line of a rendered document, in words."""
    written = text.source_map.find(line) if isinstance(text, policy.RenderedPolicy) else None
    if written is None:
        return f"line {line} of the rendered text"
    return f"{written.file}, line {written.line},"


def _short(document: str) -> str:
    """A document's id without the resource types in it: `oauth/token` for a policy of an operation."""
    words = {"apis", "operations", "policies", "policy", "policyFragments"}
    return "/".join(part for part in document.split("/") if part not in words)


def _compare(
    rendered: Mapping[str, str], deployed: Mapping[str, str], kind: str, others: Sequence[str] = ()
) -> str:
    problems = [
        *others,
        *(
            f"{_short(difference.document)} {difference.problem}"
            for difference in differences(rendered, deployed, _source_location)
        ),
    ]
    return require(problems, f"{len(rendered)} {kind} are equal by SHA-256")


async def _named_values(manager: ResourceManager, session: Session) -> str:
    expected = session.target.expected.named_values
    deployed = {
        str(value["properties"]["displayName"]): value["properties"]
        for value in await manager.list(f"{service_id(session)}/namedValues")
    }
    problems = [f"'{name}' is missing" for name in sorted(expected.keys() - deployed.keys())]
    problems += [
        f"'{name}' is not a secret"
        for name, secret in sorted(expected.items())
        if secret and name in deployed and not deployed[name].get("secret")
    ]
    url = (deployed.get("gateway-url") or {}).get("value")
    if url != session.url:
        problems.append(f"'gateway-url' is {url!r}, not {session.url!r}")
    secrets = sum(expected.values())
    return require(problems, f"{len(expected)}, of which {secrets} are secret")
