"""Azure's refusals: each rule checks one request against the existing resources and returns Azure's error.

Sources: the error codes of Azure Resource Manager and of the resource providers,
https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors and the
pages named with each rule.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apim.rawxml import parse
from tests.engine import template
from tests.engine.record import Call
from tests.program import specification
from twin.translation.vault import UnreadableError, Vaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A resource that exists.

    Attributes:
        id: its id; compared without case.
        urn: the resource in Pulumi that created it.
        inputs: the inputs with which it was created or last updated.
        outputs: what the provider reported.
    """

    id: str
    urn: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def type(self) -> str:
        """The type token."""
        return self.urn.split("::")[2].rpartition("$")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All existing resources.

    Attributes:
        resources: by lower-case id.
        soft_deleted: resources that were deleted and not purged, in lower case: names of API Management
            services, and ids of vaults and secrets.
        writing: calls in progress.
        roles_apply: whether role assignments have taken effect, which happens minutes after their creation.
    """

    resources: Mapping[str, Existing]
    soft_deleted: frozenset[str]
    writing: tuple[Call, ...]
    roles_apply: bool = True

    def below(self, identifier: str) -> Iterator[Existing]:
        """The resources that are deleted with the resource with this id, including itself."""
        prefix = identifier.lower()
        return (
            existing
            for key, existing in self.resources.items()
            if key == prefix or key.startswith(f"{prefix}/")
        )


Rule = Callable[[Call, Account], str | None]

# Configuration of a resource rather than a resource: it always exists, and a first write is an update.
_SINGLETONS = (
    "storage:BlobServiceProperties",
    "web:WebAppAuthSettingsV2",
    "web:WebAppFtpAllowed",
    "web:WebAppScmAllowed",
)

# A service of a storage account exists with the account.
_STORAGE_SERVICE = re.compile(r"/(?:blob|queue)Services/default(?=/|$)", re.IGNORECASE)
_RESOURCE_ID = re.compile(r"/subscriptions/[0-9a-f-]{36}/resourceGroups/\S+", re.IGNORECASE)
_POLICIES = (
    "apimanagement:ApiOperationPolicy",
    "apimanagement:ApiPolicy",
    "apimanagement:Policy",
    "apimanagement:PolicyFragment",
)


def refusal(call: Call, account: Account) -> str | None:
    """Azure's error for a create, update or delete that it refuses, or None."""
    rules = _DELETE if call.kind == "delete" else _WRITE
    return next((answer for rule in rules if (answer := rule(call, account))), None)


def _parent_missing(call: Call, account: Account) -> str | None:
    """The parent of a resource must exist; for a resource without a parent this is its resource group."""
    parent = _parent(call.id)
    if parent and parent.lower() not in account.resources:
        return f"404 ParentResourceNotFound: {parent} was not found."
    return None


def _parent(identifier: str) -> str:
    """The id of a resource's parent: `.../sites/a/config/web` -> `.../sites/a`; empty without one."""
    head, _, tail = _STORAGE_SERVICE.sub("", identifier).rpartition("/providers/")
    if not head:
        return ""
    # The namespace, then types and names in turn.
    namespace, *rest = tail.split("/")
    parent = "/".join([head, "providers", namespace, *rest[:-2]]) if len(rest) > 2 else head
    return parent if "/resourceGroups/" in parent else ""


def _exists_already(call: Call, account: Account) -> str | None:
    """azure-native reads before it creates, because a PUT would take over an existing resource."""
    if call.kind == "create" and call.id.lower() in account.resources and not call.is_of(*_SINGLETONS):
        return f"cannot create already existing resource {call.id!r}"
    return None


def _template_invalid(call: Call, account: Account) -> str | None:
    """A resource of a template needs its parent and its logger, which may be in the template before it.

    https://learn.microsoft.com/azure/azure-resource-manager/templates/resource-dependency
    """
    for resource in template.resources(call):
        ready = {identifier.lower() for identifier in resource.depends_on}
        needed = [_parent(resource.id), *filter(None, [resource.properties.get("loggerId")])]
        for identifier in needed:
            if identifier.lower() not in account.resources and identifier.lower() not in ready:
                return f"404 ResourceNotFound: {identifier} was not found."
    return None


