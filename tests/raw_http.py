"""HTTP as bytes: backends that send exactly the given bytes, and clients that return the received bytes."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """One response, as it was received.

    Attributes:
        status: its status.
        headers: names and values, as bytes, in their order.
        body: without chunk framing.
        complete: whether it was received completely, according to its headers.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    complete: bool

    def values(self, name: str) -> list[bytes]:
        """The values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower().encode()]


@asynccontextmanager
async def raw_backend(script: Script) -> AsyncGenerator[int]:
    """A server that runs a script for each connection; yields its port."""

    serving: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await script(reader, writer)
        writer.close()
        serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_LIMIT)
    async with server:
        yield server.sockets[0].getsockname()[1]
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """A request's line and headers."""
    return await reader.readuntil(b"\r\n\r\n")


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with a TCP reset."""
    opened = writer.transport.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answering(response: bytes) -> Script:
    """A script that reads a whole request, sends these bytes and closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(response)
        await writer.drain()

    return script


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A request's head and body."""
    head = await head_of(reader)
    headers = _headers(head.split(b"\r\n")[1:])
    if any(name.lower() == b"transfer-encoding" for name, _ in headers):
        body, _ = await _chunked(reader)
        return head, body
    length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
    return head, await reader.readexactly(length)


@asynccontextmanager
async def connection(
    port: int,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of a client."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LIMIT)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(port: int, request: bytes, *, method: str = "GET") -> Answer:
    """Sends a request on a new connection, and reads the response while the request is still being sent."""
    async with connection(port) as (reader, writer):
        sending = asyncio.create_task(_send(writer, request))
        try:
            return await asyncio.wait_for(answer_of(reader, method=method), 20)
        finally:
            sending.cancel()


async def answer_of(reader: asyncio.StreamReader, *, method: str = "GET") -> Answer:
    """The next response on a connection.

    Raises:
        EOFError: the connection ended without a response.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise EOFError(f"the connection ended after {error.partial!r}") from None
    first, *lines = head.split(b"\r\n")
    status, headers = int(first.split(b" ")[1]), _headers(lines)
    named = {name.lower(): value for name, value in headers}
    if method == "HEAD" or status in {204, 304} or status < 200:
        return Answer(status, headers, b"", complete=True)
    if b"transfer-encoding" in named:
        body, complete = await _chunked(reader)
        return Answer(status, headers, body, complete)
    if b"content-length" in named:
        body, complete = await _exactly(reader, int(named[b"content-length"]))
        return Answer(status, headers, body, complete)
    try:
        return Answer(status, headers, await reader.read(), complete=True)
    except ConnectionError:
        return Answer(status, headers, b"", complete=False)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(data), 65_536):
            writer.write(data[start : start + 65_536])
            await writer.drain()


def _headers(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [
        (name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines if line)
    ]


async def _exactly(reader: asyncio.StreamReader, length: int) -> tuple[bytes, bool]:
    try:
        return await reader.readexactly(length), True
    except asyncio.IncompleteReadError as error:
        return error.partial, False
    except ConnectionError:
        return b"", False


async def _chunked(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    body = b""
    try:
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if size == 0:
                while await reader.readuntil(b"\r\n") != b"\r\n":
                    pass
                return body, True
            body += await reader.readexactly(size)
            await reader.readexactly(2)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return body, False
