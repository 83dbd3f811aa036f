"""The stand-in for the agent service: a request that continues a conversation with other servers."""

import asyncio
from typing import Any

import pytest

from twin.foundry.agents import Agents
from twin.foundry.conversation import Conversations
from twin.foundry.errors import FoundryError
from twin.foundry.mcp_client import McpClient
from twin.foundry.records import McpServer, Tool


class OneTool(McpClient):
    """Every server has one tool, whose name contains the label of the server."""

    async def tools(self, server: McpServer) -> list[Tool]:
        name = f"delete_{server.label}"
        return [Tool(server=server.label, name=name, description="", schema={}, annotations={})]


async def token(_audience: str) -> str:
    return ""


@pytest.fixture
def conversations() -> Conversations:
    client = OneTool(connections=(), agent_token=token)
    return Conversations(Agents(("principal", "client"), lambda: 0.0), client, lambda: 0.0)


def respond(conversations: Conversations, label: str, input_: object, **members: object) -> dict[str, Any]:
    server = {"type": "mcp", "server_label": label, "server_url": f"https://{label}.example/mcp"}
    body = {"model": "gpt-5-mini", "tools": [server], "input": input_, **members}

    async def run() -> dict[str, Any]:
        response = await conversations.prepare(body)
        async for _ in response.events:
            pass
        return response.writer.to_json()

    return asyncio.run(run())


def test_a_pending_call_needs_its_server(conversations: Conversations) -> None:
    first = respond(conversations, "notes", "delete_notes")
    *_, request = first["output"]
    approval = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
    with pytest.raises(FoundryError, match="'tools' lacks the server 'notes' of a pending call"):
        respond(conversations, "tasks", [approval], previous_response_id=first["id"])


def test_a_message_uses_only_the_servers_of_its_request(conversations: Conversations) -> None:
    first = respond(conversations, "notes", "delete_notes")
    second = respond(conversations, "tasks", "delete_notes", previous_response_id=first["id"])
    assert [item["type"] for item in second["output"]] == ["mcp_list_tools", "message"]
