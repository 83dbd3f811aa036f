"""Streamable HTTP of the MCP extension: POST only, without sessions on the server."""

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from twin.functions import jsonrpc
from twin.functions.body import read_body
from twin.functions.client_state import ClientState, UnreadableStateError
from twin.functions.events import EVENT_STREAM_HEADERS, event, start
from twin.functions.extension import ExtensionServer, InvalidParametersError, read_initialize
from twin.functions.jsonrpc import Message
from twin.functions.session import SESSION_HEADER, Session

_REQUIRED_TYPES = ("application/json", "text/event-stream")


class UnhandledError(Exception):
    """An error that the extension does not catch: the Functions host returns status 500 without a body."""


class StreamableHttp:
    """Serves POST requests independently of each other.

    The response to `initialize` has an encrypted `Mcp-Session-Id`. The id has no effect, but it must be valid
    if the client sends it.

    Args:
        server: the MCP server that handles the messages.
        state: encrypts the session ids.
    """

    def __init__(self, server: ExtensionServer, state: ClientState) -> None:
        self._server = server
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request.

        Raises:
            UnhandledError: the request causes an error that the extension does not catch.
            BodyTooLargeError, ClientDisconnect: see `read_body`.
        """
        request = Request(scope, receive)
        header_error = self._header_error(request)
        if header_error is not None:
            await header_error(scope, receive, send)
            return
        message = await read_message(request)
        if message is None:
            reason = "Bad Request: The POST body did not contain a valid JSON-RPC message."
            await _error(400, reason)(scope, receive, send)
        elif message.is_request:
            await self._respond(message, request, send)
        else:
            # The extension sets these headers before it reads the message, even if the message needs no
            # response.
            headers = {name: value for name, value in EVENT_STREAM_HEADERS.items() if name != "Content-Type"}
            await Response(status_code=202, headers=headers)(scope, receive, send)

    def _header_error(self, request: Request) -> Response | None:
        """The error response to a request with unacceptable headers; None for other requests."""
        if not all(_accepts(request, media_type) for media_type in _REQUIRED_TYPES):
            return _error(
                406, "Not Acceptable: Client must accept both application/json and text/event-stream"
            )
        if state := request.headers.get(SESSION_HEADER):
            try:
                opened = self._state.open(state)
            except UnreadableStateError as error:
                raise UnhandledError(str(error)) from None
            if opened is None:
                return _error(400, "Invalid client state.")
        return None

    async def _respond(self, message: Message, request: Request, send: Send) -> None:
        """Sends the response as the only event of a stream."""
        headers = dict(EVENT_STREAM_HEADERS)
        if message.method == "initialize":
            _require_readable_parameters(message)
            if not request.headers.get(SESSION_HEADER):
                headers[SESSION_HEADER] = self._state.encrypt(self._state.new_session())
        session = Session(transport="http-streamable", headers=dict(request.headers))

        async def respond() -> None:
            answer = await self._server.answer(message, session)
            await send(start(headers))
            await send({"type": "http.response.body", "body": event("message", answer)})
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(respond)
            # The body has been read, so the next ASGI message is a disconnect of the client, which cancels
            # the call.
            while (await request.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()


async def read_message(request: Request) -> Message | None:
    """The message in a request's body; None for the JSON value `null`.

    Raises:
        UnhandledError: the body is not a message, or its content type is not JSON.
        BodyTooLargeError, ClientDisconnect: see `read_body`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnhandledError(f"the content type {media_type!r} is not JSON")
    try:
        return jsonrpc.read(await read_body(request))
    except jsonrpc.MalformedMessageError as error:
        raise UnhandledError(str(error)) from None


def _require_readable_parameters(initialize: Message) -> None:
    """Checks that the parameters of an `initialize` request can be read; the transport reads them, too.

    Raises:
        UnhandledError: they cannot be read.
    """
    try:
        read_initialize(initialize.params)
    except InvalidParametersError as error:
        raise UnhandledError(str(error)) from None


def _accepts(request: Request, media_type: str) -> bool:
    accepted = {
        part.partition(";")[0].strip().lower()
        for line in request.headers.getlist("accept")
        for part in line.split(",")
    }
    return bool(accepted & {media_type, f"{media_type.partition('/')[0]}/*", "*/*"})


def _error(status: int, message: str) -> Response:
    return Response(
        jsonrpc.error("", jsonrpc.SERVER_ERROR, message),
        status_code=status,
        media_type="application/json; charset=utf-8",
    )
