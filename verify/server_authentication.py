"""Checks that each server behind the gateway admits only the gateway and rejects direct calls."""

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import httpx2

from verify.check import Check, FailedError, SkippedError, require
from verify.resource_manager import ResourceManager
from verify.service import SECTION, service_id
from verify.session import App, Session
from verify.sign_in import sign_in_id
from verify.target import Expectation

_REJECTED = (401, 403)
# Paths of the platform and of health probes, in addition to the MCP paths of a server.
_PATHS = ("/", "/healthz", "/admin/host/status", "/runtime/webhooks/mcp")
_FUNCTIONS = "functions"
_SERVER_TAG = "mcp-server"


def checks(manager: ResourceManager, expected: Expectation) -> Iterable[Check]:
    """The checks of the servers, in the order of the report."""
    yield Check(
        id="authentication",
        section=SECTION,
        title="Servers admit only the gateway",
        run=partial(_authentication, manager),
        remedy="Run `pulumi refresh`, then `pulumi up`; until then, stop the app in the portal.",
        needs=("service",),
    )
    yield Check(
        id="direct-calls",
        section=SECTION,
        title="Direct calls to servers are rejected",
        run=partial(_direct_calls, manager),
        remedy="The server is open to the internet: stop the app in the portal. Then run "
        "`pulumi refresh` and `pulumi up`.",
        needs=("service",),
        after=tuple(sign_in_id(expected, server) for server in expected.servers),
    )


async def apps(manager: ResourceManager, session: Session) -> tuple[App, ...]:
    """The Function Apps and Container Apps of the stack, with their public host names.

    The apps are in the resource group of the service. If the stack uses an existing service or environment,
    they are in another group, and are found by their tags among all apps of the subscription.
    """
    service_id(session)
    tags = session.target.expected.tags
    scope = session.service.resource_group if session.service else ""
    if tags:
        scope = "/".join(scope.split("/")[:3])
    sites, containers = await asyncio.gather(
        manager.list(f"{scope}/providers/Microsoft.Web/sites"),
        manager.list(f"{scope}/providers/Microsoft.App/containerApps"),
    )
    sites = [site for site in sites if tags.items() <= (site.get("tags") or {}).items()]
    containers = [
        container for container in containers if tags.items() <= (container.get("tags") or {}).items()
    ]
    apps = [
        App(
            id=str(site["id"]),
            name=str(site["name"]),
            hosts=(str(site["properties"]["defaultHostName"]),),
            server=_FUNCTIONS,
            is_site=True,
        )
        for site in sites
    ]
    routes = await _routes(manager, scope)
    for container in containers:
        name = str(container["name"])
        configuration = (container.get("properties") or {}).get("configuration") or {}
        ingress = configuration.get("ingress") or {}
        own = [str(ingress["fqdn"])] if ingress.get("external") and ingress.get("fqdn") else []
        apps.append(
            App(
                id=str(container["id"]),
                name=name,
                hosts=(*own, *routes.get(name, ())),
                server=(container.get("tags") or {}).get(_SERVER_TAG),
                is_site=False,
            )
        )
    return tuple(apps)


async def _routes(manager: ResourceManager, scope: str) -> Mapping[str, list[str]]:
    """The host names of public routes, by the Container App that is their target."""
    environments = await manager.list(f"{scope}/providers/Microsoft.App/managedEnvironments")
    listed = await asyncio.gather(
        *(manager.list(f"{environment['id']}/httpRouteConfigs") for environment in environments)
    )
    hosts: dict[str, list[str]] = {}
    for route in itertools.chain.from_iterable(listed):
        properties = route.get("properties") or {}
        for rule in properties.get("rules") or ():
            for target in rule.get("targets") or ():
                hosts.setdefault(str(target.get("containerApp")), []).append(str(properties["fqdn"]))
    return hosts


async def _authentication(manager: ResourceManager, session: Session) -> str:
    stack_apps = await apps(manager, session)
    missing = {server.name for server in session.target.expected.servers} - {app.server for app in stack_apps}
    problems = [f"{name} has no app" for name in sorted(missing)]
    audiences: dict[str, set[str | None]] = {}
    for app in stack_apps:
        settings = await manager.get(
            f"{app.id}/config/authsettingsV2" if app.is_site else f"{app.id}/authConfigs/current"
        )
        properties = (settings or {}).get("properties") or {}
        problems += [f"{app.name}: {problem}" for problem in authentication_problems(properties, session)]
        for audience in _audiences(properties):
            audiences.setdefault(audience, set()).add(app.server)
        if app.is_site:
            problems += await _publishing_problems(manager, app)
    problems += shared_audiences(audiences)
    return require(problems, f"{len(stack_apps)} apps: {', '.join(app.name for app in stack_apps)}")


def shared_audiences(servers: Mapping[str, set[str | None]]) -> list[str]:
    """A problem for each audience that several servers accept: a token for one server is valid at the others.

    Args:
        servers: the servers that accept an audience, by the audience.
    """
    return [
        f"{' and '.join(sorted(str(name) for name in names))} accept tokens for the same audience"
        for names in servers.values()
        if len(names) > 1
    ]


