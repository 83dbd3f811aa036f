"""What `host.json` says of the MCP server."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY = "/twin/ready"
"""The only path that needs no token; its answer reveals only that the host serves."""


class HostError(Exception):
    """The function app cannot be served; the message says why and what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """The section `extensions.mcp` of `host.json`.

    Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-mcp#hostjson-settings
    """

    server_name: str = "Azure Functions MCP server"
    server_version: str = "1.0.0"
    instructions: str | None = None

    @classmethod
    def read(cls, path: Path) -> "HostSettings":
        """Reads a `host.json`.

        Raises:
            HostError: the file is not what Azure would accept, or asks for what this host does not do.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise HostError(f"{path}: cannot be read ({error.strerror}); a function app needs it") from error
        except ValueError as error:
            raise HostError(f"{path}: is not JSON: {error}") from error
        if document.get("version") != "2.0":
            raise HostError(f'{path}: set "version" to "2.0"')
        section = dict(document.get("extensions", {}).get("mcp", {}))
        _require_anonymous(path, section.pop("system", {}))
        settings = cls(
            server_name=section.pop("serverName", cls.server_name),
            server_version=section.pop("serverVersion", cls.server_version),
            instructions=section.pop("instructions", None),
        )
        if section:
            raise HostError(f"{path}: this host does not know extensions.mcp.{', '.join(section)}; remove it")
        return settings


def _require_anonymous(path: Path, system: dict[str, Any]) -> None:
    """Refuses to serve behind function keys: built-in authentication locks the app instead."""
    if system != {"webhookAuthorizationLevel": "Anonymous"}:
        raise HostError(
            f'{path}: set extensions.mcp.system to {{"webhookAuthorizationLevel": "Anonymous"}}. '
            "At level System every call needs the key mcp_extension, which this host does not have."
        )
