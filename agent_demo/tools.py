"""Reads the tools of the MCP servers before the agent is started."""

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

_TIMEOUT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool of an MCP server.

    Attributes:
        name: name of the tool, unique on its server.
        description: the first line of the description.
        schema: the JSON schema of the arguments.
        read_only: whether the tool is declared as read-only: by the server, or, if the server declares
            nothing, by the operator of the stack.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTools:
    """The tools of a server, or the reason why they cannot be used.

    Attributes:
        server: the server.
        tools: the tools that the agent service accepts; None if the demo cannot read them.
        left_out: the reason why the agent service does not accept each of the other tools, by name.
        problem: the reason why the server cannot be used, or None.
    """

    server: Server
    tools: tuple[Tool, ...] | None = None
    left_out: Mapping[str, str]
    problem: str | None = None


def read_tools(servers: Sequence[Server], token: Callable[[Server], str | None]) -> tuple[ServerTools, ...]:
    """Reads the tools of servers, all at the same time.

    Args:
        servers: the servers.
        token: returns an access token for a server, or None if the demo has none.

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
    error_statuses: list[int] = []

    async def record_error(response: httpx2.Response) -> None:
        if response.is_error:
            error_statuses.append(response.status_code)

    try:
        async with (
            asyncio.timeout(_TIMEOUT),
            create_mcp_http_client(headers={"Authorization": f"Bearer {token}"}) as http,
        ):
            http.event_hooks = {"response": [record_error]}
            async with Client(streamable_http_client(server.url, http_client=http)) as client:
                tools = await _all_tools(client, server.read_only_tools)
    except (BaseExceptionGroup, MCPError, httpx2.HTTPError, OSError) as error:
        return ServerTools(server=server, left_out={}, problem=_problem(server, error_statuses, error))
    problems = {tool.name: compatibility.problem(tool.schema) for tool in tools}
    return ServerTools(
        server=server,
        tools=tuple(tool for tool in tools if problems[tool.name] is None),
        left_out={name: problem for name, problem in problems.items() if problem is not None},
    )


def _without_token(server: Server) -> ServerTools:
    if server.connection is None:
        return ServerTools(
            server=server,
            left_out={},
            problem=(
                "the demo has no credentials for it. Run `pulumi config set foundryProject <resource id>` "
                "and `pulumi config set --secret githubToken`, then `pulumi up`."
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
                name=tool.name,
                description=(tool.description or "").strip().partition("\n")[0],
                schema=tool.input_schema,
                read_only=_is_read_only(tool, declared),
            )
            for tool in page.tools
        ]
        cursor = page.next_cursor
        if not cursor:
            return tools


def _is_read_only(tool: types.Tool, declared: Sequence[str]) -> bool:
    """Whether a tool is declared as read-only. The annotation of the server takes precedence."""
    hint = tool.annotations.read_only_hint if tool.annotations else None
    return tool.name in declared if hint is None else hint


def _problem(server: Server, error_statuses: Sequence[int], error: BaseException) -> str:
    status = error_statuses[-1] if error_statuses else None
    match status:
        case 401:
            return f"the server rejected the token (HTTP 401 from {server.url})." + (
                " Add `agents` to this server's entry in the stack's setting `access`, and give the agent a "
                "role of the server in the setting `agents`; a new role takes effect after some minutes."
                if server.behind_gateway
                else " Replace the token."
            )
        case 403:
            return (
                f"the server rejected the agent (HTTP 403 from {server.url}). Give the agent the roles that "
                "it needs, in the stack's setting `agents`."
            )
        case 503:
            return f"the server is not ready (HTTP 503 from {server.url}). Try again in a moment."
        case None:
            first = error
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            return (
                f"{server.url} cannot be reached ({str(first) or type(first).__name__}). Check that the "
                "stack is deployed, or that `make up` runs."
            )
        case _:
            return f"the server returned HTTP {status} at {server.url}. Its log may have the reason."
