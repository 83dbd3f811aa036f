"""Real clients, each in its own environment, connect to the URL of an MCP server."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.client import Client
from tests.clients.conversation import Conversation
from tests.clients.install import install, is_installed
from tests.clients.page import record
from tests.clients.toolchains import TOOLCHAINS, InstallError
from tests.e2e import client as bearer
from tests.e2e.conftest import RunningTwin

LIFETIME = 10 * 60
"""Seconds that an access token is valid in the twin's stack."""
TOOLS = ["delete_snippet", "get_snippet", "hello_mcp", "save_snippet"]


def unavailable(reason: str) -> None:
    """Skips the test; in CI it fails instead, because every client must run there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def conversation(
    client: Client, twin: RunningTwin, home: Path, *arguments: str, **variables: str
) -> Generator[Conversation]:
    toolchain = TOOLCHAINS[client.toolchain]
    if (missing := toolchain.missing()) is not None:
        unavailable(f"{client.id} {missing}")
    if client.fast:
        try:
            install(client)
        except InstallError as error:
            unavailable(str(error))
    if not is_installed(client):
        unavailable(f"{client.id} is not installed: run `make test-clients`")
    command = [*toolchain.command(client), *arguments]
    talk = Conversation(command, client.environment, home, twin.person(), variables)
    try:
        yield talk
    finally:
        talk.stop()


def use_tools(talk: Conversation) -> None:
    """The client lists the tools and uses two of them."""
    listed, *called = talk.until("waiting")
    assert sorted(listed["tools"]) == TOOLS
    assert [call["tool"] for call in called] == ["hello_mcp", "save_snippet"]
    assert "Hello I am MCPTool!" in called[0]["text"]


def use_tools_again(talk: Conversation) -> None:
    """The client reads the snippet that it saved before."""
    (result,) = talk.until("end")
    assert result["tool"] == "get_snippet"
    assert "kept" in result["text"]


def address(twin: RunningTwin, transport: str) -> str:
    return f"{twin.gateway}/mcp" + ("/sse" if transport == "sse" else "")


def sign_in_once(client: Client, transport: str, twin: RunningTwin, home: Path) -> None:
    """The client shows one page, and no further page when its access token has expired."""
    with conversation(client, twin, home, address(twin, transport), transport) as talk:
        use_tools(talk)
        assert talk.pages == 1
        if not client.stays:
            return
        twin.advance_clock(LIFETIME + 60)
        talk.write(str(LIFETIME + 60))
        use_tools_again(talk)
        assert talk.pages == 1, "the client showed a page to its user again"


def use_tokens_of_the_host(client: Client, transport: str, twin: RunningTwin, home: Path) -> None:
    """The client sends the current bearer token of its host."""
    host = twin.client()
    assert host.register().status_code == 201
    code = bearer.parameters_of(twin.person().sign_in(host.authorize_url()))["code"]
    tokens = host.redeem(code).raise_for_status().json()
    url = address(twin, transport)
    with conversation(client, twin, home, url, transport, MCP_TOKEN=tokens["access_token"]) as talk:
        use_tools(talk)
        twin.advance_clock(LIFETIME + 60)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": tokens["refresh_token"],
            "client_id": host.client_id,
        }
        tokens = twin.http.post(f"{twin.gateway}/token", data=form).raise_for_status().json()
        talk.write(tokens["access_token"])
        use_tools_again(talk)


def discover(client: Client, _: str, twin: RunningTwin, home: Path) -> None:
    """The client discovers the authorization server and its authentication methods."""
    with conversation(client, twin, home, twin.gateway) as talk:
        (event,) = talk.until("end")
    assert event == {
        "issuer": twin.gateway,
        "authorization": f"{twin.gateway}/authorize",
        "token": f"{twin.gateway}/token",
        "method": "none",
    }


STEPS = {"own": sign_in_once, "bearer": use_tokens_of_the_host, "none": discover}


def test_a_client_connects_and_stays_connected(
    client: Client, transport: str, twin: RunningTwin, tmp_path: Path
) -> None:
    STEPS[client.sign_in](client, transport, twin, tmp_path)
    record(client, transport)
