"""Streamable HTTP, as the MCP extension serves it: POST only, and no session kept by the server."""

import secrets
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from twin.functions.client_state import ClientState
from twin.functions.server import SESSION_HEADER

_HANDSHAKE_OR_NONE = (None, *HANDSHAKE_PROTOCOL_VERSIONS)

MAX_BODY = 16 * 1024 * 1024
"""The largest message that is read, in bytes: enough to tell a client that its 2 MB snippet is too large."""


class StreamableHttp:
    """The ASGI app at `/runtime/webhooks/mcp`.

    Each request is served on its own. A client of a protocol version with `initialize` is given a sealed
    `Mcp-Session-Id` that means nothing here but has to be genuine when it comes back.

    Args:
        server: the MCP server.
        state: seals the session ids.
    """

    def __init__(self, server: Server[Any], state: ClientState) -> None:
        self._manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=MAX_BODY)
        self._state = state
        self._limited = RequestBodyLimitMiddleware(self._serve, MAX_BODY)

    def run(self) -> AbstractAsyncContextManager[None]:
        """Must be entered while requests are served."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["method"] != "POST":
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
            return
        await self._limited(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        session = request.headers.get(SESSION_HEADER)
        if session is not None and self._state.open(session) is None:
            await _bad_request("Invalid client state.")(scope, receive, send)
            return
        body = await request.body()
        message = _message(body)
        if message is None and request.headers.get("mcp-protocol-version") in _HANDSHAKE_OR_NONE:
            # For later versions there is an error of its own, which the SDK gives.
            reason = "Bad Request: The POST body did not contain a valid JSON-RPC message."
            await _bad_request(reason)(scope, receive, send)
            return
        opens = isinstance(message, types.JSONRPCRequest) and message.method == "initialize"
        answer = self._announcing(send) if session is None and opens else send
        await self._manager.handle_request(scope, _replay(body, receive), answer)

    def _announcing(self, send: Send) -> Send:
        """A `send` that adds a new session id to a successful response."""

        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:  # noqa: PLR2004 - an HTTP status
                MutableHeaders(scope=message)[SESSION_HEADER] = self._state.seal(secrets.token_hex(8))
            await send(message)

        return announce


def _message(body: bytes) -> types.JSONRPCMessage | None:
    """The message in a body, or None if there is none."""
    try:
        return types.jsonrpc_message_adapter.validate_json(body, by_name=False)
    except ValidationError:
        return None


def _bad_request(reason: str) -> Response:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": reason}}
    return JSONResponse(error, status_code=400)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body, already read, once more, and then what comes after it."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return unread.pop() if unread else await receive()

    return replay