def _location_changes(call: Call, account: Account) -> str | None:
    existing = account.resources.get(call.id.lower())
    before = existing and existing.inputs.get("location")
    after = call.inputs.get("location")
    if call.kind == "update" and before and after and before != after:
        return f"409 InvalidResourceLocation: {call.id} already exists in location '{before}'."
    return None


def _name_invalid(call: Call, _account: Account) -> str | None:
    """The name of a resource, or of a parent, exceeds the limits of the API; azure-native checks it too."""
    problem = next(specification.name_problems(call.id), None) if call.is_in("azure-native") else None
    return f"400 InvalidResourceName: {problem}." if problem else None


def _reference_missing(call: Call, account: Account) -> str | None:
    """A resource that references another one by its id requires it."""
    deployed = {resource.id.lower() for resource in template.resources(call)}
    for text in _strings(call.inputs):
        if not _RESOURCE_ID.fullmatch(text) or "/roleDefinitions/" in text or "/sqlRoleDefinitions/" in text:
            continue
        # Scopes of Cosmos DB's own roles continue the account's id with the database: `.../dbs/name`.
        needed = _STORAGE_SERVICE.sub("", re.sub(r"/dbs/", "/sqlDatabases/", text))
        if needed.lower() not in account.resources and needed.lower() not in deployed:
            return f"404 ResourceNotFound: {text} was not found."
    return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from (key, *_strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


def _soft_deleted(call: Call, account: Account) -> str | None:
    """A deleted service keeps its name for 48 hours.

    https://learn.microsoft.com/azure/api-management/soft-delete
    """
    if call.kind == "create" and call.is_of("apimanagement:ApiManagementService"):
        name = call.id.rpartition("/")[2]
        if name.lower() in account.soft_deleted:
            return f"400 ServiceAlreadyExistsInSoftDeletedState: Api service {name} was soft-deleted."
    return None


def _soft_deleted_in_vault(call: Call, account: Account) -> str | None:
    """A deleted vault or secret keeps its name, and purge protection prevents its purge.

    https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
    """
    if call.kind == "create" and call.id.lower() in account.soft_deleted:
        return f"409 Conflict: {call.id} is currently in a deleted but recoverable state."
    return None


def _secret_unreadable(call: Call, account: Account) -> str | None:
    """A resource that refers to a secret in a vault is refused while its identity cannot read the secret.

    The message of Container Apps: https://github.com/microsoft/azure-container-apps/issues/1159. The message
    of API Management is the one that it reports for certificates.
    """
    roles = _of_type(account, "authorization:RoleAssignment") if account.roles_apply else ()
    vaults = Vaults(_of_type(account, "keyvault:Secret"), roles)
    try:
        for address, principal in _references(call, account):
            vaults.read(address, principal)
    except UnreadableError as error:
        if call.is_of("app:ContainerApp"):
            return (
                "400 InvalidParameterValueInContainerTemplate: Field 'configuration.secrets' is invalid with "
                f"details: 'Unable to get value using Managed identity'. {error}"
            )
        return (
            f"400 ValidationError: Failed to access KeyVault secret using Managed Service Identity. {error}"
        )
    return None


def _references(call: Call, account: Account) -> Iterator[tuple[str, str]]:
    """The URL of each secret that a resource refers to, and the object id of the identity that reads it."""
    identities = _of_type(account, "managedidentity:UserAssignedIdentity")
    if call.is_of("app:ContainerApp"):
        for secret in (call.inputs.get("configuration") or {}).get("secrets") or ():
            if address := secret.get("keyVaultUrl"):
                by_id = {identity.id: identity.outputs.get("principalId", "") for identity in identities}
                yield address, by_id.get(secret.get("identity"), "")
    reference = call.inputs.get("keyVault") if call.is_of("apimanagement:NamedValue") else None
    if reference:
        by_client = {
            identity.outputs.get("clientId"): identity.outputs.get("principalId", "")
            for identity in identities
        }
        service = account.resources[_service(call.id).lower()].outputs
        own = (service.get("identity") or {}).get("principalId", "")
        client = reference.get("identityClientId")
        yield reference["secretIdentifier"], by_client.get(client, "") if client else own


def _of_type(account: Account, type_: str) -> list[Existing]:
    return [resource for resource in account.resources.values() if resource.type.endswith(f":{type_}")]


def _referenced_names(text: str) -> tuple[set[str], set[str]]:
    """The named values and fragments that a policy document needs."""
    values = set(re.findall(r"\{\{([A-Za-z0-9._-]+)\}\}", text))
    fragments = set(re.findall(r'<include-fragment\s+fragment-id="([^"]+)"', text))
    return values, fragments


def _service(identifier: str) -> str:
    """The id of the API Management service that an id is below."""
    match = re.match(r".*/Microsoft\.ApiManagement/service/[^/]+", identifier, re.IGNORECASE)
    return match[0] if match else ""


def _policy_incomplete(call: Call, account: Account) -> str | None:
    """A policy is refused while a named value or a fragment that it references does not exist."""
    if not call.is_of(*_POLICIES):
        return None
    service = _service(call.id).lower()
    values, fragments = _referenced_names(str(call.inputs.get("value", "")))
    for name in sorted(values):
        if f"{service}/namedvalues/{name}".lower() not in account.resources:
            return f"400 ValidationError: Cannot find a property '{name}'."
    for name in sorted(fragments):
        if f"{service}/policyfragments/{name}".lower() not in account.resources:
            return f"400 ValidationError: Policy fragment '{name}' was not found."
    return None


def _several_policies_in_backend(call: Call, _account: Account) -> str | None:
    """The section backend allows one policy; `<base />` counts as a policy. The message is Azure's.

    https://learn.microsoft.com/azure/api-management/set-edit-policies
    """
    if not call.is_of(*_POLICIES):
        return None
    for section in parse(str(call.inputs.get("value", "")), call.name).children:
        if section.name == "backend" and len(section.children) > 1:
            return (
                f"400 ValidationError: Error in element 'backend' on line {section.line}, column "
                f"{section.column}: backend section allows only one policy to be specified"
            )
    return None


def _referenced_by_policy(call: Call, account: Account) -> str | None:
    """Named values and fragments that a policy references cannot be deleted.

    https://learn.microsoft.com/azure/api-management/api-management-howto-properties#edit-or-delete-a-named-value
    https://learn.microsoft.com/azure/api-management/policy-fragments#manage-policy-fragments
    """
    if not call.is_of("apimanagement:NamedValue", "apimanagement:PolicyFragment"):
        return None
    name, kind = call.id.rpartition("/")[2], 0 if call.is_of("apimanagement:NamedValue") else 1
    service = _service(call.id).lower()
    for existing in account.resources.values():
        if (
            existing.type.endswith(_POLICIES)
            and existing.id.lower().startswith(f"{service}/")
            and name in _referenced_names(str(existing.inputs.get("value", "")))[kind]
        ):
            return f"400 ValidationError: {name!r} is in use by {existing.id}."
    return None


def _in_use(call: Call, account: Account) -> str | None:
    """Plans, environments and loggers are deleted after the resources that use them."""
    users = {
        "web:AppServicePlan": ("web:WebApp", "serverFarmId"),
        "app:ManagedEnvironment": ("app:ContainerApp", "environmentId"),
        "apimanagement:Logger": ("apimanagement:Diagnostic", "loggerId"),
    }
    for type_, (user, key) in users.items():
        if not call.is_of(type_):
            continue
        for existing in account.resources.values():
            target = str(existing.inputs.get(key) or existing.inputs.get("managedEnvironmentId"))
            if existing.type.endswith(user) and target.lower() == call.id.lower():
                return f"409 Conflict: {call.id} is in use by {existing.id}."
    return None


_WRITE: tuple[Rule, ...] = (
    _parent_missing,
    _exists_already,
    _template_invalid,
    _location_changes,
    _name_invalid,
    _reference_missing,
    _soft_deleted,
    _soft_deleted_in_vault,
    _secret_unreadable,
    _policy_incomplete,
    _several_policies_in_backend,
)
_DELETE: tuple[Rule, ...] = (_referenced_by_policy, _in_use)
