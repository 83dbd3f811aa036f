"""The official MCP client, connected to the local Functions host in the process of the test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from twin.functions.app import FunctionsApp
from twin.functions.host import functions_host


@asynccontextmanager
async def connected(app: FunctionsApp, subject: str | None = "ada") -> AsyncGenerator[Client]:
    """A client that is connected to the host of an app and sends the subject in the header of the gateway."""
    headers = {"X-Mcp-Gateway-Subject": subject} if subject is not None else {}
    transport = httpx2.ASGITransport(app=functions_host(app, check=None))
    async with (
        httpx2.AsyncClient(transport=transport, headers=headers) as http,
        Client(
            streamable_http_client("http://localhost/runtime/webhooks/mcp", http_client=http), mode="legacy"
        ) as client,
    ):
        yield client
