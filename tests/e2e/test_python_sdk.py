"""The official Python SDK, unmodified, knowing nothing but an address."""

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import TextContent

from tests.e2e.client import CALLBACK, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.person import Person

TRANSPORTS = ["http", "sse"]


class Memory:
    """Keeps what the SDK wants kept."""

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
    """The SDK's OAuth client with a person in place of the system's browser."""
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


async def talk(
    twin: RunningTwin, person: Person, transport: str, mode: str, memory: Memory | None = None
) -> dict[str, str]:
    """Signs in and uses the tools."""
    url = f"{twin.gateway}/mcp" + ("/sse" if transport == "sse" else "")
    auth = provider(url, person, memory or Memory())
    async with create_mcp_http_client(auth=auth) as http:
        connection = (
            sse_client(url, auth=auth)
            if transport == "sse"
            else streamable_http_client(url, http_client=http)
        )
        return await use(Client(connection, mode=mode))


async def use(connecting: Client) -> dict[str, str]:
    """Lists the tools and uses each; gives what they said."""
    async with connecting as client:
        said = {"tools": " ".join(sorted(tool.name for tool in (await client.list_tools()).tools))}
        for name, arguments in [
            ("hello_mcp", {}),
            ("save_snippet", {"snippetname": "greeting", "snippet": "print('hello ✓')"}),
            ("get_snippet", {"snippetname": "greeting"}),
            ("get_snippet", {"snippetname": "../secret"}),
        ]:
            result = await client.call_tool(name, arguments)
            (content,) = result.content
            assert isinstance(content, TextContent)
            key = name + arguments.get("snippetname", "")
            said[key] = ("ERROR " if result.is_error else "") + content.text
        return said


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_it_signs_in_and_uses_every_tool(twin: RunningTwin, ada: Person, transport: str, mode: str) -> None:
    said = anyio.run(talk, twin, ada, transport, mode)
    assert said["tools"] == "get_snippet hello_mcp save_snippet"
    assert "ERROR" not in said["hello_mcp"]
    assert "greeting" in said["save_snippetgreeting"]
    assert "print('hello ✓')" in said["get_snippetgreeting"]
    assert said["get_snippet../secret"].startswith("ERROR")


def test_one_sign_in_serves_later_connections(twin: RunningTwin, ada: Person) -> None:
    memory = Memory()

    async def twice() -> None:
        await talk(twin, ada, "http", "auto", memory)
        nobody = Person("nobody", (), twin.http)
        await talk(twin, nobody, "http", "auto", memory)

    anyio.run(twice)


def test_either_user_can_sign_in(twin: RunningTwin) -> None:
    for name in ("Ada Lovelace", "Grace Hopper"):
        assert anyio.run(talk, twin, twin.person(name), "http", "auto")["tools"]
