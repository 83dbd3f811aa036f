"""A proxy that adds an access token to each request, for programs that cannot sign in."""

import asyncio
import contextlib
import threading
from collections.abc import Generator, Iterable

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from tests.children import free_port

_CONNECTION = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@contextlib.contextmanager
def proxy_with_token(token: str, target: str) -> Generator[str]:
    """Runs a proxy that adds the token to requests for the URL `target`; yields the proxy's URL."""
    port, loop, started, ended = free_port(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        # A kept connection may be closed when it is reused, and POST is not repeated.
        connector = TCPConnector(force_close=True)
        timeout = ClientTimeout(total=None)
        async with ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as http:

            async def forward(request: web.Request) -> web.StreamResponse:
                headers = [*_end_to_end(request.headers.items()), ("Authorization", f"Bearer {token}")]
                body = await request.read()
                async with http.request(request.method, target, headers=headers, data=body or None) as reply:
                    answer = web.StreamResponse(
                        status=reply.status, headers=_end_to_end(reply.headers.items())
                    )
                    await answer.prepare(request)
                    async for part in reply.content.iter_any():
                        await answer.write(part)
                    await answer.write_eof()
                    return answer

            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", forward)
            runner = web.AppRunner(app, handler_cancellation=True)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            started.set()
            await ended.wait()
            await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield f"http://localhost:{port}/mcp"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _CONNECTION]
