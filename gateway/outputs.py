"""What a stack tells its users: where to connect. No secret, and no backend's own URL."""

from collections.abc import Mapping

import pulumi

from backends.backend import Backend, Hosted


def of(
    gateway_url: pulumi.Output[str], backends: tuple[Backend, ...], hosted: tuple[Hosted, ...]
) -> Mapping[str, pulumi.Input[object]]:
    """The stack's outputs by name.

    Args:
        gateway_url: origin of the gateway, without a trailing slash.
        backends: the MCP servers behind it.
        hosted: MCP servers of others, to which clients go directly.
    """
    endpoints = {backend.name: _endpoints(gateway_url, backend) for backend in backends}
    return {
        "gatewayUrl": gateway_url,
        "mcpEndpoints": {**endpoints, **{server.name: {"streamableHttp": server.url} for server in hosted}},
        "serviceApiEndpoints": [
            server["sse"] if "sse" in server else server["streamableHttp"] for server in endpoints.values()
        ],
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
        **{name: value for backend in backends for name, value in backend.outputs.items()},
    }


def _endpoints(gateway_url: pulumi.Output[str], backend: Backend) -> Mapping[str, pulumi.Output[str]]:
    """The URLs at which a client may begin: streamable HTTP, and the legacy event stream if there is one."""
    base = pulumi.Output.concat(gateway_url, "/", backend.path)
    endpoints = {"streamableHttp": base} if backend.has_streamable_http else {}
    for entrance in backend.entrances:
        endpoints["sse"] = pulumi.Output.concat(base, entrance)
    return endpoints
