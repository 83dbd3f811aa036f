"""The HTTP+SSE transport of MCP 2024-11-05, as the MCP extension serves it.

The client opens a stream; its first event, `endpoint`, is the URL to which it posts its messages, whose
answers come over the stream. The URL is relative to the stream's path, so it survives a gateway that serves
the host under another path. The SDK has this transport too, but writes that URL relative to the root.
"""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from pydantic import ValidationError
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from twin.functions.client_state import ClientState
from twin.functions.streamable_http import MAX_BODY

_Inbox = MemoryObjectSendStream[SessionMessage | Exception]

_PING_EVERY = 25
"""Seconds between signs of life, as between the extension's pings; Azure cuts streams idle for 4 minutes."""


class SseTransport:
    """The ASGI app at `/runtime/webhooks/mcp/sse`, for streams, and at `.../message`, for what clients post.

    Args:
        server: the MCP server.
        state: seals the session ids.
    """

    def __init__(self, server: Server[Any], state: ClientState) -> None:
        self._server = server
        self._state = state
        self._sessions: dict[str, _Inbox] = {}
        self._limited = RequestBodyLimitMiddleware(self._message, MAX_BODY)

    @property
    def open_sessions(self) -> int:
        """How many streams are open."""
        return len(self._sessions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        serve = self._stream if scope["path"].rstrip("/").endswith("/sse") else self._limited
        await serve(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one client's stream; its session lives exactly as long."""
        if scope["method"] != "GET":
            await Response(status_code=405, headers={"Allow": "GET"})(scope, receive, send)
            return
        session = secrets.token_hex(8)
        inbox, received = anyio.create_memory_object_stream[SessionMessage | Exception]()
        sent, outbox = anyio.create_memory_object_stream[SessionMessage]()
        response = EventSourceResponse(
            _events(f"message?azmcpcs={self._state.seal(session)}", outbox),
            headers={"Cache-Control": "no-cache,no-store", "Content-Encoding": "identity"},
            ping=_PING_EVERY,
        )
        self._sessions[session] = inbox
        try:
            async with anyio.create_task_group() as tasks, inbox, received, sent, outbox:
                tasks.start_soon(
                    self._server.run, received, sent, self._server.create_initialization_options()
                )
                await response(scope, receive, send)
                del self._sessions[session]
                tasks.cancel_scope.cancel()
        finally:
            self._sessions.pop(session, None)

    async def _message(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands one posted message to its session."""
        request = Request(scope, receive)
        if request.method != "POST":
            response = Response(status_code=405, headers={"Allow": "POST"})
        elif isinstance(inbox := self._inbox(request.query_params.get("azmcpcs")), str):
            explanation = f"{inbox} Please connect to the /sse endpoint to initiate your session."
            response = JSONResponse(explanation, status_code=400)
        else:
            response = await _deliver(request, inbox)
        await response(scope, receive, send)

    def _inbox(self, state: str | None) -> _Inbox | str:
        """Where the messages of a session go, or why there is no such place."""
        if state is None:
            return "Missing service context."
        if (opened := self._state.open(state)) is None:
            return "Invalid client state."
        return self._sessions.get(opened[0], "No active session for this client.")


async def _deliver(request: Request, inbox: _Inbox) -> Response:
    try:
        message = types.jsonrpc_message_adapter.validate_json(await request.body(), by_name=False)
    except ValidationError:
        return JSONResponse("The body is not a JSON-RPC message.", status_code=400)
    try:
        await inbox.send(SessionMessage(message, metadata=ServerMessageMetadata(request_context=request)))
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return JSONResponse("The session has ended.", status_code=400)
    return PlainTextResponse("Accepted", status_code=202)


async def _events(
    endpoint: str, outbox: MemoryObjectReceiveStream[SessionMessage]
) -> AsyncIterator[dict[str, str]]:
    yield {"event": "endpoint", "data": endpoint}
    async for message in outbox:
        yield {"event": "message", "data": message.message.model_dump_json(by_alias=True, exclude_unset=True)}
