"""Configuration of stacks for tests, and the planned gateway of a stack."""

from collections.abc import Mapping

from apim.service import Service
from gateway.registry_api import namespace
from twin.azure.cloud import FIXED_SEED
from twin.gateway_plan import load_settings, plan_stack

FUNCTIONS_ONLY = {"backends": '["functions"]'}
"""The dev stack with one MCP server. The committed stack has all servers and needs credentials in Azure."""


def planned_service(gateway_url: str, config: Mapping[str, str] = FUNCTIONS_ONLY) -> Service:
    """The planned gateway of a stack, with fixed named values in place of those that a deployment generates.

    The MCP server `functions` is at `https://functions.example`, and so on.
    """
    settings = load_settings(config)
    plan = plan_stack(config)
    urls = {backend.name: f"https://{backend.name}.example" for backend in plan.backends}
    values = {
        "gateway-url": gateway_url,
        "entra-authority": settings.entra_authority,
        "entra-tenant": "11111111-1111-4111-8111-111111111111",
        "entra-client": "22222222-2222-4222-8222-222222222222",
        "gateway-identity": "33333333-3333-4333-8333-333333333333",
        "cosmos-url": "https://cosmos.example",
        "registry-namespace": namespace(gateway_url),
    }
    for value in plan.named_values:
        if value.secret:
            length = 32 if value.name.startswith("consent") else 64
            values[value.name] = FIXED_SEED.key(value.name, length)
        elif value.name.endswith("-audience"):
            values[value.name] = FIXED_SEED.guid(value.name)
        elif value.backend is not None:
            values[value.name] = urls[value.backend]
    return plan.service(values, urls)
