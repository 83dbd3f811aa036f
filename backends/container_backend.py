"""An MCP server that runs in one or more Container Apps."""

from dataclasses import dataclass

from backends.deployable import DeployableBackend, Deployment
from backends.secrets import ServerSecrets, ServerSecretsArgs
from backends.server import Server, ServerArgs, ServerSpec
from gateway.backend_context import Deployed


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerBackend(DeployableBackend):
    """An MCP server of one or more processes, each in its own Container App.

    Attributes:
        environment: name of its Container Apps environment.
        servers: its processes; routes without an `origin` are for the first.
    """

    environment: str
    servers: tuple[ServerSpec, ...]

    def deploy(self, deployment: Deployment) -> Deployed:
        """Declares the environment, if it does not exist yet, and the apps."""
        environment = deployment.environments.get(self.environment)
        audience = deployment.audience(self)
        # The processes of a server have the same secrets.
        values = {name: value for spec in self.servers for name, value in spec.secrets.items()}
        secrets = (
            ServerSecrets(
                f"{self.name}-secrets", ServerSecretsArgs(context=deployment.context, values=values)
            )
            if values
            else None
        )
        servers = {
            spec: Server(
                spec.name,
                ServerArgs(
                    context=deployment.context,
                    audience=audience,
                    environment=environment,
                    backend=self.name,
                    spec=spec,
                    secrets=secrets,
                ),
            )
            for spec in self.servers
        }
        return Deployed(
            backend=self,
            url=servers[self.servers[0]].url,
            named_values={
                self.audience: audience.client_id,
                **{spec.origin: server.url for spec, server in servers.items() if spec.origin},
            },
            authentication=tuple(server.authentication for server in servers.values()),
        )
