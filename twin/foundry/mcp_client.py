"""Calls MCP servers for the agent service, with the official MCP SDK."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from twin.connection import Connection
from twin.foundry.errors import FoundryError, invalid
from twin.foundry.records import McpServer, Tool

_CALL_TIMEOUT = 100.0
"""The timeout of a call in seconds, as in Foundry; see the known limitations of its MCP tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a tool call: either `output` or `error` is set."""

    output: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class McpClient:
    """Lists and calls the tools of MCP servers.

    Attributes:
        connections: the connections of the project.
        agent_token: returns a token of the agent's identity for an audience.
    """

    connections: tuple[Connection, ...]
    agent_token: Callable[[str], Awaitable[str]] = field(repr=False)

    async def tools(self, server: McpServer) -> list[Tool]:
        """The tools of a server that the agent may use.

        Raises:
            FoundryError: the server cannot be reached or rejects the request.
        """
        try:
            async with self._connected(server) as (client, _):
                tools = []
                cursor = None
                while True:
                    page = await client.list_tools(cursor=cursor)
                    tools += page.tools
                    cursor = page.next_cursor
                    if not cursor:
                        break
        except _ServerError as error:
            raise FoundryError(
                424,
                "external_connector_error",
                f"Error retrieving tool list from MCP server: '{server.label}'. {error}",
                "tools",
            ) from None
        return [
            Tool(
                server=server.label,
                name=tool.name,
                description=tool.description or "",
                schema=tool.input_schema,
                annotations=tool.annotations.model_dump(by_alias=True, exclude_none=True)
                if tool.annotations
                else {},
            )
            for tool in tools
            if server.allowed is None or tool.name in server.allowed
        ]

    async def call(self, server: McpServer, name: str, arguments: Mapping[str, Any]) -> Outcome:
        """Calls a tool and returns its result."""
        try:
            async with self._connected(server) as (client, _):
                result = await client.call_tool(name, dict(arguments), read_timeout_seconds=_CALL_TIMEOUT)
        except _ServerError as error:
            return Outcome(error=str(error))
        text = "\n".join(part.text for part in result.content if part.type == "text")
        return Outcome(error=text or "The tool failed.") if result.is_error else Outcome(output=text)

    @asynccontextmanager
    async def _connected(self, server: McpServer) -> AsyncGenerator[tuple[Client, list[int]]]:
        """Opens a session with a server, authenticated as its definition requires.

        Raises:
            _ServerError: the server cannot be reached or returns an HTTP or MCP error.
        """
        url, headers = await self._access(server)
        error_statuses: list[int] = []

        async def record_error(response: httpx2.Response) -> None:
            if response.is_error:
                error_statuses.append(response.status_code)

        try:
            async with create_mcp_http_client(headers=headers) as http:
                http.event_hooks = {"response": [record_error]}
                async with Client(streamable_http_client(url, http_client=http)) as client:
                    yield client, error_statuses
        except (BaseExceptionGroup, MCPError, httpx2.HTTPError, OSError, TimeoutError) as error:
            first = _first(error)
            if not isinstance(first, MCPError | httpx2.HTTPError | OSError | TimeoutError):
                raise
            raise _ServerError(_reason(error_statuses) or str(first) or type(first).__name__) from None

    async def _access(self, server: McpServer) -> tuple[str, dict[str, str]]:
        """The URL of a server, and the headers with the credentials for it.

        Raises:
            FoundryError: the connection of the server does not exist.
        """
        headers = dict(server.headers)
        if server.authorization:
            headers["Authorization"] = f"Bearer {server.authorization}"
        if server.connection is None:
            return server.url, headers
        connection = next(
            (
                connection
                for connection in self.connections
                if server.connection in {connection.name, connection.id}
            ),
            None,
        )
        if connection is None:
            raise invalid(f"The project has no connection '{server.connection}'.", "tools")
        headers |= connection.headers
        if connection.audience is not None:
            headers["Authorization"] = f"Bearer {await self.agent_token(connection.audience)}"
        return connection.target, headers


class _ServerError(Exception):
    """An MCP server cannot be reached, or it returned an error."""


def _reason(error_statuses: list[int]) -> str:
    if not error_statuses:
        return ""
    status = error_statuses[-1]
    with contextlib.suppress(ValueError):
        return f"Http status code: {status} ({httpx2.codes(status).name.replace('_', ' ').title()})"
    return f"Http status code: {status}"


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
