"""A backend that this program can deploy."""

from abc import abstractmethod
from dataclasses import dataclass

from backends.audience import Audience, AudienceArgs
from backends.environment import Environments
from gateway.backend import Backend
from gateway.backend_context import BackendContext, Deployed


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployment of the backends of a stack.

    Attributes:
        context: the values that backends need from the gateway.
        environments: the Container Apps environments.
    """

    context: BackendContext
    environments: Environments

    def audience(self, backend: Backend) -> Audience:
        """The Entra application of a server, which exists already or is registered by the stack."""
        existing = self.context.existing.audiences.get(backend.name)
        return Audience(backend.audience, AudienceArgs(title=backend.title, existing=existing))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployableBackend(Backend):
    """An MCP server that this program deploys: plain data, and a method that declares its resources."""

    @abstractmethod
    def deploy(self, deployment: Deployment) -> Deployed:
        """Declares the server's resources."""
