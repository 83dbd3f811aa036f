"""A described backend that can be deployed."""

from abc import abstractmethod
from dataclasses import dataclass

from backends.environment import Environments
from gateway.backend import Backend
from gateway.platform import Deployed, Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentContext:
    """Where backends are deployed.

    Attributes:
        platform: what the gateway gives to backends.
        environments: where containers run.
    """

    platform: Platform
    environments: Environments


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployableBackend(Backend):
    """An MCP server that this program deploys: plain data, and how to declare its resources."""

    @abstractmethod
    def deploy(self, context: DeploymentContext) -> Deployed:
        """Declares the server's resources."""
