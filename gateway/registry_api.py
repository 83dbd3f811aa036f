"""Plans the MCP registry: the list of the stack's servers, which clients discover without a sign-in.

Each entry is a `server.json`, created from the record of the server. It contains only what clients need to
connect, URLs at the gateway: no secret, and no URL of a server behind the gateway.

https://github.com/modelcontextprotocol/registry/blob/main/docs/reference/api/openapi.yaml
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway import policy
from gateway.api import Api, Operation
from gateway.backend import Backend, Hosted
from settings import Settings

NAMESPACE = "registry-namespace"
"""The named value with the namespace of the servers' names: the gateway's host in reverse."""

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
"""The schema of the entries."""

_MAX_LENGTH = 100
_METADATA = "io.modelcontextprotocol.registry/official"


def plan_registry_api(settings: Settings, backends: Sequence[Backend], hosted: Sequence[Hosted]) -> Api:
    """The registry's API.

    Args:
        settings: the stack's settings.
        backends: the MCP servers behind the gateway.
        hosted: MCP servers of other organisations.
    """
    servers = json.dumps(entries(backends, hosted), ensure_ascii=False)
    prefix = settings.path_prefix
    listed = policy.render("registry/servers.xml.j2", prefix=prefix, servers=servers)
    server_policy = policy.render("registry/server.xml.j2", prefix=prefix, servers=servers)
    preflight = policy.render("oauth/preflight.xml.j2")
    return Api(
        id="registry",
        name="registry",
        title="MCP registry",
        description="The MCP servers of this gateway, for clients that discover servers.",
        path=f"{prefix}/v0.1".lstrip("/"),
        backend=None,
        policy=policy.render("oauth/api.xml.j2", prefix=prefix, root_messages=()),
        operations=(
            Operation(id="servers", title="List servers", method="GET", template="/servers", policy=listed),
            Operation(
                id="server", title="Get a server", method="GET", template="/servers/*", policy=server_policy
            ),
            *(
                Operation(
                    id=f"preflight-{id_}",
                    title=f"OPTIONS {template}",
                    method="OPTIONS",
                    template=template,
                    policy=preflight,
                )
                for id_, template in (("servers", "/servers"), ("server", "/servers/*"))
            ),
        ),
    )


def namespace(gateway_url: str) -> str:
    """The reverse-DNS namespace of a gateway's servers, such as `net.azure-api.example`."""
    host = gateway_url.partition("://")[2].partition("/")[0].partition(":")[0]
    return ".".join(reversed(host.split(".")))


def entries(backends: Sequence[Backend], hosted: Sequence[Hosted]) -> list[dict[str, Any]]:
    """The entries, in the order of their names."""
    servers = {
        **{backend.name: _of_backend(backend) for backend in backends},
        **{server.name: _of_hosted(server) for server in hosted},
    }
    return [
        {"server": servers[name], "_meta": {_METADATA: {"status": "active", "isLatest": True}}}
        for name in sorted(servers)
    ]


def _of_backend(backend: Backend) -> Mapping[str, Any]:
    base = f"{{{{gateway-url}}}}/{backend.path}"
    remotes = [{"type": "streamable-http", "url": base}] if backend.has_streamable_http else []
    remotes += [{"type": "sse", "url": f"{base}{path}"} for path in backend.event_stream_paths]
    return _server(backend.name, backend.title, backend.description, backend.version, remotes)


def _of_hosted(server: Hosted) -> Mapping[str, Any]:
    remotes = [{"type": "streamable-http", "url": server.url}]
    return _server(server.name, server.title, server.description, server.version, remotes)


def _server(
    name: str, title: str, description: str, version: str, remotes: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    return {
        "$schema": SCHEMA,
        "name": f"{{{{{NAMESPACE}}}}}/{name}",
        "title": title[:_MAX_LENGTH],
        "description": (description or f"The MCP server {title}.")[:_MAX_LENGTH],
        "version": version,
        "remotes": list(remotes),
    }
