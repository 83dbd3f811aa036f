"""The deployment on one page: settings -> gateway -> backends -> outputs."""

import pulumi

import settings as configuration
from backends.registry import BUILDERS
from gateway import outputs
from gateway.authorization import AuthorizationServer, AuthorizationServerArgs
from gateway.gateway import Gateway, GatewayArgs
from gateway.mcp_api import McpApi, McpApiArgs


def deploy() -> None:
    """Declares the whole stack."""
    settings = configuration.load()

    gateway = Gateway("gateway", GatewayArgs(settings=settings))
    backends = tuple(BUILDERS[name](gateway.platform) for name in settings.backends)

    AuthorizationServer(
        "oauth", AuthorizationServerArgs(host=gateway.host, settings=settings, backends=backends)
    )
    for backend in backends:
        McpApi(backend.name, McpApiArgs(host=gateway.host, settings=settings, backend=backend))

    for name, value in outputs.of(gateway.url, backends).items():
        pulumi.export(name, value)


if __name__ == "__main__":
    deploy()
