"""Plans the authorization server: the API at the gateway's root, or at the stack's path prefix.

Metadata, registration, authorization, consent, callback, token and revocation endpoints (OAuth 2.1).

The well-known location of metadata precedes the path of an issuer or a resource (RFC 8414, section 3.1; RFC
9728, section 3.1). With a path prefix, those locations are outside of it, so there is a separate API
for each of them. API Management chooses the API with the longest matching path; APIs of other owners may have
shorter paths.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway import policy
from gateway.api import Api, Operation
from gateway.backend import Backend
from gateway.mcp_api import root_messages
from settings import Settings

_ENDPOINTS = (
    (
        "authorization-server-metadata",
        "Metadata (RFC 8414)",
        "GET",
        "/.well-known/oauth-authorization-server",
        "oauth/authorization-server-metadata.xml.j2",
    ),
    (
        "openid-configuration",
        "Metadata (OpenID discovery)",
        "GET",
        "/.well-known/openid-configuration",
        "oauth/openid-configuration.xml.j2",
    ),
    ("keys", "Signing keys: none", "GET", "/.well-known/jwks.json", "oauth/keys.xml.j2"),
    ("register", "Register a client (RFC 7591)", "POST", "/register", "oauth/register.xml.j2"),
    ("authorize", "Start a sign-in", "GET", "/authorize", "oauth/authorize.xml.j2"),
    ("consent-page", "Show the consent page", "GET", "/consent", "oauth/consent-page.xml.j2"),
    ("consent", "Submit the consent form", "POST", "/consent", "oauth/consent.xml.j2"),
    ("callback", "Return from Entra", "GET", "/oauth-callback", "oauth/callback.xml.j2"),
    ("token", "Exchange a code or a refresh token for tokens", "POST", "/token", "oauth/token.xml.j2"),
    ("revoke", "Revoke a token (RFC 7009)", "POST", "/revoke", "oauth/revoke.xml.j2"),
)
# Endpoints that pages of any origin may call; browsers send a preflight first.
_CORS_ENDPOINTS = frozenset(
    {
        "authorization-server-metadata",
        "openid-configuration",
        "keys",
        "register",
        "token",
        "revoke",
        "protected-resources",
        "protected-resource",
    }
)
_PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
# The documents whose location precedes the path of the issuer: RFC 8414, sections 3.1 and 5.
_BEFORE_THE_ISSUER = ("authorization-server-metadata", "openid-configuration")


def plan_oauth_apis(settings: Settings, backends: Sequence[Backend]) -> tuple[Api, ...]:
    """The API of the authorization server, then, with a path prefix, the APIs of its metadata.

    Args:
        settings: the stack's settings.
        backends: the MCP servers that accept its tokens.
    """
    endpoints = _endpoints(settings, backends)
    protected_resources = _protected_resources(settings, backends)
    everything = (*endpoints, *protected_resources)
    if not settings.path_prefix:
        return (_api(settings, backends, (*everything, *_preflights(everything))),)
    metadata = [endpoint for endpoint in endpoints if endpoint.id in _BEFORE_THE_ISSUER]
    return (
        _api(settings, backends, (*endpoints, *_preflights(endpoints))),
        *(_metadata_api(settings, document.template, (document,)) for document in metadata),
        _metadata_api(settings, _PROTECTED_RESOURCE, protected_resources),
    )


def _api(settings: Settings, backends: Sequence[Backend], operations: Sequence[Operation]) -> Api:
    """The API of the authorization server."""
    return Api(
        id="oauth",
        name="oauth",
        title="OAuth",
        description="The authorization server of the MCP servers behind this gateway.",
        path=settings.path_prefix,
        backend=None,
        policy=policy.render(
            "oauth/api.xml.j2", prefix=settings.path_prefix, root_messages=root_messages(backends)
        ),
        operations=(*operations, *_root_messages(settings, backends)),
    )


def _metadata_api(settings: Settings, location: str, documents: Sequence[Operation]) -> Api:
    """An API for documents at a well-known location that precedes the path prefix."""
    name = location.strip("/.").replace("/", "-")
    moved = [
        replace(document, template=document.template.removeprefix(location) or "/") for document in documents
    ]
    return Api(
        id=name,
        name=name,
        title=f"OAuth: {location}",
        description="Metadata of the MCP servers behind this gateway, for clients that sign in.",
        path=f"{location.strip('/')}/{settings.path_prefix}",
        backend=None,
        policy=policy.render("oauth/api.xml.j2", prefix=settings.path_prefix, root_messages=()),
        operations=(*moved, *_preflights(moved)),
    )


def _endpoints(settings: Settings, backends: Sequence[Backend]) -> Sequence[Operation]:
    """The endpoints of a sign-in; users sign in for the servers that they may call."""
    admitting = [backend for backend in backends if backend.admits_users]
    organisation = policy.Organisation(name=settings.publisher_name, logo=settings.publisher_logo)
    return tuple(
        Operation(
            id=id_,
            title=title,
            method=method,
            template=path,
            policy=policy.render(
                template,
                organisation=organisation,
                prefix=settings.path_prefix,
                settings=settings,
                backends=admitting,
            ),
        )
        for id_, title, method, path, template in _ENDPOINTS
    )


def _protected_resources(settings: Settings, backends: Sequence[Backend]) -> Sequence[Operation]:
    """Metadata of every MCP path (RFC 9728, section 3.1: the path follows the well-known prefix)."""
    rendered = policy.render(
        "mcp/protected-resource.xml.j2", prefix=settings.path_prefix, settings=settings, backends=backends
    )
    return tuple(
        Operation(id=id_, title=title, method="GET", template=template, policy=rendered)
        for id_, title, template in _protected_resource_endpoints(settings)
    )


def _protected_resource_endpoints(settings: Settings) -> Sequence[tuple[str, str, str]]:
    """Id, title and template of each endpoint."""
    servers = ("protected-resources", "Metadata of an MCP server (RFC 9728)", f"{_PROTECTED_RESOURCE}/*")
    title = "Metadata of the gateway as one resource (RFC 9728)"
    gateway = ("protected-resource", title, _PROTECTED_RESOURCE)
    return (servers, gateway) if settings.audience == "gateway" else (servers,)


def _preflights(operations: Sequence[Operation]) -> Sequence[Operation]:
    """Operations for the preflights of those endpoints that pages of any origin may call."""
    rendered = policy.render("oauth/preflight.xml.j2")
    return tuple(
        Operation(
            id=f"preflight-{operation.id}",
            title=f"OPTIONS {operation.template}",
            method="OPTIONS",
            template=operation.template,
            policy=rendered,
        )
        for operation in operations
        if operation.id in _CORS_ENDPOINTS
    )


def _root_messages(settings: Settings, backends: Sequence[Backend]) -> Sequence[Operation]:
    """Operations for clients that resolve a legacy server's message path against the root of the host.

    Browsers send a preflight first.
    """
    operations = []
    for messages in root_messages(backends):
        rendered = policy.render(
            "mcp/root-message.xml.j2", prefix=settings.path_prefix, settings=settings, messages=messages
        )
        template = messages.template
        operations.extend(
            Operation(
                id=f"{prefix}{template.replace('/', '-')}",
                title=f"{method} {template}",
                method=method,
                template=template,
                policy=rendered,
            )
            for method, prefix in (("POST", "root"), ("OPTIONS", "preflight-root"))
        )
    return operations
