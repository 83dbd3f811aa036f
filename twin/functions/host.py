"""The host: a function app's MCP server behind built-in authentication, as one ASGI app."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from twin.builtin_auth import BuiltInAuthMiddleware, TokenCheck
from twin.functions.app import FunctionsApp
from twin.functions.client_state import ClientState
from twin.functions.server import mcp_server
from twin.functions.settings import READY
from twin.functions.sse import SseTransport
from twin.functions.streamable_http import StreamableHttp

_MCP = "/runtime/webhooks/mcp"


def functions_host(
    app: FunctionsApp, *, check: TokenCheck | None, state: ClientState | None = None
) -> Starlette:
    """Assembles the host.

    Args:
        app: what to serve.
        check: who may call it; None lets everybody in, as an app without built-in authentication does.
        state: seals session ids; without it sessions end with this host.
    """
    state = state or ClientState()
    server = mcp_server(app)
    streamable, sse = StreamableHttp(server, state), SseTransport(server, state)
    webhooks = Starlette(
        routes=[
            Route(path + slash, endpoint)
            for path, endpoint in (
                (_MCP, streamable),
                (f"{_MCP}/sse", sse),
                (f"{_MCP}/message", sse),
            )
            for slash in ("", "/")
        ]
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with streamable.run():
            yield

    return Starlette(
        routes=[
            Route(READY, _ready),
            Mount("/", BuiltInAuthMiddleware(webhooks, check=check) if check else webhooks),
        ],
        lifespan=lifespan,
    )


async def _ready(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ready")
