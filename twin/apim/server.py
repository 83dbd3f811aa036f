"""Serves a gateway over HTTP on this machine."""

import asyncio
import contextlib
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web
from multidict import CIMultiDict

from twin.apim.failure import SendError
from twin.apim.gateway import Gateway
from twin.apim.messages import InboundRequest, OutboundResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LOG = logging.getLogger(__name__)
_READ_AT_ONCE = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class GatewayServer:
    """One gateway on one port of the loopback interface.

    A client that goes away closes the backend's response; a backend that goes away ends the client's.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
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
        """Listens; gives the port, which is a free one when 0 was asked for."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=1024)
        await site.start()
        return self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops listening and closes every connection."""
        await self._runner.cleanup()
        await self._gateway.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            answer = await self._gateway.handle(await _inbound(request))
        except (ConnectionError, web.RequestPayloadError):
            raise ConnectionResetError("the client went away") from None
        except Exception:  # noqa: BLE001 -- whatever went wrong here, the client gets an answer without a trace
            _LOG.exception("the gateway failed at %s %s", request.method, request.path)
            answer = OutboundResponse(status=500)
        try:
            return await _respond(request, answer)
        finally:
            await answer.close()


class _Server(web.Server):
    """Makes connections that answer what is no HTTP in our own words."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers a request that cannot be read, or in place of an answer that cannot be written."""
        del message  # It quotes what was sent.
        _LOG.info("answered %s: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("part of the answer has been sent")
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            status = HTTPStatus.BAD_GATEWAY.value
        answer = web.Response(status=status, text=_REASONS.get(status, "Error"), headers={"Server": "twin"})
        answer.force_close()
        return answer


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


async def _respond(request: web.BaseRequest, answer: OutboundResponse) -> web.StreamResponse:
    headers = CIMultiDict(answer.headers)
    headers["Server"] = "twin"
    reason = answer.reason or _REASONS.get(answer.status, "Unknown")
    body = answer.body
    if isinstance(body, bytes):
        whole = web.Response(status=answer.status, reason=reason, headers=headers, body=body)
        await whole.prepare(request)
        await whole.write_eof()
        return whole
    response = web.StreamResponse(status=answer.status, reason=reason, headers=headers)
    await response.prepare(request)
    try:
        async for chunk in body:
            await response.write(chunk)
    except SendError:
        # The backend broke off: so does the answer, for its end must not look like a good end.
        if request.transport is not None:
            request.transport.abort()
        return response
    except ConnectionError:
        # The client went away between two pieces: nobody is left to tell.
        return response
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response
