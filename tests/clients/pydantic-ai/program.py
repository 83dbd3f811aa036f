"""Pydantic AI: signs in with the system's browser, uses tools, and continues when its token has expired."""

import asyncio
import json
import sys
import time

from pydantic_ai.mcp import MCPToolset

url, transport = sys.argv[1:]


def say(**facts):
    print(json.dumps(facts), flush=True)


async def main():
    # It chooses the transport by the URL.
    async with MCPToolset(url, auth="oauth") as toolset:

        async def call(name, **arguments):
            say(tool=name, text=str(await toolset.direct_call_tool(name, arguments)))

        say(tools=[tool.name for tool in await toolset.list_tools()])
        await call("hello_mcp")
        await call("save_snippet", snippetname="greeting", snippet="kept")
        say(waiting=True)
        later = int((await asyncio.to_thread(sys.stdin.readline)).strip())
        clock = time.time
        time.time = lambda: clock() + later
        await call("get_snippet", snippetname="greeting")


asyncio.run(main())
