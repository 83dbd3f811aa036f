"""A pool of connections to backends.

The module uses aiohttp's parser, flow control and streams, but not its session, which takes several times as
long as they do (benchmarks/servers_and_clients.py). It does not support cookies, redirects or proxies, and
adds no headers except Host and those that delimit the body.
"""

import asyncio
import contextlib
import os
import select
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

from apim.failure import SendError
from apim.network import Body, Headers

_CONNECT_WITHIN = 30.0
_KEPT_FOR = 4.0
"""Seconds; less than the 5 after which uvicorn closes connections, so that few requests use a closing one."""
_LONGEST_HEADER = 64 * 1024
_MAX_HEADERS = 1000
_READ_AT_ONCE = 64 * 1024
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "CONNECT"})
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})  # RFC 9110, section 9.2.2
_INFORMATIONAL = range(100, 200)
_SWITCHING_PROTOCOLS = 101
_END_OF_HEAD = b"\r\n\r\n"


class NoResponseError(Exception):
    """A request received no response: the connection failed, or the response is not HTTP."""


class Server(NamedTuple):
    """The server at the other end of a connection."""

    secure: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request as it is sent.

    Attributes:
        target: path and query, percent-encoded.
        host: value of the Host header, unless `headers` contain one.
        body: bytes, a stream, or None. A stream cannot be sent a second time.
    """

    method: str
    target: str
    host: str
    headers: Headers
    body: Body

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again after a kept connection turned out to be closed.

        Requests without a body are repeatable, as in .NET's SocketsHttpHandler. Requests with a body that is
        in memory are repeatable if their method is idempotent (RFC 9110, section 9.2.2). Any other request
        may have had an effect on the server.
        """
        if not self.body:
            return True
        return isinstance(self.body, bytes) and self.method in _IDEMPOTENT

    @property
    def head(self) -> bytes:
        """Request line and headers.

        Raises:
            ValueError: one of them contains a line break, which would start another header.
        """
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        named = {name.lower() for name, _ in self.headers}
        if "host" not in named:
            lines.append(f"Host: {self.host}")
        body = self.body
        if isinstance(body, bytes | None):
            lines += [f"{name}: {value}" for name, value in self.headers if name.lower() != "content-length"]
            if body or self.method not in _WITHOUT_BODY:
                lines.append(f"Content-Length: {len(body or b'')}")
        else:
            lines += [f"{name}: {value}" for name, value in self.headers]
            if "content-length" not in named:
                lines.append("Transfer-Encoding: chunked")
        text = "\r\n".join(lines)
        breaks = len(lines) - 1
        if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
            raise ValueError("a line break within a header")
        # Bytes that are not UTF-8 are sent as they arrived.
        return f"{text}\r\n\r\n".encode("utf-8", "surrogateescape")


