"""Real clients, each in an environment of its own, knowing nothing but an address."""

import os
from pathlib import Path

import pytest

from tests.clients.client import Client
from tests.clients.conversation import Conversation
from tests.clients.install import is_installed
from tests.clients.toolchains import TOOLCHAINS
from tests.e2e.conftest import RunningTwin

LIFETIME = 10 * 60
"""Seconds that an access token is valid in the twin's stack."""
TOOLS = ["delete_snippet", "get_snippet", "hello_mcp", "save_snippet"]


def unavailable(reason: str) -> None:
    """Skips; in CI every client must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def test_a_client_signs_in_once_and_stays_connected(
    client: Client, transport: str, twin: RunningTwin, tmp_path: Path
) -> None:
    toolchain = TOOLCHAINS[client.toolchain]
    if (missing := toolchain.missing()) is not None:
        unavailable(missing)
    if not is_installed(client):
        unavailable(f"{client.id} is not installed: `make test-clients` does it")
    url = f"{twin.gateway}/mcp" + ("/sse" if transport == "sse" else "")
    conversation = Conversation(
        [*toolchain.command(client), url, transport], client.environment, tmp_path, twin.person(), {}
    )
    try:
        listed, *called = conversation.until("waiting")
        assert sorted(listed["tools"]) == TOOLS
        assert [call["tool"] for call in called] == ["hello_mcp", "save_snippet"]
        assert "Hello I am MCPTool!" in called[0]["text"]
        assert conversation.pages == 1
        twin.advance_clock(LIFETIME + 60)
        conversation.write(str(LIFETIME + 60))
        (got,) = conversation.until("end")
        assert (got["tool"], "kept" in got["text"]) == ("get_snippet", True)
        assert conversation.pages == 1, "it showed its user a page again"
    finally:
        conversation.stop()
