"""A server on loopback for the redirect URI of a sign-in (RFC 8252, section 7.3)."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

REDIRECT_PATH = "/callback"
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    "<p>{title}. You can close this tab and go back to the terminal."
)
_MAX_LINE = 8 * 1024


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that waits for the authorization response of a sign-in.

    Attributes:
        redirect_uri: address of the server.
        answer: the parameters of the authorization response.
    """

    redirect_uri: str
    answer: asyncio.Future[Mapping[str, str]]


@asynccontextmanager
async def listening(state: str) -> AsyncGenerator[Listener]:
    """Listens on a free port of 127.0.0.1 for a response with this `state`; other requests are rejected."""
    answer: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            line = await reader.readuntil(b"\n")
            # The headers are not needed, but must be read before the server answers a browser.
            while (await reader.readuntil(b"\n")).strip():
                pass
            status, title = _handle(line.decode("ascii"), state, answer)
            await _reply(writer, status, title)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_MAX_LINE)
    try:
        port = server.sockets[0].getsockname()[1]
        yield Listener(f"http://127.0.0.1:{port}{REDIRECT_PATH}", answer)
    finally:
        server.close()


def _handle(line: str, state: str, answer: asyncio.Future[Mapping[str, str]]) -> tuple[HTTPStatus, str]:
    """The status and title of the page for a request; sets `answer` if the request has the result."""
    method, _, rest = line.partition(" ")
    target = urlsplit(rest.rpartition(" ")[0])
    parameters = dict(parse_qsl(target.query, keep_blank_values=True))
    if method != "GET" or target.path != REDIRECT_PATH:
        return HTTPStatus.NOT_FOUND, "This page does not exist"
    if not secrets.compare_digest(parameters.get("state", "").encode(), state.encode()):
        return HTTPStatus.BAD_REQUEST, "This response does not belong to the current sign-in"
    if not answer.done():
        answer.set_result(parameters)
    return HTTPStatus.OK, "The sign-in was rejected" if "error" in parameters else "You are signed in"


async def _reply(writer: asyncio.StreamWriter, status: HTTPStatus, title: str) -> None:
    body = _PAGE.format(title=title).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nContent-Security-Policy: default-src 'none'\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
