"""Reads the Function App of a stack: its settings, authentication and access to blobs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from twin.builtin_auth import BuiltInAuth
from twin.stack import Declared, Stack, StackError

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
_BLOB_ROLES = (
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",  # Storage Blob Data Owner
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",  # Storage Blob Data Contributor
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobContainer:
    """A declared blob container: its storage account and its name."""

    account: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionApp:
    """One Function App.

    Attributes:
        name: name of the resource.
        host: host name in Azure.
        settings: the declared app settings.
        auth: the declared built-in authentication; None if the app accepts all requests.
    """

    name: str
    host: str
    settings: Mapping[str, str] = field(repr=False)
    auth: BuiltInAuth | None


def function_app(stack: Stack) -> FunctionApp | None:
    """The Function App that a stack declares, or None.

    Raises:
        StackError: the stack declares several apps, an authentication that the twin does not support, or a
            connection to blobs for which the app has no role.
    """
    declared = stack.of_type("web:WebApp")
    if not declared:
        return None
    if len(declared) > 1:
        names = ", ".join(app.name for app in declared)
        raise StackError(f"The twin runs one Function App; the stack declares {len(declared)}: {names}.")
    (app,) = declared
    settings = _settings(stack, app)
    _require_blob_access(stack, app, settings)
    return FunctionApp(
        name=app.outputs["name"],
        host=app.outputs["defaultHostName"],
        settings=settings,
        auth=_auth(stack, app),
    )


def blob_containers(stack: Stack) -> tuple[BlobContainer, ...]:
    """All blob containers of a stack."""
    return tuple(
        BlobContainer(account=container.inputs["accountName"], name=container.outputs["name"])
        for container in stack.of_type("storage:BlobContainer")
    )


def _settings(stack: Stack, app: Declared) -> dict[str, str]:
    declared = (app.inputs.get("siteConfig") or {}).get("appSettings") or []
    settings = {pair["name"]: str(pair.get("value") or "") for pair in declared}
    for replacement in stack.of_type("web:WebAppApplicationSettings"):
        if replacement.inputs["name"] == app.outputs["name"]:
            # In Azure, this resource replaces all settings, including those in the declaration of the app.
            settings = {
                key: str(value) for key, value in (replacement.inputs.get("properties") or {}).items()
            }
    return settings


def _auth(stack: Stack, app: Declared) -> BuiltInAuth | None:
    declared = [
        auth
        for auth in stack.of_type("web:WebAppAuthSettingsV2")
        if auth.inputs["name"] == app.outputs["name"]
    ]
    return built_in_auth(declared[0]) if declared else None


def built_in_auth(declared: Declared) -> BuiltInAuth | None:
    """Reads a `WebAppAuthSettingsV2` or `ContainerAppsAuthConfig`; None if it admits every caller.

    Raises:
        StackError: the twin does not support the configuration.
    """
    platform: Mapping[str, Any] = declared.inputs.get("platform") or {}
    validation: Mapping[str, Any] = declared.inputs.get("globalValidation") or {}
    action = validation.get("unauthenticatedClientAction")
    required = validation.get("requireAuthentication") is not False
    if not platform.get("enabled") or not required or action == "AllowAnonymous":
        return None
    if validation.get("excludedPaths"):
        raise StackError(
            f"{declared.name} excludes paths from authentication; the twin does not support that."
        )
    if action != "Return401":
        raise StackError(
            f"{declared.name} has the action {action} for unauthenticated requests; the twin supports only "
            "Return401."
        )
    entra = (declared.inputs.get("identityProviders") or {}).get("azureActiveDirectory") or {}
    registration, checks = entra.get("registration") or {}, entra.get("validation") or {}
    policy = checks.get("defaultAuthorizationPolicy") or {}
    issuer = str(registration.get("openIdIssuer") or "")
    if not issuer.endswith("/v2.0"):
        raise StackError(f"{declared.name} has the issuer {issuer or '(none)'}; it must end in /v2.0.")
    try:
        return BuiltInAuth(
            issuer=issuer,
            jwks_url=f"{issuer.removesuffix('/v2.0')}/discovery/v2.0/keys",
            audiences=frozenset(checks.get("allowedAudiences") or ()),
            identities=frozenset((policy.get("allowedPrincipals") or {}).get("identities") or ()),
            applications=frozenset(policy.get("allowedApplications") or ()),
        )
    except ValueError as error:
        raise StackError(f"{declared.name}: {error}") from None


def _require_blob_access(stack: Stack, app: Declared, settings: Mapping[str, str]) -> None:
    """Rejects identity-based connections for which the app has no role, because Azure would return 403.

    In the twin such a connection would work, because the twin uses a connection string instead.

    Raises:
        StackError: the app has no role for a connection.
    """
    allowed = _blob_accounts(stack, app)
    for key, value in settings.items():
        account = str(urlsplit(value).hostname).partition(".")[0]
        if key.endswith("__blobServiceUri") and account not in allowed:
            raise StackError(
                f"The Function App's setting {key} names the storage account {account}, but no identity of "
                "the app has a role on its blobs. Assign one, such as Storage Blob Data Contributor."
            )


def _blob_accounts(stack: Stack, app: Declared) -> frozenset[str]:
    """The storage accounts whose blobs the app's identities may read and write."""
    identity = app.outputs.get("identity") or {}
    principals = {ids["principalId"] for ids in (identity.get("userAssignedIdentities") or {}).values()}
    principals |= {identity["principalId"]} if identity.get("principalId") else set()
    scopes = {
        assignment.inputs["scope"]
        for assignment in stack.of_type("authorization:RoleAssignment")
        if assignment.inputs["principalId"] in principals
        and assignment.inputs["roleDefinitionId"].endswith(_BLOB_ROLES)
    }
    return frozenset(
        account.outputs["name"]
        for account in stack.of_type("storage:StorageAccount")
        if any(account.id == scope or account.id.startswith(f"{scope.rstrip('/')}/") for scope in scopes)
    )
