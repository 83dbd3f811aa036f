"""The deployment on one page: settings -> gateway -> backends -> outputs."""

import gc

import pulumi

from backends import registry
from gateway import aliases, origins, outputs, review
from gateway.authorization import AuthorizationServer, AuthorizationServerArgs
from gateway.gateway import Gateway, GatewayArgs
from gateway.mcp_api import McpApi, McpApiArgs
from settings import load


def deploy() -> None:
    """Declares the whole stack."""
    # A deployment makes many objects and throws few away: looking for cycles was a third of its time.
    gc.set_threshold(20_000, 20, 50)
    settings = load()
    aliases.leave_out_those_of_other_versions()

    with review.before_anything_is_created():
        gateway = Gateway("gateway", GatewayArgs(settings=settings))
        backends = registry.build(settings, gateway.platform)

        further = origins.declare("origins", gateway.host, backends)
        AuthorizationServer(
            "oauth",
            AuthorizationServerArgs(host=gateway.host, settings=settings, backends=backends, origins=further),
        )
        for backend in backends:
            McpApi(
                backend.name,
                McpApiArgs(host=gateway.host, settings=settings, backend=backend, origins=further),
            )

        for name, value in outputs.of(gateway.url, backends, registry.hosted(settings)).items():
            pulumi.export(name, value)


if __name__ == "__main__":
    deploy()
