"""Passes HTTP requests on to a process of this machine, as the ingress of a Container App does."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from multidict import CIMultiDict
from starlette.types import Receive, Scope, Send
from yarl import URL

from apim.hop_by_hop import end_to_end

_NO_AUTOMATIC_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class ReverseProxy:
    """An ASGI application that is another server, with bodies streamed in both directions.

    A caller that goes away ends the server's response; a server that breaks off ends the caller's.

    Args:
        origin: of the server, such as `http://127.0.0.1:5000`.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI.

        Raises:
            aiohttp.ClientError, OSError: the server cannot be reached; nothing has been answered then.
        """
        body_read = asyncio.Event()
        passing = asyncio.create_task(self._pass(scope, _body(receive, body_read), send, body_read))
        leaving = asyncio.create_task(_left(receive, body_read))
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not passing.done():
                passing.cancel()
            await asyncio.wait({passing, leaving})
        if not passing.cancelled():
            passing.result()

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()

    async def _pass(
        self, scope: Scope, body: AsyncIterator[bytes], send: Send, body_read: asyncio.Event
    ) -> None:
        headers = CIMultiDict(
            end_to_end(
                [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
            )
        )
        # Callers of Azure come over TLS, which ends at the ingress.
        headers["X-Forwarded-Proto"] = "https"
        path = scope["raw_path"].decode("latin-1")
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        has_body = "content-length" in headers or any(
            name == b"transfer-encoding" for name, _ in scope["headers"]
        )
        if not has_body:
            body_read.set()
        async with self._client().request(
            scope["method"],
            URL(f"{self._origin}{path}{query}", encoded=True),
            headers=headers,
            data=body if has_body else None,
            allow_redirects=False,
        ) as response:
            received = end_to_end([(str(name), value) for name, value in response.headers.items()])
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": [
                        (name.lower().encode("latin-1"), value.encode("utf-8", "surrogateescape"))
                        for name, value in received
                    ],
                }
            )
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # A connection of its own for each request: a server's idle timeout cannot meet one.
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                auto_decompress=False,
                skip_auto_headers=_NO_AUTOMATIC_HEADERS,
            )
        return self._session


async def _body(receive: Receive, body_read: asyncio.Event) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the caller went away")
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)
    body_read.set()


async def _left(receive: Receive, body_read: asyncio.Event) -> None:
    """Returns when the caller has gone; looks only once the body has been read, by somebody else."""
    await body_read.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
