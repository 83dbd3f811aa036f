"""The real MCP servers in front of the stand-ins, and the official SDK as their client."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import httpx2
from anyio.from_thread import start_blocking_portal
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from tests.children import free_port
from twin.local_images import local_command
from twin.ports import LOOPBACK, Address
from twin.process import ChildProcess, RunningProcess

# The token that a gateway would send, which a server must not pass on.
BEARER = {"Authorization": "Bearer the-gateways-own-token"}


class StandIn(Protocol):
    name: str

    def environment(self) -> dict[str, str]: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@contextmanager
def served(
    stand_in: StandIn, image: str, containers: dict[str, tuple[list[str], dict[str, str]]], folder: Path
) -> Generator[dict[str, str]]:
    """Runs an image as several containers with the given arguments and environment; yields their origins."""
    children: dict[str, ChildProcess] = {}
    ports = {name: free_port() for name in containers}
    for name, (args, env) in containers.items():
        local = local_command(
            image, [], args, env, address=Address(LOOPBACK, ports[name]), folder=folder / name
        )
        assert local is not None
        assert local.stand_in is not None
        children[name] = ChildProcess(
            name=name,
            argv=local.argv,
            env={**local.env, **stand_in.environment()},
            cwd=local.folder,
            ready=local.ready,
        )
    with start_blocking_portal() as portal:
        portal.call(stand_in.start)
        running: list[RunningProcess] = []
        try:
            running += portal.call(_start, list(children.values()))
            yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        finally:
            portal.call(_stop, running)
            portal.call(stand_in.stop)


async def _start(children: list[ChildProcess]) -> list[RunningProcess]:
    return await asyncio.gather(*(RunningProcess.start(child, timeout=60) for child in children))


async def _stop(running: list[RunningProcess]) -> None:
    await asyncio.gather(*(process.stop() for process in running))


class Session:
    """An MCP session of the SDK's client, for tests that are not asynchronous."""

    def __init__(self, url: str) -> None:
        self._url = url

    def tools(self) -> set[str]:
        """The names of the tools."""

        async def ask(client: Client) -> set[str]:
            return {tool.name for tool in (await client.list_tools()).tools}

        return anyio.run(self._with_client, ask)

    def call(self, *calls: tuple[str, dict[str, Any]]) -> list[str]:
        """Calls tools one after the other in one session; returns the text of each result."""

        async def ask(client: Client) -> list[str]:
            results = []
            for name, arguments in calls:
                result = await client.call_tool(name, arguments)
                assert all(isinstance(part, TextContent) for part in result.content)
                text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
                results.append(f"error: {text}" if result.is_error else text)
            return results

        return anyio.run(self._with_client, ask)

    async def _with_client(self, ask: Any) -> Any:
        if self._url.endswith("/sse"):
            async with Client(sse_client(self._url, headers=BEARER)) as client:
                return await ask(client)
        async with (
            httpx2.AsyncClient(headers=BEARER, timeout=30) as http,
            Client(streamable_http_client(self._url, http_client=http)) as client,
        ):
            return await ask(client)
