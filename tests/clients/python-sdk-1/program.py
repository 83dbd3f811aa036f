"""The Python SDK up to 1.x: signs in, uses tools, and continues when its access token has expired."""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client
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
    query = parse_qs(urlsplit(await listen()).query)
    return query["code"][0], query["state"][0]


async def main():
    metadata = OAuthClientMetadata(
        client_name="Python SDK", redirect_uris=["http://127.0.0.1:45321/callback"]
    )
    auth = OAuthClientProvider(url, metadata, Memory(), open_page, wait_for_callback)
    connect = sse_client if transport == "sse" else streamablehttp_client
    async with connect(url, auth=auth) as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()

        async def call(name, **arguments):
            result = await session.call_tool(name, arguments)
            say(tool=name, text=result.content[0].text)

        say(tools=[tool.name for tool in (await session.list_tools()).tools])
        await call("hello_mcp")
        await call("save_snippet", snippetname="greeting", snippet="kept")
        say(waiting=True)
        later = int(await listen())
        clock = time.time
        time.time = lambda: clock() + later
        await call("get_snippet", snippetname="greeting")


asyncio.run(main())
