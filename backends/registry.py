"""The MCP servers of a stack: describes them as plain data, then deploys them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backends import container, functions, github
from backends.deployable import DeployableBackend, Deployment
from backends.environment import Environments
from backends.foundry import Foundry, FoundryArgs
from gateway.backend import Hosted
from gateway.backend_context import BackendContext, Deployed
from settings import Settings

DESCRIPTIONS: Mapping[str, Callable[[Settings], DeployableBackend]] = {
    "functions": functions.describe,
}
"""The project's own MCP servers that are not container images, by their names in `backends`."""

HOSTED: Mapping[str, Callable[[Settings], Hosted]] = {"github": github.describe}
"""Servers of other organisations, to which clients connect directly."""


def describe(settings: Settings) -> tuple[DeployableBackend, ...]:
    """The MCP servers that a stack puts behind its gateway."""
    own = (_describe(settings, name) for name in settings.backends if name not in HOSTED)
    described = (*own, *(container.describe(settings, entry) for entry in settings.containers))
    return tuple(
        replace(
            backend,
            access=settings.access[backend.name],
            scopes=settings.scopes[backend.name],
            tools=settings.tools.get(backend.name, {}),
            pinned=_pinned(settings, backend.name),
        )
        for backend in described
    )


def _pinned(settings: Settings, name: str) -> Mapping[str, str] | None:
    """The only tools of a server that the gateway admits; None if it admits all of them."""
    if settings.tool_lock != "refuse":
        return None
    return {tool: locked.text_digest for tool, locked in settings.locked_tools[name].items()}


def _describe(settings: Settings, name: str) -> DeployableBackend:
    """One of the project's own servers."""
    if name in DESCRIPTIONS:
        return DESCRIPTIONS[name](settings)
    return container.describe(settings, settings.presets[name])


def deploy(backends: Sequence[DeployableBackend], context: BackendContext) -> tuple[Deployed, ...]:
    """Declares the resources of described MCP servers."""
    deployment = Deployment(context=context, environments=Environments(context))
    return tuple(backend.deploy(deployment) for backend in backends)


def hosted(settings: Settings) -> tuple[Hosted, ...]:
    """The servers of other organisations that the stack's outputs list."""
    return tuple(HOSTED[name](settings) for name in settings.backends if name in HOSTED)


def connect(settings: Settings, hosted: Sequence[Hosted]) -> None:
    """Declares the connections of the Foundry project, if the stack has one."""
    if settings.foundry is not None and settings.foundry.project is not None:
        Foundry("foundry", FoundryArgs(project=settings.foundry.project, hosted=hosted))
