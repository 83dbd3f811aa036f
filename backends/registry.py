"""The MCP servers that there are, by the name that they have in a configuration."""

from collections.abc import Callable, Mapping

from backends import functions
from backends.backend import Backend
from gateway.platform import Platform

BUILDERS: Mapping[str, Callable[[Platform], Backend]] = {
    "functions": functions.build,
}
"""Each declares its server and says how the gateway reaches it."""
