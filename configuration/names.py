"""Names and paths that entries of `containers` may not use."""

from collections.abc import Iterable

from configuration.presets import PRESETS

HOSTED = ("github",)
"""Servers of other organisations. Clients connect to them directly, so they are not behind the gateway."""

SERVERS = ("functions", *PRESETS, *HOSTED)
"""The project's MCP servers, by their names in `backends`."""

SCOPES = frozenset(scope for preset in PRESETS.values() for scope in preset.container.scopes)
"""Scopes of the project's own servers, in addition to their names."""

RESERVED_NAMES = frozenset({*SERVERS, "oauth", "gateway"})
"""Names that entries may not have, because they are names of parts of the stack."""

PATHS = {"functions": "mcp", **{name: preset.container.path for name, preset in PRESETS.items()}}
"""The first segment of the URLs of servers behind the gateway."""

RESERVED_SEGMENTS = frozenset(
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
"""First path segments at the gateway that have another use.

The authorization server, the registry and the message paths of legacy servers use them, and, for health
checks, API Management.
"""


def behind_the_gateway(backends: Iterable[str]) -> tuple[str, ...]:
    """The servers in `backends` that are behind the gateway."""
    return tuple(name for name in backends if name not in HOSTED)
