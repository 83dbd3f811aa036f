"""Streamable HTTP of a later extension, with MCP 2026-07-28 in addition to the earlier versions.

No released extension supports this version yet; see reading R14. The implementation is the official Python
SDK, which is imported at the first request, because its import takes longer than the rest of the host's
start.
"""

import secrets
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from twin.functions import jsonrpc
from twin.functions.app import FunctionsApp
from twin.functions.body import MAX_BODY, read_body, replay
from twin.functions.client_state import ClientState
from twin.functions.session import SESSION_HEADER, Session

_Context = ServerRequestContext[Any]


class ModernStreamableHttp:
    """The ASGI app at `/runtime/webhooks/mcp` under this reading. It receives only POST requests.

    Args:
        app: the function app.
        state: encrypts the session ids of clients that send `initialize`.
    """

    def __init__(self, app: FunctionsApp, state: ClientState) -> None:
        self._manager = StreamableHTTPSessionManager(
            mcp_server(app), stateless=True, max_request_body_size=MAX_BODY
        )
        self._state = state

    def run(self) -> AbstractAsyncContextManager[None]:
        """A context manager that must be active while requests are served."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        body = await read_body(Request(scope, receive))
        sender = self._with_session_id(send) if _is_initialize(body) else send
        await self._manager.handle_request(scope, replay(body, receive), sender)

    def _with_session_id(self, send: Send) -> Send:
        """A `send` that adds a new session id to a successful response."""

        async def send_with_session_id(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:  # noqa: PLR2004 - an HTTP status
                MutableHeaders(scope=message)[SESSION_HEADER] = self._state.encrypt(secrets.token_hex(8))
            await send(message)

        return send_with_session_id


def mcp_server(app: FunctionsApp) -> Server[Any]:
    """The SDK's server with the tools of an app; it supports resources and prompts, but has none."""

    async def list_tools(_: _Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.definition for tool in app.tools.values()])

    async def call_tool(context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = app.tools.get(params.name.lower())
        if tool is None:
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown tool: '{params.name}'")
        try:
            return await tool.call(_session(context).invocation(params.name, params.arguments))
        except jsonrpc.RequestError as error:
            raise MCPError(code=error.code, message=error.message) from None

    async def list_resources(
        _: _Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[])

    async def list_templates(
        _: _Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[])

    async def read_resource(_: _Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown resource: '{params.uri}'")

    async def list_prompts(_: _Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[])

    async def get_prompt(_: _Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown prompt: '{params.name}'")

    return Server(
        app.settings.server_name,
        version=app.settings.server_version,
        instructions=app.settings.instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def _session(context: _Context) -> Session:
    request = context.request
    client = context.session.client_params.client_info if context.session.client_params else None
    return Session(
        transport="http-streamable",
        headers=dict(request.headers) if isinstance(request, Request) else {},
        client=client.model_dump(mode="json", by_alias=True, exclude_none=True) if client else None,
    )


def _is_initialize(body: bytes) -> bool:
    """Whether a body is an `initialize` request."""
    try:
        message = jsonrpc.read(body)
    except jsonrpc.MalformedMessageError:
        return False
    return message is not None and message.is_request and message.method == "initialize"
