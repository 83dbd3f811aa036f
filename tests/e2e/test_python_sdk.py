"""The official Python SDK, unmodified, configured with a URL only."""

import time

import anyio
import pytest
from mcp.client.auth import oauth2
from mcp.shared import auth_utils
from mcp_types import TextContent

from tests.e2e.conftest import RunningTwin
from tests.e2e.person import Person
from tests.e2e.sdk import Memory, connected

TRANSPORTS = ["http", "sse"]


async def use_tools(
    twin: RunningTwin, person: Person, transport: str, mode: str, memory: Memory | None = None
) -> dict[str, str]:
    """Signs in, lists the tools and uses each; returns the results."""
    url = f"{twin.gateway}/mcp" + ("/sse" if transport == "sse" else "")
    async with connected(url, person, memory=memory, mode=mode) as client:
        results = {"tools": " ".join(sorted(tool.name for tool in (await client.list_tools()).tools))}
        for name, arguments in [
            ("hello_mcp", {}),
            ("save_snippet", {"snippetname": "greeting", "snippet": "print('hello ✓')"}),
            ("get_snippet", {"snippetname": "greeting"}),
            ("get_snippet", {"snippetname": "../secret"}),
            ("delete_snippet", {"snippetname": "greeting"}),
        ]:
            result = await client.call_tool(name, arguments)
            (content,) = result.content
            assert isinstance(content, TextContent)
            key = name + arguments.get("snippetname", "")
            results[key] = ("ERROR " if result.is_error else "") + content.text
        return results


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_sdk_signs_in_and_uses_every_tool(
    twin: RunningTwin, ada: Person, transport: str, mode: str
) -> None:
    results = anyio.run(use_tools, twin, ada, transport, mode)
    assert results["tools"] == "delete_snippet get_snippet hello_mcp save_snippet"
    assert "ERROR" not in results["hello_mcp"]
    assert "greeting" in results["save_snippetgreeting"]
    assert "print('hello ✓')" in results["get_snippetgreeting"]
    assert results["get_snippet../secret"].startswith("ERROR")
    assert results["delete_snippetgreeting"] == "Snippet 'greeting' deleted."


def test_later_connections_need_no_new_sign_in(twin: RunningTwin, ada: Person) -> None:
    memory = Memory()

    async def twice() -> None:
        await use_tools(twin, ada, "http", "auto", memory)
        unused = Person("unused", (), twin.http)
        await use_tools(twin, unused, "http", "auto", memory)

    anyio.run(twice)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_d5_the_sdk_stays_connected_without_a_page_when_its_access_tokens_expire(
    twin: RunningTwin, ada: Person, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK refreshes according to its own clock, in an open session and in later ones."""
    ahead = 0

    class AdvancedClock:
        @staticmethod
        def time() -> float:
            return time.time() + ahead

    monkeypatch.setattr(oauth2, "time", AdvancedClock)
    monkeypatch.setattr(auth_utils, "time", AdvancedClock)
    memory = Memory()
    pages: list[str] = []
    sign_in = ada.sign_in

    def counted(address: str) -> str:
        pages.append(address)
        return sign_in(address)

    monkeypatch.setattr(ada, "sign_in", counted)
    url = f"{twin.gateway}/mcp" + ("/sse" if transport == "sse" else "")

    async def call_for_an_hour() -> list[str]:
        nonlocal ahead
        seen = []
        async with connected(url, ada, memory=memory) as client:
            for _ in range(6):
                assert (await client.list_tools()).tools
                assert memory.tokens
                assert memory.tokens.refresh_token
                seen.append(memory.tokens.refresh_token)
                twin.advance_clock(601)
                ahead += 601
        return seen

    assert len(set(anyio.run(call_for_an_hour))) == 6
    assert len(pages) == 1


def test_either_user_can_sign_in(twin: RunningTwin) -> None:
    for name in ("Ada Lovelace", "Grace Hopper"):
        assert anyio.run(use_tools, twin, twin.person(name), "http", "auto")["tools"]
