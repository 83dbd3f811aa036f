"""Servers on ports of 127.0.0.1, which run in the event loop of the twin."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from apim.gateway import Gateway
from apim.http.server import HttpServer
from twin.ports import LOOPBACK

_KEEP_ALIVE = 120
"""The number of seconds after which an idle connection is closed.

Programs in Go reuse a connection for 90 s, and a POST fails if the server closes its connection at the same
time. uvicorn's default is 5 s.
"""


class AsgiServer:
    """Serves an ASGI application on a port.

    Args:
        name: name of the server in messages.
        app: the application.
        port: the port on 127.0.0.1.
    """

    def __init__(self, name: str, app: ASGIApp, port: int) -> None:
        self.name = name
        self._server = _Server(
            uvicorn.Config(
                app,
                host=LOOPBACK,
                port=port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )
        self._port = port
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the server; returns when it accepts requests.

        Raises:
            OSError: the port is taken.
        """
        listener = socket.create_server((LOOPBACK, self._port), backlog=512)
        listener.setblocking(False)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name=self.name)
        while not self._server.started:
            await asyncio.sleep(0)
            if self._serving.done():
                await self._serving

    async def wait(self) -> str:
        """Waits until the server fails; returns the reason."""
        if self._serving is None:
            return "was not started"
        await asyncio.wait([self._serving])
        error = None if self._serving.cancelled() else self._serving.exception()
        return f"failed: {error!r}" if error else "ended"

    async def stop(self) -> None:
        """Stops the server immediately, and closes open connections."""
        if self._serving is None:
            return
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.wait([self._serving], timeout=1.0)


class GatewayService:
    """Serves the gateway on a port.

    Args:
        gateway: the gateway.
        port: the port on 127.0.0.1.
    """

    name = "the gateway"

    def __init__(self, gateway: Gateway, port: int) -> None:
        self._server = HttpServer(gateway)
        self._port = port

    async def start(self) -> None:
        """Starts listening."""
        await self._server.start(self._port)

    async def wait(self) -> str:
        """Never returns, because the server has no task that could end."""
        await asyncio.get_running_loop().create_future()
        return "ended"

    async def stop(self) -> None:
        """Stops listening and closes every connection."""
        await self._server.stop()


class _Server(uvicorn.Server):
    """Leaves signals to the twin, which handles them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
