"""What all backends are built from."""

from dataclasses import dataclass

from backends.environment import Environments
from gateway.platform import Platform
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a backend goes.

    Attributes:
        settings: the stack's settings.
        platform: what the gateway hands to backends.
        environments: where containers run.
    """

    settings: Settings
    platform: Platform
    environments: Environments

    def pinned(self, image: str, digest: str | None) -> str:
        """An image's reference with its digest, if the stack names one."""
        return f"{image}@{digest}" if digest else image
