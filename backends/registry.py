"""The MCP servers of a stack: describes them as plain data, then deploys them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backends import container, functions, github, jira, slack
from backends.deployable import DeployableBackend, Site
from backends.environment import Environments
from gateway.backend import Hosted
from gateway.platform import Deployed, Platform
from settings import Settings

DESCRIPTIONS: Mapping[str, Callable[[Settings], DeployableBackend]] = {
    "functions": functions.describe,
    "slack": slack.describe,
    "jira": jira.describe,
}
"""The project's own MCP servers by the name that they have in `backends`."""

HOSTED: Mapping[str, Hosted] = {"github": github.SERVER}
"""Servers of other organisations, to which clients connect directly."""


def describe(settings: Settings) -> tuple[DeployableBackend, ...]:
    """The MCP servers that a stack puts behind its gateway."""
    described = (
        *(DESCRIPTIONS[name](settings) for name in settings.backends if name in DESCRIPTIONS),
        *(container.describe(settings, entry) for entry in settings.containers),
    )
    return tuple(
        replace(backend, access=settings.access.get(backend.name, backend.access)) for backend in described
    )


def deploy(backends: Sequence[DeployableBackend], platform: Platform) -> tuple[Deployed, ...]:
    """Declares the resources of described MCP servers."""
    site = Site(platform=platform, environments=Environments(platform))
    return tuple(backend.deploy(site) for backend in backends)


def hosted(settings: Settings) -> tuple[Hosted, ...]:
    """The servers of other organisations that the stack's outputs name."""
    return tuple(HOSTED[name] for name in settings.backends if name in HOSTED)