class Connection(ResponseHandler):
    """One connection; one request at a time.

    Attributes:
        response_started: whether any part of the response to the current request has arrived.
        idle_since: when the last response ended, on the event loop's clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.response_started = False
        self.idle_since = 0.0
        self._writing: asyncio.Task[None] | None = None
        self._readable = select.poll()
        self._head_came = False
        self._head_end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Also prepares the check for data that the event loop has not read yet."""
        super().connection_made(transport)
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Parses the head of a response first, so that it is valid even if the rest is not HTTP."""
        self.response_started = True
        while not self._head_came:
            end = (self._head_end + data).find(_END_OF_HEAD)
            if end < 0:
                self._head_end = (self._head_end + data)[-len(_END_OF_HEAD) + 1 :]
                break
            end += len(_END_OF_HEAD) - len(self._head_end)
            self._head_end = b""
            self._read(data[:end])
            data = data[end:]
            if not data:
                return
        self._read(data)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Records that the head of the response has arrived."""
        self._head_came = _is_final(data[0])
        super().feed_data(data, size)

    def _read(self, data: bytes) -> None:
        """Parses data; a malformed body ends with an error."""
        payload = self._payload
        super().data_received(data)
        if (failure := self.exception()) is not None and payload is not None and not payload.is_eof():
            payload.set_exception(aiohttp.ClientPayloadError("the response cannot be read"), failure)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Reads what the server sent before it closed the connection, even if a write failed first.

        A server that responds before it has read a whole body, and closes, resets the connection. The event
        loop drops a connection at the first failed write, while the response is still unread.
        """
        if exc is not None:
            self._read_rest()
            if self.is_sent and self._payload is not None and not self._payload.is_eof():
                # Otherwise a body that is delimited by the end of the connection would look complete.
                self._payload.set_exception(aiohttp.ClientPayloadError("the connection was reset"), exc)
        super().connection_lost(exc)

    @property
    def is_sent(self) -> bool:
        """Whether the request's body has been sent."""
        return self._writing is None or self._writing.done()

    @property
    def usable(self) -> bool:
        """Whether it can be used for another request: it is open and has no unread data."""
        return not self.should_close and self.is_connected() and not self._readable.poll(0)

    async def exchange(self, request: Outgoing) -> tuple[RawResponseMessage, StreamReader]:
        """Sends a request and waits for the head of its response.

        Raises:
            aiohttp.ClientError, OSError: there was no response.
        """
        transport = self.transport
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        self.response_started = self._head_came = False
        self._head_end = b""
        self.set_response_params(
            skip_payload=request.method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MAX_HEADERS,
        )
        body = request.body
        if isinstance(body, bytes | None):
            transport.write(request.head + body if body else request.head)
        else:
            transport.write(request.head)
            chunked = not any(name.lower() == "content-length" for name, _ in request.headers)
            self._writing = asyncio.ensure_future(self._write(body, chunked=chunked))
        while True:
            message, payload = await self.read()
            if _is_final(message):
                return message, payload

    def finish(self) -> bool:
        """Ends the exchange and returns whether the connection can be kept."""
        writing, self._writing = self._writing, None
        if writing is not None and not writing.done():
            writing.cancel()
            return False
        return not self.should_close and self.is_connected()

    def close(self) -> None:
        """Closes the connection, even while a request's body is being sent."""
        if self._writing is not None:
            self._writing.cancel()
        super().close()

    async def _write(self, body: AsyncIterator[bytes], *, chunked: bool) -> None:
        """Sends the body; stops when the server closes the connection, whose response is then read."""
        try:
            async for piece in body:
                framed = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked and piece else piece
                if not await self._sent(framed):
                    return
        except Exception as error:  # noqa: BLE001 -- passed to the caller that waits for the response
            self.set_exception(aiohttp.ClientPayloadError("the request's body ended with an error"), error)
            if self.transport is not None:
                self.transport.abort()
            return
        if chunked:
            await self._sent(b"0\r\n\r\n")

    async def _sent(self, data: bytes) -> bool:
        """Writes data and waits while the server reads slowly; False if the server closed the connection."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        if self.writing_paused:
            try:
                await self._drain_helper()
            except ConnectionError:
                return False
        return True

    def _read_rest(self) -> None:
        """Reads the data that arrived before the connection was lost; not possible with TLS."""
        transport = self.transport
        if transport is None or transport.get_extra_info("sslcontext") is not None:
            return
        try:
            descriptor = os.dup(transport.get_extra_info("socket").fileno())
        except OSError:
            return
        with socket.socket(fileno=descriptor) as rest, contextlib.suppress(OSError):
            while data := rest.recv(_READ_AT_ONCE):
                self.data_received(data)


def _is_final(message: RawResponseMessage) -> bool:
    """Whether the response is final: not an interim response (1xx), which another response follows."""
    return message.code not in _INFORMATIONAL or message.code == _SWITCHING_PROTOCOLS


class Connections:
    """The connections to all servers.

    Args:
        kept_for: seconds for which an idle connection is kept; 0 for one request per connection.
    """

    def __init__(self, *, kept_for: float = _KEPT_FOR) -> None:
        self._kept_for = kept_for
        self._kept: dict[Server, list[Connection]] = {}
        self._used: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    async def request(self, server: Server, request: Outgoing) -> "Exchange":
        """Sends a request; if a kept connection turns out to be closed, sends it again on a new one.

        Raises:
            NoResponseError: there was no response, or the request cannot be sent.
        """
        try:
            return await self._request(server, request)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise NoResponseError(str(error)) from error

    async def _request(self, server: Server, request: Outgoing) -> "Exchange":
        kept = self._take(server)
        if kept is not None:
            try:
                return await self._exchange(server, kept, request)
            except (aiohttp.ClientConnectionError, ConnectionError):
                if kept.response_started or not request.repeatable:
                    raise
        return await self._exchange(server, await self._open(server), request)

    async def close(self) -> None:
        """Closes all connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connections in (*self._kept.values(), list(self._used)):
            for connection in connections:
                connection.close()
        self._kept.clear()
        self._used.clear()
        await asyncio.sleep(0)  # The transports close in the event loop's next iteration.

    async def _exchange(self, server: Server, connection: Connection, request: Outgoing) -> "Exchange":
        self._used.add(connection)
        try:
            message, payload = await connection.exchange(request)
        except BaseException:
            self._used.discard(connection)
            connection.close()
            raise
        return Exchange(self, server, connection, message, payload)

    def release(self, server: Server, connection: Connection) -> None:
        """Returns a connection whose response has ended to the pool."""
        self._used.discard(connection)
        if not connection.finish() or not self._kept_for:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._kept.setdefault(server, []).append(connection)
        if self._sweeping is None:
            self._sweeping = loop.call_later(self._kept_for, self._sweep)

    def give_up(self, connection: Connection) -> None:
        """Closes a connection whose response was not read to its end."""
        self._used.discard(connection)
        connection.close()

    def _take(self, server: Server) -> Connection | None:
        """Takes the most recently used connection to a server out of the pool, if it is usable."""
        kept = self._kept.get(server)
        oldest = asyncio.get_running_loop().time() - self._kept_for
        while kept:
            connection = kept.pop()
            if connection.idle_since >= oldest and connection.usable:
                return connection
            connection.close()
        return None

    async def _open(self, server: Server) -> Connection:
        loop = asyncio.get_running_loop()
        if server.secure and self._tls is None:
            self._tls = ssl.create_default_context()
        opening = asyncio.timeout(_CONNECT_WITHIN)
        try:
            async with opening:
                _, connection = await loop.create_connection(
                    lambda: Connection(loop),
                    server.host,
                    server.port,
                    ssl=self._tls if server.secure else None,
                )
        except TimeoutError as error:
            if opening.expired():
                raise aiohttp.ClientConnectionError(f"no connection within {_CONNECT_WITHIN:g} s") from error
            raise
        return connection

    def _sweep(self) -> None:
        """Closes connections that have been idle for too long."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._kept_for
        for server, connections in list(self._kept.items()):
            young = [one for one in connections if one.idle_since > oldest and one.is_connected()]
            for connection in set(connections) - set(young):
                connection.close()
            if young:
                self._kept[server] = young
            else:
                del self._kept[server]
        self._sweeping = loop.call_later(self._kept_for, self._sweep) if self._kept else None


class Exchange:
    """A response whose head has arrived; its connection is kept or closed when its body ends."""

    __slots__ = ("_connection", "_connections", "body", "message")

    def __init__(
        self,
        connections: Connections,
        server: Server,
        connection: Connection,
        message: RawResponseMessage,
        body: StreamReader,
    ) -> None:
        self.message = message
        self.body = body
        self._connections = connections
        self._connection: Connection | None = connection
        if message.code == _SWITCHING_PROTOCOLS:
            connection.force_close()

        def ended() -> None:
            if self._connection is not None:
                self._connection = None
                connections.release(server, connection)

        body.on_eof(ended)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece, as it arrives.

        Raises:
            SendError: the connection was lost.
        """
        try:
            while chunk := await self.body.readany():
                yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SendError(f"the connection was lost: {error}") from error

    def whole(self) -> bytes | None:
        """The body if all of it has arrived already, otherwise None; it can be read only once."""
        if self.body.is_eof() and self.body.exception() is None:
            return self.body.read_nowait(-1)
        return None

    def close(self) -> None:
        """Ends the exchange; closes the connection if the body has not been read to its end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._connections.give_up(connection)
