"""The MCP servers that there are, by the name that they have in a configuration."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from backends import container, functions, github, jira, slack
from backends.backend import Backend, Hosted
from backends.environment import Environments
from backends.site import Site
from gateway.platform import Platform
from settings import Settings

BUILDERS: Mapping[str, Callable[[Site], Backend]] = {
    "functions": functions.build,
    "slack": slack.build,
    "jira": jira.build,
}
"""Each declares its server and says how the gateway reaches it."""

HOSTED: Mapping[str, Hosted] = {"github": github.SERVER}
"""Servers of others, to which clients go directly."""


def build(settings: Settings, platform: Platform) -> tuple[Backend, ...]:
    """Declares the MCP servers that a stack puts behind its gateway."""
    site = Site(
        settings=settings,
        platform=platform,
        environments=Environments(platform, isolate=settings.isolate_environments),
    )
    backends = (
        *(BUILDERS[name](site) for name in settings.backends if name in BUILDERS),
        *(container.build(site, entry) for entry in settings.containers),
    )
    return tuple(
        replace(backend, access=settings.access.get(backend.name, backend.access)) for backend in backends
    )


def hosted(settings: Settings) -> tuple[Hosted, ...]:
    """The servers of others that a stack tells its users about."""
    return tuple(HOSTED[name] for name in settings.backends if name in HOSTED)
