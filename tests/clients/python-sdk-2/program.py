"""The Python SDK 2.x: signs in, uses tools, and continues when its access token has expired."""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qsl, urlsplit

from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
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
        client_name="Python SDK", redirect_uris=["http://127.0.0.1:45321/callback"]
    )
    auth = OAuthClientProvider(url, metadata, Memory(), open_page, wait_for_callback)
    async with create_mcp_http_client(auth=auth) as http:
        sse = transport == "sse"
        connection = sse_client(url, auth=auth) if sse else streamable_http_client(url, http_client=http)
        async with Client(connection) as client:

            async def call(name, **arguments):
                result = await client.call_tool(name, arguments)
                say(tool=name, text=result.content[0].text)

            say(tools=[tool.name for tool in (await client.list_tools()).tools])
            await call("hello_mcp")
            await call("save_snippet", snippetname="greeting", snippet="kept")
            say(waiting=True)
            later = int(await listen())
            clock = time.time
            time.time = lambda: clock() + later
            await call("get_snippet", snippetname="greeting")


asyncio.run(main())
