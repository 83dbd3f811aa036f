"""The authorization server: the API at the gateway's root."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from backends.backend import Backend
from gateway import api, policy
from gateway.api import Host, Operation
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServerArgs:
    """What `AuthorizationServer` needs.

    Attributes:
        host: where the API is created.
        settings: the stack's settings.
        backends: the MCP servers that its tokens open.
        origins: the named values of further origins, by name.
    """

    host: Host
    settings: Settings
    backends: tuple[Backend, ...]
    origins: Mapping[str, pulumi.Resource]


class AuthorizationServer(pulumi.ComponentResource):
    """Metadata, registration, authorization, consent, callback and token endpoint (OAuth 2.1)."""

    def __init__(
        self, name: str, args: AuthorizationServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mcp:gateway:AuthorizationServer", name, None, opts)
        api.declare(
            name,
            api.Api(
                host=args.host,
                api_id="oauth",
                title="OAuth",
                description="The authorization server of the MCP servers behind this gateway.",
                path="",
                service_url=None,
                policy=policy.render("oauth/api.xml.j2"),
                operations=(*_endpoints(args), *_protected_resources(args), *_root_messages(args)),
            ),
            parent=self,
        )
        self.register_outputs({})


def _endpoints(args: AuthorizationServerArgs) -> Sequence[Operation]:
    metadata = "oauth/authorization-server-metadata.xml.j2"
    endpoints = (
        (
            "authorization-server-metadata",
            "Metadata (RFC 8414)",
            "GET",
            "/.well-known/oauth-authorization-server",
            metadata,
        ),
        (
            "openid-configuration",
            "Metadata (OpenID discovery)",
            "GET",
            "/.well-known/openid-configuration",
            metadata,
        ),
        ("register", "Register a client (RFC 7591)", "POST", "/register", "oauth/register.xml.j2"),
        ("authorize", "Start a sign-in", "GET", "/authorize", "oauth/authorize.xml.j2"),
        ("consent-page", "Ask for consent", "GET", "/consent", "oauth/consent-page.xml.j2"),
        ("consent", "Take the answer", "POST", "/consent", "oauth/consent.xml.j2"),
        ("callback", "Return from Entra", "GET", "/oauth-callback", "oauth/callback.xml.j2"),
        ("token", "Exchange a code for tokens", "POST", "/token", "oauth/token.xml.j2"),
    )
    return tuple(
        Operation(
            id=id_,
            title=title,
            method=method,
            template=path,
            policy=policy.render(template, settings=args.settings, backends=args.backends),
        )
        for id_, title, method, path, template in endpoints
    )


def _protected_resources(args: AuthorizationServerArgs) -> Sequence[Operation]:
    """Metadata of every MCP path (RFC 9728, section 3.1: the path follows the well-known prefix)."""
    prefix = "/.well-known/oauth-protected-resource"
    rendered = policy.render("mcp/protected-resource.xml.j2", settings=args.settings, backends=args.backends)
    operations = [("protected-resources", "Metadata of an MCP server (RFC 9728)", f"{prefix}/*")]
    if args.settings.audience == "gateway":
        title = "Metadata of the gateway as one resource (RFC 9728)"
        operations.append(("protected-resource", title, prefix))
    return tuple(
        Operation(id=id_, title=title, method="GET", template=template, policy=rendered)
        for id_, title, template in operations
    )


def _root_messages(args: AuthorizationServerArgs) -> Sequence[Operation]:
    """Where legacy servers take messages that announce a path from the root of the host.

    Several may announce the same one; the policy tells them apart by the token. Browsers ask first.
    """
    operations = []
    announced = (route.template for backend in args.backends for route in backend.root_messages)
    for template in dict.fromkeys(announced):
        backends = tuple(
            backend
            for backend in args.backends
            if any(route.template == template for route in backend.root_messages)
        )
        rendered = policy.render(
            "mcp/root-message.xml.j2", settings=args.settings, backends=backends, template=template
        )
        origins = {route.origin for backend in backends for route in backend.root_messages if route.origin}
        operations.extend(
            Operation(
                id=f"{prefix}{template.replace('/', '-')}",
                title=f"{method} {template}",
                method=method,
                template=template,
                policy=rendered,
                mentioned=(*args.host.fragments, *(args.origins[origin] for origin in sorted(origins))),
            )
            for method, prefix in (("POST", "root"), ("OPTIONS", "preflight-root"))
        )
    return operations
