"""The MCP server of the released extension: its responses to JSON-RPC messages.

The extension (Azure/azure-functions-mcp-extension 1.6.0) is built on ModelContextProtocol 0.4.0-preview.3
for .NET. It supports three protocol versions, which all define the `initialize` handshake, but it does
not require this handshake. It ignores `MCP-Protocol-Version` and does not support `server/discover`. The
official Python SDK behaves differently, so it is not used here. `twin.functions.modern` uses the SDK, to
represent an extension that supports 2026-07-28.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

from twin.functions import jsonrpc
from twin.functions.app import FunctionsApp
from twin.functions.jsonrpc import Message
from twin.functions.session import Session

_log = logging.getLogger(__name__)

PROTOCOL_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18")
"""The supported protocol versions; the response to a request for another version has the last one."""

_LOGGING_LEVELS = frozenset({"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"})

_Handler = Callable[[Session, Mapping[str, Any] | None], Awaitable[dict[str, Any]]]


class InvalidParametersError(Exception):
    """Parameters that the SDK cannot read. The response states only that an error occurred."""


class ExtensionServer:
    """Serves the tools of an app.

    Like the extension, it declares the capabilities `resources` and `prompts`, but has no resources and
    prompts.

    Args:
        app: the function app.
    """

    def __init__(self, app: FunctionsApp) -> None:
        self._app = app
        self._handlers: Mapping[str, _Handler] = {
            "initialize": self._initialize,
            "ping": _empty_result,
            "logging/setLevel": _set_level,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": _empty_list("resources"),
            "resources/templates/list": _empty_list("resourceTemplates"),
            "resources/read": _unknown("resource", "uri"),
            "resources/subscribe": _empty_result,
            "resources/unsubscribe": _empty_result,
            "prompts/list": _empty_list("prompts"),
            "prompts/get": _unknown("prompt", "name"),
        }

    async def answer(self, message: Message, session: Session) -> str:
        """The response to a request, as JSON.

        Args:
            message: the request.
            session: the session of the client, in which `initialize` stores the name and version of the
                client.
        """
        identifier = message.id if message.id is not None else ""
        handler = self._handlers.get(message.method or "")
        if handler is None:
            problem = f"Method '{message.method}' is not available."
            return jsonrpc.error(identifier, jsonrpc.METHOD_NOT_FOUND, problem)
        try:
            return jsonrpc.result(identifier, await handler(session, _object(message.params)))
        except jsonrpc.RequestError as error:
            return jsonrpc.error(identifier, error.code, error.message)
        except InvalidParametersError as error:
            _log.info("%s: %s", message.method, error)
            return jsonrpc.error(identifier, jsonrpc.INTERNAL_ERROR, "An error occurred.")

    async def _initialize(self, session: Session, params: Mapping[str, Any] | None) -> dict[str, Any]:
        requested, session.client = read_initialize(params)
        settings = self._app.settings
        answer: dict[str, Any] = {
            "protocolVersion": requested if requested in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[-1],
            "capabilities": {"logging": {}, "prompts": {}, "resources": {}, "tools": {}},
            "serverInfo": {"name": settings.server_name, "version": settings.server_version},
        }
        if settings.instructions is not None:
            answer["instructions"] = settings.instructions
        return answer

    async def _list_tools(self, _: Session, __: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"tools": [_to_json(tool.definition) for tool in self._app.tools.values()]}

    async def _call_tool(self, session: Session, params: Mapping[str, Any] | None) -> dict[str, Any]:
        name = "" if params is None else _text(params, "name")
        arguments = None if params is None else _object(params.get("arguments"))
        tool = self._app.tools.get(name.lower())
        if tool is None:
            raise jsonrpc.RequestError(jsonrpc.INVALID_PARAMS, f"Unknown tool: '{name}'")
        return _to_json(await tool.call(session.invocation(name, arguments)))


def read_initialize(params: object) -> tuple[str | None, dict[str, Any] | None]:
    """The requested protocol version, and the client's name and version; None without parameters.

    Raises:
        InvalidParametersError: one of them is missing or has another type.
    """
    arguments = _object(params)
    if arguments is None:
        return None, None
    client = _object(arguments.get("clientInfo"))
    if client is None:
        raise InvalidParametersError("clientInfo is missing")
    known = {name: _text(client, name) for name in ("name", "version")}
    if client.get("title") is not None:
        known["title"] = _text(client, "title")
    return _text(arguments, "protocolVersion"), known


def _object(value: object) -> Mapping[str, Any] | None:
    """A JSON object, or None for `null` and for an absent value.

    Raises:
        InvalidParametersError: the value is not an object.
    """
    if value is None or isinstance(value, dict):
        return value
    raise InvalidParametersError("not an object")


def _to_json(model: BaseModel) -> dict[str, Any]:
    """The explicitly set members of a model, without defaults of later protocol versions (`resultType`)."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise InvalidParametersError(f"{name} is not a string")
    return value


async def _empty_result(_: Session, __: Mapping[str, Any] | None) -> dict[str, Any]:
    return {}


async def _set_level(_: Session, params: Mapping[str, Any] | None) -> dict[str, Any]:
    if params is not None and params.get("level") not in _LOGGING_LEVELS:
        raise InvalidParametersError("level is not a logging level")
    return {}


def _empty_list(name: str) -> _Handler:
    async def answer(_: Session, __: Mapping[str, Any] | None) -> dict[str, Any]:
        return {name: []}

    return answer


def _unknown(kind: str, name: str) -> _Handler:
    async def answer(_: Session, params: Mapping[str, Any] | None) -> dict[str, Any]:
        requested = "" if params is None else _text(params, name)
        raise jsonrpc.RequestError(jsonrpc.INVALID_PARAMS, f"Unknown {kind}: '{requested}'")

    return answer
