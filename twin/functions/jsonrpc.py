"""Parses and formats JSON-RPC messages like the SDK of the MCP extension.

That SDK is ModelContextProtocol 0.4.0-preview.3 for .NET, with System.Text.Json. Strings are escaped to
ASCII, and the members of a response have the same order.
"""

import json
from dataclasses import dataclass
from typing import Any

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000

RequestId = str | int


class MalformedMessageError(Exception):
    """A body is not a JSON-RPC message. The extension does not catch this, so its host returns 500."""


class RequestError(Exception):
    """A request whose response is a JSON-RPC error with a code and a message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        method: method of a request or notification; None for a response.
        id: id of a request or response; None for a notification.
        params: parameters of a request or notification; None for a response.
    """

    method: str | None
    id: RequestId | None
    params: Any = None

    @property
    def is_request(self) -> bool:
        """Whether the message requires a response."""
        return self.method is not None and self.id is not None


def read(body: bytes) -> Message | None:
    """The message in a body; None for the JSON value `null`.

    Raises:
        MalformedMessageError: the body is not a JSON-RPC message.
    """
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise MalformedMessageError("not JSON") from None
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise MalformedMessageError('not an object with "jsonrpc": "2.0"')
    method, identifier = value.get("method"), value.get("id")
    if "method" in value and not isinstance(method, str):
        raise MalformedMessageError("method is not a string")
    if "id" in value and (not isinstance(identifier, str | int) or isinstance(identifier, bool)):
        raise MalformedMessageError("id is neither a string nor an integer")
    if "method" not in value and not ("id" in value and ("result" in value or "error" in value)):
        raise MalformedMessageError("neither a request, nor a notification, nor a response")
    return Message(method, identifier, value.get("params") if "method" in value else None)


def request(identifier: RequestId, method: str) -> str:
    """A request without parameters, as JSON."""
    return _json({"method": method, "id": identifier, "jsonrpc": "2.0"})


def result(identifier: RequestId, value: dict[str, Any]) -> str:
    """A successful response, as JSON."""
    return _json({"result": value, "id": identifier, "jsonrpc": "2.0"})


def error(identifier: RequestId, code: int, message: str) -> str:
    """An error response, as JSON; the SDK writes a missing id as an empty string."""
    return _json({"error": {"code": code, "message": message}, "id": identifier, "jsonrpc": "2.0"})


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
