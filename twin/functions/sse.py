"""The HTTP+SSE transport of MCP 2024-11-05, as the MCP extension serves it.

The client opens a stream. Its first event, `endpoint`, contains the URL to which the client posts
messages; responses are sent on the stream. The URL is relative to the stream's path, so it is
also correct behind a gateway that serves the host under another path.
"""

import math

import anyio
import anyio.abc
from anyio.streams.memory import MemoryObjectSendStream
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from twin.functions import jsonrpc
from twin.functions.client_state import ClientState, UnreadableStateError
from twin.functions.events import EVENT_STREAM_HEADERS, event, start
from twin.functions.extension import ExtensionServer
from twin.functions.jsonrpc import Message, RequestId
from twin.functions.session import Session
from twin.functions.streamable_http import UnhandledError, read_message

_PING_INTERVAL = 25
"""The number of seconds between the response to a `ping` and the next `ping`."""


class SseTransport:
    """The ASGI app at `.../sse`, for streams, and at `.../message`, for the messages that clients post.

    Args:
        server: the MCP server that handles the messages.
        state: encrypts the session ids.
        ping_interval: seconds between the response to a `ping` and the next `ping`.
    """

    def __init__(
        self, server: ExtensionServer, state: ClientState, *, ping_interval: float = _PING_INTERVAL
    ) -> None:
        self._server = server
        self._state = state
        self._ping_every = ping_interval
        self._streams: dict[str, _Stream] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request.

        Raises:
            UnhandledError: the request causes an error that the extension does not catch.
            BodyTooLargeError, ClientDisconnect: see `read_body`.
        """
        request = Request(scope, receive)
        if scope["path"].rstrip("/").lower().endswith("message"):
            await (await self._message(request))(scope, receive, send)
        elif scope["method"] != "GET":
            await Response(status_code=405)(scope, receive, send)
        else:
            await self._serve_stream(request, send)

    async def _serve_stream(self, request: Request, send: Send) -> None:
        """Serves the stream of one client, and ends the client's session at the end of the stream."""
        identifier = self._state.new_session()
        endpoint = f"message?azmcpcs={self._state.encrypt(identifier)}"
        if (key := _function_key(request)) is not None:
            endpoint += f"&code={key}"
        events, unsent = anyio.create_memory_object_stream[bytes](math.inf)
        events.send_nowait(event("endpoint", endpoint))

        async def write() -> None:
            await send(start(EVENT_STREAM_HEADERS))
            async for message in unsent:
                await send({"type": "http.response.body", "body": message, "more_body": True})

        async with anyio.create_task_group() as tasks, events, unsent:
            session = Session(transport="http-sse", headers=dict(request.headers))
            stream = _Stream(self._server, session, events, tasks)
            self._streams[identifier] = stream
            try:
                tasks.start_soon(write)
                tasks.start_soon(stream.ping, self._ping_every)
                while (await request.receive())["type"] != "http.disconnect":
                    pass
            finally:
                del self._streams[identifier]
                tasks.cancel_scope.cancel()

    async def _message(self, request: Request) -> Response:
        """Handles a posted message in the session to which it belongs."""
        states = request.query_params.getlist("azmcpcs")
        if not states:
            return _invalid_session("Missing service context.")
        try:
            opened = self._state.open(states[0])
        except UnreadableStateError as error:
            raise UnhandledError(str(error)) from None
        if opened is None:
            return _invalid_session("Invalid client state.")
        message = await read_message(request)
        if message is None:
            return JSONResponse("No message in request body.", status_code=400)
        identifier, instance = opened
        stream = self._streams.get(identifier)
        if stream is not None:
            stream.handle(message)
        elif instance == self._state.instance:
            return _invalid_session(f"No active session for client '{identifier}' and instance '{instance}'.")
        # Otherwise another instance created the session, for example this host before a restart. The
        # extension puts the message into a queue for that instance.
        return Response("Accepted", status_code=202)


class _Stream:
    """An open stream, which sends responses and pings to its client."""

    def __init__(
        self,
        server: ExtensionServer,
        session: Session,
        events: MemoryObjectSendStream[bytes],
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._server = server
        self._session = session
        self._events = events
        self._tasks = tasks
        self._running: dict[RequestId, anyio.CancelScope] = {}
        self._pings = 0
        self._answered = anyio.Event()

    def handle(self, message: Message) -> None:
        """Handles a message of the client; the response to a request is sent on the stream."""
        if message.is_request:
            self._tasks.start_soon(self._respond, message)
        elif message.method == "notifications/cancelled":
            params = message.params if isinstance(message.params, dict) else {}
            identifier = params.get("requestId")
            if isinstance(identifier, str | int) and identifier in self._running:
                self._running[identifier].cancel()
        elif message.id == self._pings:
            self._answered.set()

    async def ping(self, interval: float) -> None:
        """Sends `ping` requests, each `interval` seconds after the response to the previous one."""
        while True:
            await anyio.sleep(interval)
            self._pings += 1
            self._answered = anyio.Event()
            self._events.send_nowait(event("message", jsonrpc.request(self._pings, "ping")))
            await self._answered.wait()

    async def _respond(self, message: Message) -> None:
        identifier = message.id if message.id is not None else ""
        with anyio.CancelScope() as scope:
            self._running[identifier] = scope
            try:
                answer = await self._server.answer(message, self._session)
                self._events.send_nowait(event("message", answer))
            finally:
                self._running.pop(identifier, None)


def _function_key(request: Request) -> str | None:
    """The function key in a request, or None; a key in the URL takes precedence over one in the header."""
    sent = [*request.query_params.getlist("code"), *request.headers.getlist("x-functions-key")]
    return sent[0] if sent else None


def _invalid_session(reason: str) -> Response:
    return JSONResponse(
        f"{reason} Please connect to the /sse endpoint to initiate your session.", status_code=400
    )
