"""Names and paths that entries of `containers` may not use."""

from collections.abc import Iterable

from configuration.presets import PRESETS

HOSTED = ("github",)
"""Servers of other organisations, to which clients connect directly: they are not behind the gateway."""

SERVERS = ("functions", *PRESETS, *HOSTED)
"""The project's MCP servers, by their names in `backends`."""

SCOPES = frozenset(scope for preset in PRESETS.values() for scope in preset.container.scopes)
"""Scopes of the project's own servers, in addition to their names."""

TAKEN = frozenset({*SERVERS, "oauth", "gateway"})
"""Names that no entry may have, because parts of the stack have them."""

PATHS = {"functions": "mcp", **{name: preset.container.path for name, preset in PRESETS.items()}}
"""The first segment of the URLs of servers behind the gateway."""

RESERVED = frozenset(
    {
        ".well-known",
        "authorize",
        "consent",
        "message",
        "messages",
        "oauth-callback",
        "register",
        "revoke",
        "token",
        "v0.1",
        "status-0123456789abcdef",
    }
)
"""First segments at the gateway's root that belong to the authorization server, to the registry, to legacy
servers that announce their message path there, and to API Management (the last one, for health checks)."""


def behind_the_gateway(backends: Iterable[str]) -> tuple[str, ...]:
    """Those of the servers in `backends` that are behind the gateway."""
    return tuple(name for name in backends if name not in HOSTED)
