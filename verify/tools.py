"""Checks of tool calls over each transport, with the official MCP SDK as the client."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal

import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent, Tool

from configuration.presets import PRESETS
from settings import OTHER_TOOLS
from verify.check import Check, FailedError, SkippedError
from verify.session import Observation, Session
from verify.sign_in import sign_in_id, token_for
from verify.target import Expectation, Server

SECTION = "Tool calls"
Transport = Literal["http", "sse"]
_NAMES = {"http": "streamable HTTP", "sse": "HTTP+SSE"}
_MODERN = "2026-07-28"
_DISCOVER = "server/discover"
_MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": _MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "gateway verification", "version": "1.0.0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_SNIPPET_TOOLS = {"save_snippet", "get_snippet", "delete_snippet"}
# Tools of the project's own server have no annotations; this tool has no side effect.
_TOOL_WITHOUT_EFFECT = "hello_mcp"
_PAUSE = 2.0
# Other client errors are part of the protocol. For example, a server may not support GET or a newer version.
_FATAL_STATUSES = (401, 403, 429)


def tool_check_id(server: Server, transport: Transport) -> str:
    """The id of the check of a server with a transport."""
    return f"tool:{server.name}:{transport}"


def transports(server: Server) -> tuple[Transport, ...]:
    """The transports of a server."""
    http: tuple[Transport, ...] = ("http",) if server.streamable_http else ()
    return (*http, "sse") if server.event_streams else http


def checks(expected: Expectation) -> Iterable[Check]:
    """The checks of this section, in the order of the report."""
    for server in expected.servers:
        for transport in transports(server):
            yield Check(
                id=tool_check_id(server, transport),
                section=SECTION,
                title=f"{server.title}: a tool call over {_NAMES[transport]}",
                run=partial(_call, server, transport),
                remedy=_remedy(server, transport),
                needs=(sign_in_id(expected, server),),
            )
    for server in expected.servers:
        if server.name == "functions":
            transport = transports(server)[0]
            yield Check(
                id="snippet",
                section=SECTION,
                title="A snippet is saved, read and deleted",
                run=partial(_snippet, server, transport),
                remedy="The Function App's identity needs Storage Blob Data Owner on its storage account. "
                "Run `pulumi up`.",
                needs=(tool_check_id(server, transport),),
            )


def _remedy(server: Server, transport: Transport) -> str:
    if server.name == "functions" and transport == "http":
        return (
            "If HTTP+SSE works, see reading R15 in docs/readings.md; otherwise look at the Function App's "
            "log stream in the portal."
        )
    if server.name == "functions":
        return "Look at the Function App's log stream in the portal."
    return "Look at the container's log: `az containerapp logs show --name <app> --resource-group <group>`."


@asynccontextmanager
async def connected(session: Session, server: Server, transport: Transport) -> AsyncGenerator[Client]:
    """Connects to a server with the MCP SDK.

    Raises:
        FailedError: the server does not respond as the protocol requires.
    """
    headers = token_for(session, server).headers
    errors: list[str] = []

    def make_client(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        client = session.client(headers, timeout, auth)
        client.event_hooks = {"response": [partial(_record_error, errors)]}
        return client

    try:
        if transport == "http":
            url = f"{session.url}{server.at('/')}"
            async with (
                make_client(headers, httpx2.Timeout(60, connect=10)) as http,
                Client(streamable_http_client(url, http_client=http)) as client,
            ):
                yield client
        else:
            url = f"{session.url}{server.at(server.event_streams[0])}"
            stream = sse_client(url, headers=headers, timeout=30, httpx_client_factory=make_client)
            async with Client(stream) as client:
                yield client
    except (BaseExceptionGroup, httpx2.HTTPError, MCPError, ValueError, OSError) as error:
        raise FailedError(errors[-1] if errors else _reason(error)) from error


async def _record_error(errors: list[str], answer: httpx2.Response) -> None:
    """Records the status of an error response, because the errors of the SDK do not contain it."""
    if answer.status_code in _FATAL_STATUSES or answer.status_code >= 500:  # noqa: PLR2004 -- HTTP: Server Error
        errors.append(f"HTTP {answer.status_code} for {answer.request.method} {answer.request.url.path}")


async def _call(server: Server, transport: Transport, session: Session) -> str:
    now = asyncio.get_running_loop().time
    deadline = now() + session.durations.start
    while True:
        try:
            return await _call_once(server, transport, session)
        except FailedError as error:
            if transport == "sse" and error.details.startswith("HTTP 403") and _hides_tools(session, server):
                raise SkippedError(
                    "Over HTTP+SSE, the gateway lists tools only for callers who may call all of them "
                    "(docs/access.md)."
                ) from error
            # The gateway returns status 503 while a server starts that was scaled to zero.
            if not error.details.startswith("HTTP 503") or now() >= deadline:
                raise
        await asyncio.sleep(_PAUSE)


def _hides_tools(session: Session, server: Server) -> bool:
    """Whether the gateway may have to omit tools from the list of a user."""
    return session.target.expected.tool_lock == "refuse" or any(server.permissions.values())


def may_not_call(server: Server, listed: Iterable[str]) -> str:
    """The tools that the user may not call, as the end of a sentence; empty if there are none."""
    hidden = sorted(name for name in server.permissions.keys() - set(listed) if server.permissions[name])
    named = [f"{name} ({_required_roles(server, name)})" for name in hidden if name != OTHER_TOOLS]
    others = [f"tools without a rule of their own ({_required_roles(server, OTHER_TOOLS)})"] * (
        OTHER_TOOLS in hidden
    )
    if not named and not others:
        return ""
    return f"; this user may not call, or the server does not have: {', '.join([*named, *others])}"


def _required_roles(server: Server, tool: str) -> str:
    return f"needs {' or '.join(server.roles_for(tool))}"


async def _call_once(server: Server, transport: Transport, session: Session) -> str:
    async with connected(session, server, transport) as client:
        version = client.protocol_version
        tools = (await client.list_tools()).tools
        tool = _read_only_tool(tools)
        result = await client.call_tool(tool.name, {}) if tool else None
    session.called.add((server.name, transport))
    if transport == "http" and "R3" not in session.observations:
        await _observe_connection_header(session, server)
    if server.name == "functions" and transport == "http":
        await _observe_modern_protocol(session, server)
    hidden = may_not_call(server, (tool.name for tool in tools))
    if tool is None or result is None:
        return f"{len(tools)} tools, none of which is safe to call; protocol {version}{hidden}"
    if result.is_error:
        raise FailedError(f"{tool.name} returned an error", _service_remedy(server))
    return f"{tool.name} of {len(tools)} tools, protocol {version}{hidden}"


async def _observe_connection_header(session: Session, server: Server) -> None:
    """R3: records whether policies can read the header Connection.

    If they can, they reject a request in which this header lists a header of MCP.
    """
    answer = await session.request(
        "POST",
        server.message_path,
        json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
        headers={
            **token_for(session, server).headers,
            "Accept": "application/json, text/event-stream",
            "Connection": "keep-alive, mcp-verification",
        },
    )
    if answer.status_code == 400 and "Connection" in answer.text:  # noqa: PLR2004 -- HTTP: Bad Request
        session.observations["R3"] = Observation("visible", "the policies can read the header Connection")
    elif answer.is_success:
        session.observations["R3"] = Observation("removed", "the policies cannot read the header Connection")


async def _observe_modern_protocol(session: Session, server: Server) -> None:
    """R14: records the response of the server to a request that exists only in MCP 2026-07-28."""
    answer = await session.request(
        "POST",
        server.message_path,
        json={"jsonrpc": "2.0", "id": 1, "method": _DISCOVER, "params": {"_meta": _MODERN_META}},
        headers={
            **token_for(session, server).headers,
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": _MODERN,
            "Mcp-Method": _DISCOVER,
        },
    )
    if answer.status_code == 400:  # noqa: PLR2004 -- HTTP: Bad Request
        option = "refused"
    elif not answer.is_success:
        return
    else:
        option = "supported" if "supportedVersions" in answer.text else "ignored"
    evidence = f"the response to {_DISCOVER} of {_MODERN} was HTTP {answer.status_code}"
    session.observations["R14"] = Observation(option, evidence)


def _read_only_tool(tools: list[Tool]) -> Tool | None:
    """A tool without required arguments that its server declares as read-only; None if there is none."""
    for tool in tools:
        read_only = tool.annotations is not None and tool.annotations.read_only_hint is True
        if tool.name == _TOOL_WITHOUT_EFFECT or (read_only and not tool.input_schema.get("required")):
            return tool
    return None


def _service_remedy(server: Server) -> str:
    return PRESETS[server.name].remedy if server.name in PRESETS else ""


async def _snippet(server: Server, transport: Transport, session: Session) -> str:
    name = f"gateway-verification-{secrets.token_hex(4)}"
    text = secrets.token_hex(16)
    async with connected(session, server, transport) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        missing = _SNIPPET_TOOLS - tools
        if refused := sorted(name for name in missing if server.roles_for(name)):
            listed = ", ".join(f"{name} ({_required_roles(server, name)})" for name in refused)
            raise SkippedError(
                f"This user may not call {listed}, so nothing was saved.",
                "Sign in as a user who has the role (`roleMembers`) or is a member of the group.",
            )
        if missing:
            raise SkippedError(
                f"The server has no tool {', '.join(sorted(missing))}, so nothing was saved.",
                "Publish the current functions: `pulumi up`.",
            )
        problems = []
        saved = await client.call_tool("save_snippet", {"snippetname": name, "snippet": text})
        if saved.is_error:
            raise FailedError(f"save_snippet: {_text(saved)}")
        read = await client.call_tool("get_snippet", {"snippetname": name})
        if _text(read) != text:
            problems.append("get_snippet does not return what was saved")
        deleted = await client.call_tool("delete_snippet", {"snippetname": name})
        if deleted.is_error:
            problems.append(f"delete_snippet: {_text(deleted)}")
        again = await client.call_tool("get_snippet", {"snippetname": name})
        if not again.is_error:
            problems.append(f"the snippet '{name}' is still there; delete it with the tool delete_snippet")
    if problems:
        raise FailedError("; ".join(problems))
    return f"{name}"


def _text(result: CallToolResult) -> str:
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


def _reason(error: BaseException) -> str:
    """The messages of the innermost exceptions, because the SDK raises nested exception groups."""
    reasons = dict.fromkeys(_one_line(leaf) for leaf in _leaf_exceptions(error))
    return "; ".join(reasons)


def _leaf_exceptions(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for exception in error.exceptions:
            yield from _leaf_exceptions(exception)
    else:
        yield error


def _one_line(error: BaseException) -> str:
    if isinstance(error, MCPError):
        return f"the server returned {json.dumps(str(error))}"
    return f"{type(error).__name__} {str(error).partition(chr(10))[0]}".strip()
