"""FastMCP: signs in with the system's browser, uses tools, and continues when its token has expired."""

import asyncio
import json
import sys
import time

from fastmcp import Client
from fastmcp.client.auth import OAuth
from fastmcp.client.transports import SSETransport, StreamableHttpTransport

url, transport = sys.argv[1:]


def say(**facts):
    print(json.dumps(facts), flush=True)


async def main():
    connect = SSETransport if transport == "sse" else StreamableHttpTransport
    async with Client(connect(url, auth=OAuth(url))) as client:

        async def call(name, **arguments):
            result = await client.call_tool(name, arguments)
            say(tool=name, text=result.content[0].text)

        say(tools=[tool.name for tool in await client.list_tools()])
        await call("hello_mcp")
        await call("save_snippet", snippetname="greeting", snippet="kept")
        say(waiting=True)
        later = int((await asyncio.to_thread(sys.stdin.readline)).strip())
        clock = time.time
        time.time = lambda: clock() + later
        await call("get_snippet", snippetname="greeting")


asyncio.run(main())
