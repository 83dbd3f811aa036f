"""mcp-use: signs in with the system's browser and uses tools."""

import asyncio
import json
import os
import socket
import sys

os.environ["MCP_USE_ANONYMIZED_TELEMETRY"] = "false"
from mcp_use import MCPClient

url, transport = sys.argv[1:]


def say(**facts):
    print(json.dumps(facts), flush=True)


def free_port():
    """Without this, mcp-use listens at port 8080, which another program may use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def main():
    auth = {"callback_port": free_port()}
    client = MCPClient({"mcpServers": {"gateway": {"url": url, "auth": auth}}})
    session = await client.create_session("gateway")

    async def call(name, **arguments):
        result = await session.call_tool(name, arguments)
        say(tool=name, text=result.content[0].text)

    say(tools=[tool.name for tool in await session.list_tools()])
    await call("hello_mcp")
    await call("save_snippet", snippetname="greeting", snippet="kept")
    # mcp-use has a function that refreshes the token, but never calls it.
    say(waiting=True)
    await client.close_all_sessions()


asyncio.run(main())
