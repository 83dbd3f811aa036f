"""A gateway and a backend that listen on free ports, for tests that need sockets."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from apim.gateway import Gateway
from apim.http.network import HttpNetwork, Upstream
from apim.http.server import HttpServer
from apim.service import Service
from tests.policies.engine.harness import Tokens
from twin.clock import Clock

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Sockets:
    """A gateway that listens on a socket.

    Attributes:
        url: the gateway's URL.
        network: the gateway's connections to its backend.
        client: sends requests to the gateway.
    """

    url: str
    network: HttpNetwork
    client: aiohttp.ClientSession
    gateway: Gateway


@asynccontextmanager
async def listening(handler: Handler) -> AsyncGenerator[str]:
    """A backend with this handler; yields its URL."""
    runner = web.ServerRunner(
        web.Server(handler, handler_cancellation=True, access_log=None), shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(service: Service, handler: Handler) -> AsyncGenerator[Sockets]:
    """A gateway in front of a backend that replaces backend.example."""
    async with listening(handler) as backend:
        network = HttpNetwork({"backend.example": Upstream(service="backend", base_url=backend)})
        gateway = Gateway(service, network=network, identity=Tokens(), clock=Clock())
        server = HttpServer(gateway)
        port = await server.start(0)
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as client:
                yield Sockets(f"http://127.0.0.1:{port}", network, client, gateway)
        finally:
            await server.stop()
            await network.close()


async def within(work: Awaitable[object], seconds: float = 10.0) -> object:
    """Awaits with a time limit, so that a test fails instead of waiting forever."""
    return await asyncio.wait_for(work, seconds)
