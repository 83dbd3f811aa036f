"""The OpenAI Agents SDK: signs in, uses tools, and continues when its access token has expired."""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qsl, urlsplit

from agents.mcp import MCPServerSse, MCPServerStreamableHttp
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientMetadata

url, transport = sys.argv[1:]


def say(**facts):
    print(json.dumps(facts), flush=True)


async def listen():
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


class Memory:
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


async def open_page(address):
    say(open=address)


async def wait_for_callback():
    return AuthorizationCodeResult(**dict(parse_qsl(urlsplit(await listen()).query)))


async def main():
    metadata = OAuthClientMetadata(
        client_name="OpenAI Agents SDK", redirect_uris=["http://127.0.0.1:45321/callback"]
    )
    auth = OAuthClientProvider(url, metadata, Memory(), open_page, wait_for_callback)
    connect = MCPServerSse if transport == "sse" else MCPServerStreamableHttp
    async with connect(params={"url": url, "auth": auth}, client_session_timeout_seconds=60) as server:

        async def call(name, **arguments):
            result = await server.call_tool(name, arguments)
            say(tool=name, text=result.content[0].text)

        say(tools=[tool.name for tool in await server.list_tools()])
        await call("hello_mcp")
        await call("save_snippet", snippetname="greeting", snippet="kept")
        say(waiting=True)
        later = int(await listen())
        clock = time.time
        time.time = lambda: clock() + later
        await call("get_snippet", snippetname="greeting")


asyncio.run(main())
