"""Serves HTTP on this machine, for the gateway and for proxies."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion10, HttpVersion11

from apim.failure import SendError
from apim.messages import InboundRequest, OutboundResponse

_LOG = logging.getLogger(__name__)
_READ_AT_ONCE = 64 * 1024
_HALF_CLOSED = 5.0
"""Seconds for which a client that has closed its side of the connection still receives responses."""
_WITHOUT_BODY = frozenset({*range(100, 200), 204, 304})
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Handler(Protocol):
    """Responds to requests, for example a gateway."""

    async def handle(self, request: InboundRequest) -> OutboundResponse:
        """Responds to a request. A streamed body of the response is read to its end or closed."""
        ...

    async def close(self) -> None:
        """Cancels the requests and tasks that still run."""
        ...


class HttpServer:
    """Serves a handler on a port of the loopback interface.

    If a client disconnects, its request is cancelled; if the body of a response fails, its connection is
    closed. The connection is also closed after a request in chunks, because aiohttp's parser adds the last
    trailer of such a request to the headers of the next one.

    Args:
        handler: responds to the requests.
        product: value of the `Server` header; None to add no such header.
    """

    def __init__(self, handler: Handler, *, product: str | None = "twin") -> None:
        self._handler = handler
        self._product = product
        server = _Server(
            self._serve,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=32_768,
            max_field_size=32_768,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)

    async def start(self, port: int, host: str = "127.0.0.1") -> int:
        """Listens and returns the port; port 0 selects a free one."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=1024)
        await site.start()
        return self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops listening and closes every connection."""
        await self._runner.cleanup()
        await self._handler.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if not _is_framed_unambiguously(request):
                return await self._respond(request, _bad_request(), last=True)
            answer = await self._handler.handle(await _inbound(request))
        except (ConnectionError, web.RequestPayloadError):
            raise ConnectionResetError("the client has disconnected") from None
        except Exception:  # noqa: BLE001 -- the client gets a response without a stack trace
            _LOG.exception("%s %s failed", request.method, request.path)
            answer = OutboundResponse(status=500)
        try:
            return await self._respond(request, answer, last="Transfer-Encoding" in request.headers)
        finally:
            await answer.close()

    async def _respond(
        self, request: web.BaseRequest, answer: OutboundResponse, *, last: bool = False
    ) -> web.StreamResponse:
        sent, body = _Sent(request, answer, self._product, last=last), answer.body
        if isinstance(body, bytes):
            sent.write_whole(body)
            await sent.drained()
            return sent
        sent.write_head()
        try:
            async for chunk in body:
                sent.write_piece(chunk)
                await sent.drained()
        except SendError as error:
            # The connection is aborted, so that the incomplete response does not look complete.
            _LOG.info("the response to %s %s was incomplete: %s", request.method, request.path, error)
            if request.transport is not None:
                request.transport.abort()
            return sent
        except ConnectionError:
            return sent  # The client disconnected.
        with contextlib.suppress(ConnectionError):
            sent.write_end()
            await sent.drained()
        return sent


class _Server(web.Server):
    """Creates connections that send our own error for malformed HTTP."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ("_giving_up", "sends_events")

    def eof_received(self) -> bool:  # ty: ignore[incompatible-method-override] -- asyncio uses the result
        """Keeps the connection open for a few seconds after a client has closed its side.

        The client may still be reading, which is unknown until a response is written; when the time is over,
        its request is cancelled. A client that has sent an incomplete request, or that receives an event
        stream, which has no end to wait for, is treated as disconnected.
        """
        if self.is_half_closed:
            return True
        is_idle = self._waiter is not None and not self._waiter.done() and not self._messages
        if is_idle or self._is_half_sent or getattr(self, "sends_events", False):
            return False
        self._giving_up = asyncio.get_running_loop().call_later(_HALF_CLOSED, self._give_up)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """Also cancels the timer that `eof_received` started."""
        if self.is_half_closed:
            self._giving_up.cancel()
        super().connection_lost(exc)

    @property
    def _is_half_sent(self) -> bool:
        """Whether part of a request's body has not arrived yet."""
        bodies = [body for _, body in self._messages]
        if self._current_request is not None:
            bodies.append(self._current_request.content)
        return not all(body.is_eof() for body in bodies)

    @property
    def is_half_closed(self) -> bool:
        """Whether the client has closed its side."""
        return hasattr(self, "_giving_up")

    @property
    def is_last(self) -> bool:
        """Whether no further request can follow the current one."""
        return self.is_half_closed and not self._messages

    def _give_up(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Responds to a malformed request, or after an error in writing a response."""
        del message  # It quotes the request, which may contain secrets.
        _LOG.info("answered %s: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("part of the response has been sent")
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            status = HTTPStatus.BAD_GATEWAY.value
        answer = web.Response(status=status, text=_REASONS.get(status, "Error"), headers={"Server": "twin"})
        answer.force_close()
        return answer


def _is_framed_unambiguously(request: web.BaseRequest) -> bool:
    """Whether every server on the path determines the same end of a request.

    This is not certain for a transfer coding other than `chunked`, for any transfer coding in HTTP/1.0, and
    for versions other than 1.0 and 1.1 (RFC 9112, sections 2.3 and 6.1). aiohttp accepts all of these.
    """
    codings = request.headers.getall("Transfer-Encoding", ())
    if request.version != HttpVersion11:
        return request.version == HttpVersion10 and not codings
    return [coding.strip().lower() for coding in codings] in ([], ["chunked"])


def _bad_request() -> OutboundResponse:
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    return OutboundResponse(status=400, headers=headers, body=b"Bad Request")


async def _inbound(request: web.BaseRequest) -> InboundRequest:
    path, _, query = request.raw_path.partition("?")
    if not path.startswith("/"):
        path = urlsplit(path).path  # absolute form (RFC 9112, section 3.2.2)
    body: bytes | AsyncIterator[bytes] | None = None
    if request.body_exists:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = request.content_length
        if length is not None and length <= _READ_AT_ONCE:
            body = await request.content.read(-1)
        else:
            body = request.content.iter_any()
    peer = request.remote or "127.0.0.1"
    return InboundRequest(
        method=request.method,
        path=path or "/",
        query=query,
        headers=tuple((str(name), value) for name, value in request.headers.items()),  # names are istr
        body=body,
        ip_address=peer,
        scheme=request.scheme,
        host=request.host,
    )


class _Sent(web.StreamResponse):
    """A response that is written directly to the transport.

    aiohttp's own methods for sending it are replaced, because they take longer than reading the request.
    """

    def __init__(
        self, request: web.BaseRequest, answer: OutboundResponse, product: str | None, *, last: bool
    ) -> None:
        self._request, self._given, self._product = request, answer, product
        self._version = min(request.version, HttpVersion11)
        self._kept = request.keep_alive and not last
        self._bodiless = answer.status in _WITHOUT_BODY or request.method == "HEAD"
        names = {name.lower() for name, _ in answer.headers}
        self._chunked = (
            not isinstance(answer.body, bytes)
            and "content-length" not in names
            and not self._bodiless
            and self._version == HttpVersion11
        )
        if not (
            self._chunked or self._bodiless or isinstance(answer.body, bytes) or "content-length" in names
        ):
            self._kept = False  # The end of the connection delimits the body for an HTTP/1.0 client.
        self._named = names

    @property
    def keep_alive(self) -> bool:
        """Whether the connection serves another request."""
        protocol = self._request.protocol
        return self._kept and not (isinstance(protocol, _Connection) and protocol.is_last)

    async def prepare(self, request: web.BaseRequest) -> None:
        """Does nothing, because the response has already been written."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing, because the response has already been written."""

    def write_whole(self, body: bytes) -> None:
        """Writes head and body together."""
        if self._bodiless:
            body = b""
        self._write(self._head(body) + body)

    def write_head(self) -> None:
        """Writes the head of a response whose body follows in pieces."""
        self._write(self._head(None))
        protocol = self._request.protocol
        if isinstance(protocol, _Connection):
            kind = self._given.header("content-type") or ""
            protocol.sends_events = kind.lower().startswith("text/event-stream")

    def write_piece(self, piece: bytes) -> None:
        """Writes a piece of the body."""
        if piece and not self._bodiless:
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    def write_end(self) -> None:
        """Writes the end of the body."""
        if self._chunked:
            self._write(b"0\r\n\r\n")
        if isinstance(self._request.protocol, _Connection):
            self._request.protocol.sends_events = False

    async def drained(self) -> None:
        """Waits while the client reads more slowly than the backend writes."""
        if self._request.protocol.writing_paused:
            await self._request.protocol._drain_helper()  # noqa: SLF001 -- as aiohttp's own writer does; see `internals`

    def _write(self, data: bytes) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has disconnected")
        self._request.writer.output_size += len(data)
        transport.write(data)

    def _head(self, body: bytes | None) -> bytes:
        answer, version = self._given, self._version
        reason = answer.reason or _REASONS.get(answer.status, "Unknown")
        lines = [f"HTTP/{version.major}.{version.minor} {answer.status} {reason}"]
        # RFC 9110, section 8.6: a response that cannot have a body has no Content-Length, except 304.
        dropped = {"content-length"} if self._bodiless and answer.status == HTTPStatus.NO_CONTENT else set()
        lines += [f"{name}: {value}" for name, value in answer.headers if name.lower() not in dropped]
        if body is not None and not self._bodiless and "content-length" not in self._named:
            lines.append(f"Content-Length: {len(body)}")
        if self._chunked:
            lines.append("Transfer-Encoding: chunked")
        if "date" not in self._named:
            lines.append(f"Date: {rfc822_formatted_time()}")
        if self._product is not None:
            lines.append(f"Server: {self._product}")
        if self._kept and version == HttpVersion10:
            lines.append("Connection: keep-alive")
        elif not self._kept and version == HttpVersion11:
            lines.append("Connection: close")
        text = "\r\n".join(lines)
        breaks = len(lines) - 1
        if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
            raise ValueError("a line break in a header of the response")
        return f"{text}\r\n\r\n".encode("utf-8", "surrogateescape")