def authentication_problems(settings: Mapping[str, Any], session: Session) -> list[str]:
    """The differences between the built-in authentication of an app and that which the program declares.

    Args:
        settings: the properties of `authsettingsV2` or of the auth configuration `current`; empty if there
            are none.
        session: the session, with the gateway's identities.
    """
    if not (settings.get("platform") or {}).get("enabled"):
        return ["built-in authentication is off"]
    problems = []
    validation = settings.get("globalValidation") or {}
    if validation.get("unauthenticatedClientAction") != "Return401":
        problems.append(f"callers without a token get {validation.get('unauthenticatedClientAction')}")
    if validation.get("requireAuthentication") is False:
        problems.append("authentication is not required")
    if validation.get("excludedPaths"):
        problems.append("some paths are excluded from authentication")
    providers = settings.get("identityProviders") or {}
    others = sorted(name for name, provider in providers.items() if _is_on(name, provider))
    if others:
        problems.append(f"other identity providers are on: {', '.join(others)}")
    entra = providers.get("azureActiveDirectory") or {}
    if entra.get("enabled") is False or not entra:
        return [*problems, "Entra ID is not its identity provider"]
    return [*problems, *_entra_problems(entra, session)]


def _is_on(name: str, provider: object) -> bool:
    """Whether the provider is not Entra ID and is configured. Azure also lists providers without settings."""
    if name == "azureActiveDirectory" or not isinstance(provider, dict):
        return False
    if name == "customOpenIdConnectProviders":
        return bool(provider)
    return provider.get("enabled") is not False and any((provider.get("registration") or {}).values())


def _entra_problems(entra: Mapping[str, Any], session: Session) -> list[str]:
    problems = []
    issuer = str((entra.get("registration") or {}).get("openIdIssuer") or "")
    tenant = session.service.tenant if session.service else ""
    if not issuer.endswith(f"/{tenant}/v2.0"):
        problems.append(f"tokens of another issuer are accepted: {issuer or 'any'}")
    validation = entra.get("validation") or {}
    if len(validation.get("allowedAudiences") or ()) != 1:
        problems.append(
            f"{len(validation.get('allowedAudiences') or ())} audiences are allowed instead of one"
        )
    policy = validation.get("defaultAuthorizationPolicy") or {}
    identities = set((policy.get("allowedPrincipals") or {}).get("identities") or ())
    applications = set(policy.get("allowedApplications") or ())
    own = session.service.identities if session.service else ()
    if not identities:
        problems.append("every identity of the tenant is admitted")
    elif not identities <= {principal for _, principal in own}:
        problems.append("an identity that is not the gateway's is admitted")
    if applications and not applications <= {client for client, _ in own}:
        problems.append("an application that is not the gateway's is admitted")
    if (policy.get("allowedPrincipals") or {}).get("groups"):
        problems.append("groups are admitted")
    return problems


def _audiences(settings: Mapping[str, Any]) -> list[str]:
    entra = (settings.get("identityProviders") or {}).get("azureActiveDirectory") or {}
    return list((entra.get("validation") or {}).get("allowedAudiences") or ())


async def _publishing_problems(manager: ResourceManager, app: App) -> list[str]:
    """Problems with publishing by user name and password, which bypasses built-in authentication."""
    problems = []
    for name in ("ftp", "scm"):
        policy = await manager.get(f"{app.id}/basicPublishingCredentialsPolicies/{name}")
        if policy is None or (policy.get("properties") or {}).get("allow") is not False:
            problems.append(f"{app.name}: publishing by password ({name}) is not off")
    return problems


async def _direct_calls(manager: ResourceManager, session: Session) -> str:
    stack_apps = await apps(manager, session)
    if not stack_apps:
        raise FailedError("the stack has no Function App or Container App", "Run `pulumi up`.")
    local = await _local_origins(session)
    problems: list[str] = []
    unreachable = []
    upstream = {server.name: server.upstream_paths for server in session.target.expected.servers}
    tokens = [sign_in.headers for sign_in in session.sign_ins.values()][:1]
    hosts = [(app, host) for app in stack_apps for host in app.hosts]
    for app, host in hosts:
        paths = dict.fromkeys((*_PATHS, *upstream.get(app.server or "", ())))
        origin = local.get(host, f"https://{host}") if session.target.azure.local else f"https://{host}"
        try:
            for path in paths:
                for method in ("GET", "POST"):
                    problems += await _answers(session, app, f"{origin}{path}", method, ({}, *tokens))
        except httpx2.ConnectError:
            unreachable.append(app.name)
    details = f"{len(hosts)} host names, without a token" + (" and with a user's token" if tokens else "")
    if unreachable:
        details += f"; not reachable from here: {', '.join(unreachable)}"
    return require(problems, details)


async def _answers(
    session: Session, app: App, url: str, method: str, credentials: Iterable[Mapping[str, str]]
) -> list[str]:
    problems = []
    for headers in credentials:
        answer = await session.probe(method, url, headers=headers)
        if answer.status_code not in _REJECTED:
            caller = "the user's token" if headers else "no token"
            problems.append(
                f"{app.name}: {method} {httpx2.URL(url).path} with {caller} gets HTTP {answer.status_code}"
            )
    return problems


async def _local_origins(session: Session) -> Mapping[str, str]:
    """The local origins at which the twin serves host names of Azure; empty for a deployed stack.

    Raises:
        SkippedError: the twin does not list the origins.
    """
    if not session.target.azure.local:
        return {}
    answer = await session.request("GET", f"{session.target.azure.url}/hosts")
    if answer.status_code != 200:  # noqa: PLR2004 -- HTTP: OK
        raise SkippedError(
            "The twin does not list the local URLs of Azure's host names.", "Restart it: `make up`."
        )
    return answer.json()
