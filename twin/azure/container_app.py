"""The Container Apps that a stack declares: what each runs, with which environment, and what locks it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twin.azure.function_app import built_in_auth
from twin.builtin_auth import BuiltInAuth
from twin.stack import Declared, Stack, StackError

_BACKEND = "mcp-server"
_LOCAL_COMMAND = "mcp-local-command"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerApp:
    """One Container App with one container.

    Attributes:
        name: its logical name in the program, such as `slack-http`.
        backend: the MCP server that it is a part of; faults and the record know it by that.
        host: its host name in Azure.
        image: reference of the image.
        command: in place of the image's entry point; empty for the image's own.
        args: in place of the image's arguments; empty for the image's own.
        env: the environment, secrets resolved.
        auth: built-in authentication as declared; None when the stack leaves the app open.
        local_command: what the stack says to run here in place of the image; empty when it says nothing.
    """

    name: str
    backend: str
    host: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    auth: BuiltInAuth | None
    local_command: tuple[str, ...]


def container_apps(stack: Stack) -> tuple[ContainerApp, ...]:
    """The Container Apps of a stack that have an ingress.

    Raises:
        StackError: an app refers to a secret that it does not have, has several containers, or asks for an
            authentication that the twin does not imitate.
    """
    return tuple(
        _container_app(stack, app)
        for app in stack.of_type("app:ContainerApp")
        if (app.inputs.get("configuration") or {}).get("ingress")
    )


def _container_app(stack: Stack, app: Declared) -> ContainerApp:
    containers = (app.inputs.get("template") or {}).get("containers") or []
    if len(containers) != 1:
        raise StackError(f"{app.name} has {len(containers)} containers; the twin runs apps with exactly one.")
    (container,) = containers
    tags: Mapping[str, str] = app.inputs.get("tags") or {}
    return ContainerApp(
        name=app.name,
        backend=tags.get(_BACKEND) or app.name,
        host=app.outputs["configuration"]["ingress"]["fqdn"],
        image=container["image"],
        command=tuple(container.get("command") or ()),
        args=tuple(container.get("args") or ()),
        env=_environment(app, container),
        auth=_auth(stack, app),
        local_command=_local_command(app, tags.get(_LOCAL_COMMAND)),
    )


def _environment(app: Declared, container: Mapping[str, Any]) -> dict[str, str]:
    declared = app.inputs["configuration"].get("secrets") or []
    secrets = {secret["name"]: str(secret.get("value") or "") for secret in declared}
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


def _auth(stack: Stack, app: Declared) -> BuiltInAuth | None:
    # The platform reads the configuration of this name only.
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
        raise StackError(f"{app.name}: the tag {_LOCAL_COMMAND} is a JSON list of words, not {text!r}.")
    return tuple(words)
