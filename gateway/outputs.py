"""The outputs of a stack: where to connect. No secret, and no backend's own URL."""

from collections.abc import Mapping, Sequence

import pulumi

from gateway.backend import Backend, Hosted
from gateway.backend_context import Deployed
from gateway.gateway import Gateway


def stack_outputs(
    gateway: Gateway, deployed: Sequence[Deployed], hosted: Sequence[Hosted]
) -> Mapping[str, pulumi.Input[object]]:
    """The stack's outputs by name.

    Args:
        gateway: the gateway.
        deployed: the MCP servers behind it.
        hosted: MCP servers of other organisations, to which clients connect directly.
    """
    gateway_url = gateway.url
    backends = [server.backend for server in deployed]
    endpoints = {backend.name: _endpoints(gateway_url, backend) for backend in backends}
    return {
        "gatewayUrl": gateway_url,
        "mcpEndpoints": {**endpoints, **{server.name: {"streamableHttp": server.url} for server in hosted}},
        "serviceApiEndpoints": [
            server["sse"] if "sse" in server else server["streamableHttp"] for server in endpoints.values()
        ],
        "resourceGroup": gateway.resource_group_name,
        "apimName": gateway.service_name,
        "entraClientId": gateway.client_id,
        "oauthMetadataUrl": pulumi.Output.concat(gateway_url, "/.well-known/oauth-authorization-server"),
        "agentSettings": {
            "gatewayUrl": gateway_url,
            "servers": [
                *(
                    {
                        "name": backend.name,
                        "title": backend.title,
                        "url": endpoints[backend.name]["streamableHttp"],
                        "signIn": "gateway",
                    }
                    for backend in backends
                    if backend.has_streamable_http
                ),
                *(
                    {"name": server.name, "title": server.title, "url": server.url, "signIn": server.name}
                    for server in hosted
                ),
            ],
        },
        **{name: value for server in deployed for name, value in server.outputs.items()},
    }


def _endpoints(gateway_url: pulumi.Output[str], backend: Backend) -> Mapping[str, pulumi.Output[str]]:
    """The URLs at which a client may begin: streamable HTTP, and the legacy event stream if there is one."""
    base = pulumi.Output.concat(gateway_url, "/", backend.path)
    endpoints = {"streamableHttp": base} if backend.has_streamable_http else {}
    for entrance in backend.entrances:
        endpoints["sse"] = pulumi.Output.concat(base, entrance)
    return endpoints
