"""The official Python SDK as a client of the gateway; a simulated person replaces the browser."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio.to_thread
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.e2e.client import CALLBACK, parameters_of
from tests.e2e.person import Person


class Memory:
    """The SDK's token storage, in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider(url: str, person: Person, memory: Memory) -> OAuthClientProvider:
    """The SDK's OAuth client with a simulated user instead of the system's browser."""
    ends: list[str] = []

    async def open_browser(address: str) -> None:
        ends.append(await anyio.to_thread.run_sync(person.sign_in, address))

    async def wait_for_callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(parameters_of(ends.pop()))

    metadata = OAuthClientMetadata.model_validate(
        {
            "client_name": "Python SDK",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
        }
    )
    return OAuthClientProvider(url, metadata, memory, open_browser, wait_for_callback)


@asynccontextmanager
async def connected(
    url: str, person: Person, *, memory: Memory | None = None, mode: str = "auto"
) -> AsyncGenerator[Client]:
    """A connection to the MCP server at a URL; URLs of legacy event streams end in `/sse`."""
    auth = provider(url, person, memory or Memory())
    async with create_mcp_http_client(auth=auth) as http:
        connection = (
            sse_client(url, auth=auth)
            if url.endswith("/sse")
            else streamable_http_client(url, http_client=http)
        )
        async with Client(connection, mode=mode) as client:
            yield client
