"""Reads the tools of MCP servers before an agent starts."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import Client, MCPError, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from agent_demo import compatibility
from agent_demo.settings import Server

_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool.

    Attributes:
        name: unique at its server.
        description: what it does; the first line.
        schema: of its arguments.
        read_only: whether it changes nothing: as the server says, or, where it says nothing, as the operator
            of the stack declares. Otherwise false.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTools:
    """What is known of a server's tools.

    Attributes:
        server: the server.
        tools: those that the agent service can take; None when the demo cannot read them.
        left_out: why each of the others is left out, by name.
        problem: why the server cannot be used, or None.
    """

    server: Server
    tools: tuple[Tool, ...] | None = None
    left_out: Mapping[str, str]
    problem: str | None = None


def read_tools(servers: Sequence[Server], token: Callable[[Server], str | None]) -> tuple[ServerTools, ...]:
    """The tools of servers, all read at the same time.

    Args:
        servers: the servers.
        token: an access token for a server, or None when the demo has none for it.

    Raises:
        AgentError: there is no token for the gateway.
    """
    tokens = [token(server) for server in servers]

    async def read() -> list[ServerTools]:
        return await asyncio.gather(*map(_read, servers, tokens))

    return tuple(asyncio.run(read()))


async def _read(server: Server, token: str | None) -> ServerTools:
    if token is None:
        return _without_token(server)
    refusals: list[int] = []

    async def note(response: httpx2.Response) -> None:
        if response.is_error:
            refusals.append(response.status_code)

    try:
        async with (
            asyncio.timeout(_SECONDS),
            create_mcp_http_client(headers={"Authorization": f"Bearer {token}"}) as http,
        ):
            http.event_hooks = {"response": [note]}
            async with Client(streamable_http_client(server.url, http_client=http)) as client:
                tools = await _all_tools(client, server.read_only_tools)
    except (BaseExceptionGroup, MCPError, httpx2.HTTPError, OSError) as error:
        return ServerTools(server=server, left_out={}, problem=_problem(server, refusals, error))
    problems = {tool.name: compatibility.problem(tool.schema) for tool in tools}
    return ServerTools(
        server=server,
        tools=tuple(tool for tool in tools if problems[tool.name] is None),
        left_out={name: found for name, found in problems.items() if found is not None},
    )


def _without_token(server: Server) -> ServerTools:
    if server.connection is None:
        return ServerTools(
            server=server,
            left_out={},
            problem=(
                "there are no credentials for it. Run `pulumi config set foundryProject <resource id>` and "
                "`pulumi config set --secret githubToken`, then `pulumi up`."
            ),
        )
    return ServerTools(server=server, left_out={})


async def _all_tools(client: Client, declared: Sequence[str]) -> list[Tool]:
    tools: list[Tool] = []
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [
            Tool(
                name=each.name,
                description=(each.description or "").strip().partition("\n")[0],
                schema=each.input_schema,
                read_only=_reads(each, declared),
            )
            for each in page.tools
        ]
        cursor = page.next_cursor
        if not cursor:
            return tools


def _reads(tool: types.Tool, declared: Sequence[str]) -> bool:
    """Whether a tool only reads. A server that says that it writes is believed."""
    hint = tool.annotations.read_only_hint if tool.annotations else None
    return tool.name in declared if hint is None else hint


def _problem(server: Server, refusals: Sequence[int], error: BaseException) -> str:
    status = refusals[-1] if refusals else None
    match status:
        case 401:
            return f"it refuses the token (HTTP 401 from {server.url})." + (
                " The stack's setting `access` must have `agents` for this server, and the agent must have a "
                "role of it in the setting `agents`; a new role takes some minutes."
                if server.behind_gateway
                else " Replace the token."
            )
        case 403:
            return f"it refuses the agent (HTTP 403 from {server.url}): it may do less than it needs."
        case 503:
            return f"it is not ready (HTTP 503 from {server.url}). Try again in a moment."
        case None:
            first = error
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            return f"{server.url} cannot be reached: {str(first) or type(first).__name__}"
        case _:
            return f"it answers HTTP {status} at {server.url}."
