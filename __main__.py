"""The Pulumi program: describes the servers, checks the plan, and declares the resources."""

import pulumi

from backends import registry
from gateway import limits
from gateway.gateway import Gateway, GatewayArgs
from gateway.outputs import stack_outputs
from gateway.plan import plan_gateway
from settings import load


def deploy() -> None:
    """Declares the stack."""
    settings = load()
    backends = registry.describe(settings)
    hosted = registry.hosted(settings)
    plan = plan_gateway(settings, backends, hosted)
    plan.check()
    limits.check(settings, plan)

    gateway = Gateway("gateway", GatewayArgs(settings=settings, plan=plan))
    deployed = registry.deploy(backends, gateway.backend_context)
    gateway.publish(plan, deployed)

    registry.connect(settings, hosted)
    if settings.api_center is not None:
        gateway.list_in_api_center(plan, settings.api_center, hosted)

    for name, value in stack_outputs(settings, gateway, deployed, hosted).items():
        pulumi.export(name, value)


if __name__ == "__main__":
    deploy()
