"""langchain-mcp-adapters: signs in, uses tools, and continues when its access token has expired."""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.client.auth import OAuthClientProvider
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
        client_name="langchain-mcp-adapters", redirect_uris=["http://127.0.0.1:45321/callback"]
    )
    auth = OAuthClientProvider(url, metadata, Memory(), open_page, wait_for_callback)
    kind = "sse" if transport == "sse" else "streamable_http"
    client = MultiServerMCPClient({"gateway": {"transport": kind, "url": url, "auth": auth}})
    tools = {tool.name: tool for tool in await client.get_tools()}

    async def call(name, **arguments):
        result = await tools[name].ainvoke(arguments)
        say(tool=name, text=str(result))

    say(tools=list(tools))
    await call("hello_mcp")
    await call("save_snippet", snippetname="greeting", snippet="kept")
    say(waiting=True)
    later = int(await listen())
    clock = time.time
    time.time = lambda: clock() + later
    await call("get_snippet", snippetname="greeting")


asyncio.run(main())
