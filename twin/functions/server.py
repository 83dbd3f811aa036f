"""The MCP server of a function app, on the official SDK."""

from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from twin.functions.app import FunctionsApp

SESSION_HEADER = "mcp-session-id"

_Context = ServerRequestContext[Any]


def mcp_server(app: FunctionsApp) -> Server[Any]:
    """A server that lists and calls the tools of an app.

    Like the extension it announces resources and prompts too, and has none.
    """

    async def list_tools(_: _Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.definition for tool in app.tools.values()])

    async def call_tool(context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = app.tools.get(params.name.lower())
        if tool is None:
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown tool: '{params.name}'")
        return await tool.call(_invocation(context, params))

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


def _invocation(context: _Context, params: types.CallToolRequestParams) -> dict[str, Any]:
    """What a function is told of its call (`ToolInvocationContext` of the extension)."""
    request = context.request
    headers = dict(request.headers) if isinstance(request, Request) else {}
    streamable = isinstance(request, Request) and not request.url.path.endswith("/message")
    client = context.session.client_params.client_info if context.session.client_params else None
    return {
        "name": params.name,
        "arguments": params.arguments,
        "sessionid": headers.get(SESSION_HEADER),
        "clientinfo": client.model_dump(mode="json", by_alias=True, exclude_none=True) if client else None,
        "transport": {
            "name": "http-streamable" if streamable else "http-sse",
            "sessionId": headers.get(SESSION_HEADER),
            "properties": {"headers": headers},
        },
    }
