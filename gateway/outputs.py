"""The outputs of a stack: the URLs for clients, no backend's own URL, and no secret in clear text."""

from collections.abc import Mapping, Sequence

import pulumi

from gateway.backend import Backend, Hosted
from gateway.backend_context import Deployed
from gateway.gateway import Gateway
from gateway.policy import issuer_path
from settings import Settings


def stack_outputs(
    settings: Settings, gateway: Gateway, deployed: Sequence[Deployed], hosted: Sequence[Hosted]
) -> Mapping[str, pulumi.Input[object]]:
    """The stack's outputs by name.

    Args:
        settings: the stack's settings.
        gateway: the gateway.
        deployed: the MCP servers behind it.
        hosted: MCP servers of other organisations, to which clients connect directly.
    """
    gateway_url = gateway.url
    backends = [server.backend for server in deployed]
    endpoints = {backend.name: _endpoints(gateway_url, backend) for backend in backends}
    return {
        "gatewayUrl": gateway_url,
        **({"gatewayCname": gateway.cname} if gateway.cname is not None else {}),
        "mcpEndpoints": {**endpoints, **{server.name: {"streamableHttp": server.url} for server in hosted}},
        "serviceApiEndpoints": [
            server["sse"] if "sse" in server else server["streamableHttp"] for server in endpoints.values()
        ],
        "resourceGroup": gateway.resource_group_name,
        "apimName": gateway.service_name,
        "entraClientId": gateway.client_id,
        **({"entraRegistration": gateway.registration} if gateway.registration else {}),
        # The well-known location precedes the issuer's path (RFC 8414, section 3.1).
        "oauthMetadataUrl": pulumi.Output.concat(
            gateway_url, "/.well-known/oauth-authorization-server", issuer_path(settings.path_prefix)
        ),
        "agentSettings": _agent_settings(settings, gateway, deployed, hosted),
        **({"subscriptionKeys": pulumi.Output.secret(gateway.keys)} if gateway.keys else {}),
        **{name: value for server in deployed for name, value in server.outputs.items()},
    }


def _endpoints(gateway_url: pulumi.Output[str], backend: Backend) -> Mapping[str, pulumi.Output[str]]:
    """The URLs at which clients connect: streamable HTTP, and the legacy event stream if there is one."""
    base = pulumi.Output.concat(gateway_url, "/", backend.path)
    endpoints = {"streamableHttp": base} if backend.has_streamable_http else {}
    for path in backend.event_stream_paths:
        endpoints["sse"] = pulumi.Output.concat(base, path)
    return endpoints


def _agent_settings(
    settings: Settings,
    gateway: Gateway,
    deployed: Sequence[Deployed],
    hosted: Sequence[Hosted],
) -> Mapping[str, pulumi.Input[object]]:
    """The settings of the demo agent: the stack's servers, and the Foundry project."""
    behind = [server.backend for server in deployed if server.backend.has_streamable_http]
    project = settings.foundry
    return {
        "gatewayUrl": gateway.url,
        # The token endpoint of an agent, and the scope that it requests (client credentials, app-only).
        "tokenUrl": gateway.token_url,
        "scope": pulumi.Output.concat(gateway.client_id, "/.default"),
        "foundry": {"endpoint": project.endpoint, "model": project.model} if project else None,
        "servers": [
            *(
                {
                    "name": backend.name,
                    "title": backend.title,
                    "url": pulumi.Output.concat(gateway.url, "/", backend.path),
                    "signIn": "gateway",
                    "access": list(backend.access),
                    "roles": list(backend.scopes) if backend.admits_agents else [],
                    "readOnlyTools": list(backend.read_only_tools),
                }
                for backend in behind
            ),
            *(
                {
                    "name": server.name,
                    "title": server.title,
                    "url": server.url,
                    "signIn": server.name,
                    "connection": server.connection,
                }
                for server in hosted
            ),
        ],
    }
