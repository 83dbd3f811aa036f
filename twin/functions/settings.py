"""Reads the settings of the MCP server from `host.json`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY = "/twin/ready"
"""The only path for which no token is required. Its response states only that the host is running."""


class HostError(Exception):
    """The function app cannot be served; the message has the reason and the remedy."""


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
            HostError: Azure would reject the file, or it has a setting that this host does not support.
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
            raise HostError(
                f"{path}: this host does not support extensions.mcp.{', '.join(section)}; remove it"
            )
        return settings


def _require_anonymous(path: Path, system: dict[str, Any]) -> None:
    """Checks that the app requires no function keys, because built-in authentication checks the callers.

    Raises:
        HostError: it requires a function key.
    """
    if system != {"webhookAuthorizationLevel": "Anonymous"}:
        raise HostError(
            f'{path}: set extensions.mcp.system to {{"webhookAuthorizationLevel": "Anonymous"}}. '
            "At level System every call needs the key mcp_extension, which this host does not have."
        )
