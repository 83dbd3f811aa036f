"""A minimal client of the legacy HTTP+SSE transport (MCP 2024-11-05) for hundreds of parallel sessions."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin

import aiohttp


def initialize(version: str) -> dict[str, Any]:
    """The parameters of `initialize`."""
    return {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }


class LegacySession:
    """One event stream, and the messages that belong to it.

    Attributes:
        received: all messages of the stream so far.
        version: the negotiated protocol version.
    """

    def __init__(self, http: aiohttp.ClientSession, stream: aiohttp.ClientResponse, token: str) -> None:
        self.version = ""
        self._http = http
        self._stream = stream
        self._headers = {"Authorization": f"Bearer {token}"}
        self._messages = ""
        self.received: list[dict[str, Any]] = []

    async def open(self, version: str) -> None:
        """Waits for the message endpoint and negotiates a protocol version."""
        event, data = await self._event()
        assert event == "endpoint", (event, data)
        self._messages = urljoin(str(self._stream.url), data)
        agreed = await self.ask("initialize", initialize(version), number=0)
        self.version = agreed["protocolVersion"]
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def ask(self, method: str, params: dict[str, Any], *, number: int) -> Any:
        """Sends a request and returns its result from the stream."""
        await self._post({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        while True:
            _, data = await self._event()
            self.received.append(json.loads(data))
            if "id" in self.received[-1] and "method" not in self.received[-1]:
                assert self.received[-1]["id"] == number, self.received[-1]
                return self.received[-1]["result"]

    async def _post(self, message: dict[str, Any]) -> None:
        async with self._http.post(self._messages, json=message, headers=self._headers) as answer:
            assert answer.status in {200, 202}, (answer.status, await answer.text())

    async def _event(self) -> tuple[str, str]:
        event, data = "message", []
        async for line in self._stream.content:
            name, _, value = line.decode().rstrip("\r\n").partition(":")
            if name == "event":
                event = value.strip()
            elif name == "data":
                data.append(value.removeprefix(" "))
            elif not name and data:
                return event, "\n".join(data)
        raise AssertionError("the stream ended")


@asynccontextmanager
async def connected(
    http: aiohttp.ClientSession, url: str, token: str, *, version: str = "2024-11-05"
) -> AsyncGenerator[LegacySession]:
    """A session with a protocol version."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with http.get(url, headers=headers) as stream:
        assert stream.status == 200, (stream.status, await stream.text())
        session = LegacySession(http, stream, token)
        await session.open(version)
        yield session
