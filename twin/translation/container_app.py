"""Reads the Container Apps of a stack: image, command, public host name and authentication."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twin.builtin_auth import BuiltInAuth
from twin.stack import Declared, Stack, StackError
from twin.translation.function_app import built_in_auth
from twin.translation.vault import UnreadableError, Vaults, vaults

_SERVER_TAG = "mcp-server"
_LOCAL_COMMAND_TAG = "mcp-local-command"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerApp:
    """One Container App with one container.

    Attributes:
        name: logical name in the program, such as `slack-http`.
        azure_name: name in Azure, such as `slack-http1a2b3c4d`.
        backend: name of the MCP server to which the app belongs; faults and recorded requests use this name.
        host: public host name in Azure.
        image: reference of the image.
        command: replaces the entry point of the image; empty to keep it.
        args: replaces the arguments of the image; empty to keep them.
        env: the environment variables, with secrets resolved.
        auth: the declared built-in authentication; None if the app accepts all requests.
        local_command: the declared command that the twin runs instead of the image; empty if there is none.
    """

    name: str
    azure_name: str
    backend: str
    host: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    auth: BuiltInAuth | None
    local_command: tuple[str, ...]


def container_apps(stack: Stack) -> tuple[ContainerApp, ...]:
    """The Container Apps of a stack that can be reached from the internet.

    Raises:
        StackError: an app refers to a secret that it does not have, has several containers, or declares a
            route or an authentication that the twin does not support.
    """
    return tuple(
        _container_app(stack, app, host)
        for app in stack.of_type("app:ContainerApp")
        if (host := _public_host(stack, app))
    )


def _public_host(stack: Stack, app: Declared) -> str | None:
    """The host name of an app with external ingress, or of the route to the app; None if it has neither."""
    ingress = (app.outputs.get("configuration") or {}).get("ingress")
    if not ingress:
        return None
    if ingress.get("external"):
        return ingress["fqdn"]
    hosts = [
        route.outputs["properties"]["fqdn"]
        for route in stack.of_type("app:HttpRouteConfig")
        if _target(route) == app.outputs["name"]
    ]
    if len(hosts) > 1:
        raise StackError(
            f"{app.name} is the target of several routes, with the host names {', '.join(hosts)}; the twin "
            "serves an app at one host name. Declare only one route to the app."
        )
    return hosts[0] if hosts else None


def _target(route: Declared) -> str:
    """The name of the app that is the target of a route.

    Raises:
        StackError: the twin does not support the rules of the route.
    """
    match (route.inputs.get("properties") or {}).get("rules"):
        case [
            {"routes": [{"match": {"prefix": "/"}, **action}], "targets": [{"containerApp": str(target)}]}
        ] if not action:
            return target
    raise StackError(f"{route.name} must have one rule that routes all paths below / to one app.")


def _container_app(stack: Stack, app: Declared, host: str) -> ContainerApp:
    containers = (app.inputs.get("template") or {}).get("containers") or []
    if len(containers) != 1:
        raise StackError(f"{app.name} has {len(containers)} containers; the twin runs apps with exactly one.")
    (container,) = containers
    tags: Mapping[str, str] = app.inputs.get("tags") or {}
    return ContainerApp(
        name=app.name,
        azure_name=app.outputs["name"],
        backend=tags.get(_SERVER_TAG) or app.name,
        host=host,
        image=container["image"],
        command=tuple(container.get("command") or ()),
        args=tuple(container.get("args") or ()),
        env=_environment(stack, app, container),
        auth=_auth(stack, app),
        local_command=_local_command(app, tags.get(_LOCAL_COMMAND_TAG)),
    )


def _environment(stack: Stack, app: Declared, container: Mapping[str, Any]) -> dict[str, str]:
    declared = app.inputs["configuration"].get("secrets") or []
    stack_vaults = vaults(stack)
    secrets = {secret["name"]: _secret(app, secret, stack_vaults) for secret in declared}
    environment = {}
    for variable in container.get("env") or []:
        name, reference = variable["name"], variable.get("secretRef")
        if reference is not None and reference not in secrets:
            raise StackError(
                f"{app.name}: the variable {name} refers to the secret {reference!r}, which the app does not "
                f"have; it has: {', '.join(secrets) or 'none'}."
            )
        environment[name] = secrets[reference] if reference is not None else str(variable.get("value") or "")
    return environment


def _secret(app: Declared, secret: Mapping[str, str], stack_vaults: Vaults) -> str:
    """The value of an app's secret: the declared value, or the value that the app reads from a Key Vault.

    Raises:
        StackError: the app does not have the identity, or the identity cannot read the secret.
    """
    address = secret.get("keyVaultUrl")
    if not address:
        return str(secret.get("value") or "")
    identity = secret.get("identity", "")
    assigned = (app.outputs.get("identity") or {}).get("userAssignedIdentities") or {}
    principal = next((ids["principalId"] for id_, ids in assigned.items() if id_ == identity), None)
    if principal is None:
        raise StackError(
            f"{app.name} does not have the identity {identity}, with which it reads {address}. Assign this "
            "identity to the app."
        )
    try:
        return stack_vaults.read(address, principal)
    except UnreadableError as error:
        raise StackError(
            f"{app.name}: Unable to get value using Managed identity {identity} for secret {secret['name']}. "
            f"{error}"
        ) from None


def _auth(stack: Stack, app: Declared) -> BuiltInAuth | None:
    # Azure uses only the configuration with the name `current`.
    declared = [
        auth
        for auth in stack.of_type("app:ContainerAppsAuthConfig")
        if auth.inputs["containerAppName"] == app.outputs["name"]
        and auth.inputs.get("authConfigName") == "current"
    ]
    return built_in_auth(declared[0]) if declared else None


def _local_command(app: Declared, text: str | None) -> tuple[str, ...]:
    words = json.loads(text) if text else []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise StackError(
            f"{app.name}: the tag {_LOCAL_COMMAND_TAG} must be a JSON list of strings, not {text!r}."
        )
    return tuple(words)
