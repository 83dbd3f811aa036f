"""The web servers and HTTP clients of `benchmarks.servers_and_clients`, one for each process.

`python benchmarks/http_candidates.py serve NAME PORT`, `... send NAME PORT CALLS CONCURRENCY`. It runs in an
environment that uv creates, because not all candidates are dependencies.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import granian.server.embed  # ty: ignore[import-not-found]
import httptools  # ty: ignore[import-not-found]
import httpx
import uvicorn
import uvloop
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, HttpResponseParser
from yarl import URL

BODY = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
).encode()
ANSWER = b'{"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "hello"}]}}'
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2025-06-18",
    "User-Agent": "benchmark",
    "Authorization": "Bearer " + "x" * 800,
}
_ANSWERED = (("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER))))


async def _aiohttp_server(port: int) -> None:
    """aiohttp's low-level server, without an application."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.content.read(-1)
        tuple(request.headers.items())
        return web.Response(body=ANSWER, headers=dict(_ANSWERED))

    server = web.Server(handle, handler_cancellation=True, access_log=None)
    await _serve(cast("Callable[[], asyncio.Protocol]", server), port)


def _uvicorn_server(parser: str) -> Callable[[int], Awaitable[None]]:
    async def serve(port: int) -> None:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            tuple(scope["headers"])
            while (await receive()).get("more_body"):
                pass
            headers = [(name.encode(), value.encode()) for name, value in _ANSWERED]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": ANSWER})

        config = uvicorn.Config(
            app, port=port, http=cast("Any", parser), log_level="warning", access_log=False, lifespan="off"
        )
        await uvicorn.Server(config).serve()

    return serve


async def _parser_server(port: int) -> None:
    """This project's own protocol with httptools' parser."""
    await _serve(_Httptools, port)


async def _aiohttp_parser_server(port: int) -> None:
    """This project's own protocol with aiohttp's parser."""
    await _serve(_AiohttpParser, port)


class _Httptools(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        asyncio.get_running_loop().create_task(_answer(self._transport))
        self._headers, self._body = [], b""


class _AiohttpParser(asyncio.Protocol):
    def __init__(self) -> None:

        loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for message, payload in self._parser.feed_data(data)[0]:
            tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in message.raw_headers)
            payload.read_nowait(-1)
            asyncio.get_running_loop().create_task(_answer(self._transport))


async def _answer(transport: asyncio.Transport) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in _ANSWERED)
    transport.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1") + ANSWER)


async def _serve(protocol: Callable[[], asyncio.Protocol], port: int) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


async def _granian_server(port: int) -> None:

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tuple(scope["headers"])
        while (await receive()).get("more_body"):
            pass
        headers = [(name.encode(), value.encode()) for name, value in _ANSWERED]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})

    await granian.server.embed.Server(
        app, address="127.0.0.1", port=port, interface=cast("Any", "asgi")
    ).serve()


SERVERS: dict[str, Callable[[int], Awaitable[None]]] = {
    "aiohttp web.Server": _aiohttp_server,
    "uvicorn, h11": _uvicorn_server("h11"),
    "uvicorn, httptools": _uvicorn_server("httptools"),
    "granian, ASGI": _granian_server,
    "own protocol, aiohttp's parser": _aiohttp_parser_server,
    "own protocol, httptools": _parser_server,
}


Send = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def _aiohttp_client(url: str) -> Any:
    """aiohttp's client without cookies, redirects and default headers."""

    target = URL(url, encoded=True)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=30),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as session:

        async def send() -> None:
            answer = await session.request("POST", target, headers=HEADERS, data=BODY, allow_redirects=False)
            await answer.read()

        yield send


@contextlib.asynccontextmanager
async def _httpx_client(url: str) -> Any:

    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None)) as client:

        async def send() -> None:
            await client.post(url, headers=HEADERS, content=BODY)

        yield send


def _own_client(protocol: Callable[[], Any]) -> Callable[[str], Any]:
    @contextlib.asynccontextmanager
    async def client(url: str) -> Any:

        parts, idle = urlsplit(url), []

        async def send() -> None:
            if idle:
                connection = idle.pop()
            else:
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(protocol, "127.0.0.1", parts.port or 80)
            head = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(BODY)}"]
            head += [f"{name}: {value}" for name, value in HEADERS.items()]
            async with asyncio.timeout(300):
                await connection.exchange("\r\n".join([*head, "", ""]).encode("latin-1") + BODY)
            idle.append(connection)

        yield send
        for connection in idle:
            connection.transport.close()

    return client


class _Exchange(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    async def exchange(self, request: bytes) -> None:
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self._done


class _HttptoolsExchange(_Exchange):
    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self._headers, self._body = [], b""
        self._done.set_result(None)


class _AiohttpExchange(_Exchange):
    def __init__(self) -> None:

        loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(BaseProtocol(loop), loop, 2**16, read_until_eof=True)

    def data_received(self, data: bytes) -> None:
        for message, payload in self._parser.feed_data(data)[0]:
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.raw_headers]
            payload.read_nowait(-1)
            self._done.set_result(None)


CLIENTS: dict[str, Callable[[str], Any]] = {
    "aiohttp ClientSession": _aiohttp_client,
    "httpx": _httpx_client,
    "own protocol, aiohttp's parser": _own_client(_AiohttpExchange),
    "own protocol, httptools": _own_client(_HttptoolsExchange),
}


async def _run_client(name: str, url: str, calls: int, concurrency: int) -> float:
    """Milliseconds of processor time for each call."""
    async with CLIENTS[name](url) as send:
        await asyncio.gather(*(send() for _ in range(concurrency)))

        async def keep_on() -> None:
            for _ in range(calls // concurrency):
                await send()

        start = time.process_time()
        await asyncio.gather(*(keep_on() for _ in range(concurrency)))
        return (time.process_time() - start) / (calls // concurrency * concurrency) * 1000


def main() -> None:
    task, name, port, *numbers = sys.argv[1:]
    if task == "serve":
        uvloop.run(cast("Any", SERVERS[name](int(port))))
    else:
        calls, concurrency = map(int, numbers)
        print(uvloop.run(_run_client(name, f"http://127.0.0.1:{port}/mcp", calls, concurrency)))


if __name__ == "__main__":
    main()
