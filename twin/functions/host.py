"""The host: a function app's MCP server behind built-in authentication, as one ASGI app."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from twin.builtin_auth import BuiltInAuthMiddleware, TokenCheck
from twin.functions import jsonrpc
from twin.functions.app import FunctionsApp
from twin.functions.body import BodyTooLargeError
from twin.functions.client_state import ClientState
from twin.functions.extension import PROTOCOL_VERSIONS, ExtensionServer
from twin.functions.settings import READY
from twin.functions.sse import SseTransport
from twin.functions.streamable_http import StreamableHttp, UnhandledError
from twin.lazy_app import LazyApp
from twin.shared_readings import SharedReadings

_log = logging.getLogger(__name__)

_MCP = "/runtime/webhooks/mcp"
_METHODS = frozenset({"GET", "POST", "DELETE"})
"""The HTTP methods of requests that the Functions host passes to extensions."""


def functions_host(
    app: FunctionsApp,
    *,
    check: TokenCheck | None,
    state: ClientState | None = None,
    readings: SharedReadings | None = None,
) -> Starlette:
    """Creates the host.

    Args:
        app: the function app.
        check: authenticates callers; None to admit every caller, like an app without built-in authentication.
        state: encrypts session ids; None for a new key, with which sessions end when this host stops.
        readings: the assumed behaviour of Azure where it is not documented; by default the default readings.
    """
    extension = _Extension(
        app, state or ClientState(), readings or SharedReadings(), behind_auth=check is not None
    )
    webhooks = Starlette(routes=[Route(_MCP, extension), Route(f"{_MCP}/{{rest:path}}", extension)])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await extension.modern.stop()

    return Starlette(
        routes=[
            Route(READY, _ready),
            Mount("/", BuiltInAuthMiddleware(webhooks, check=check) if check else webhooks),
        ],
        lifespan=lifespan,
    )


class _Extension:
    """The endpoints at and below `/runtime/webhooks/mcp`."""

    def __init__(
        self, app: FunctionsApp, state: ClientState, readings: SharedReadings, *, behind_auth: bool
    ) -> None:
        server = ExtensionServer(app)
        self.modern = LazyApp(lambda: _modern(app, state))
        self._released = StreamableHttp(server, state)
        self._sse = SseTransport(server, state)
        self._readings = readings
        self._behind_auth = behind_auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; an error that the extension does not catch results in an empty 500 response."""
        try:
            await self._serve(scope, receive, send)
        except ClientDisconnect:
            return
        except UnhandledError as error:
            _log.info("%s %s: %s", scope["method"], scope["path"], error)
            await Response(status_code=500)(scope, receive, send)
        except BodyTooLargeError:
            await Response(status_code=413)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, readings = scope["path"].rstrip("/").lower(), self._readings.current
        if scope["method"] not in _METHODS:
            await Response(status_code=405)(scope, receive, send)
        elif path.endswith(("sse", "message")):
            await self._sse(scope, receive, send)
        elif scope["method"] != "POST":
            await Response(status_code=405)(scope, receive, send)
        elif self._behind_auth and readings.functions_streamable_http == "fails":
            await Response(status_code=500)(scope, receive, send)
        elif readings.functions_modern_protocol == "supported":
            await self.modern(scope, receive, send)
        elif readings.functions_modern_protocol == "refused" and (unknown := _unknown_version(scope)):
            message = f"Bad Request: The MCP-Protocol-Version header value '{unknown}' is not supported."
            body = jsonrpc.error("", jsonrpc.SERVER_ERROR, message)
            await Response(body, 400, media_type="application/json; charset=utf-8")(scope, receive, send)
        else:
            await self._released(scope, receive, send)


def _modern(app: FunctionsApp, state: ClientState) -> Starlette:
    """The application of `twin.functions.modern`, imported now."""
    from twin.functions.modern import ModernStreamableHttp  # noqa: PLC0415 -- see its first lines

    modern = ModernStreamableHttp(app, state)
    return Starlette(routes=[Mount("/", modern)], lifespan=lambda _: modern.run())


def _unknown_version(scope: Scope) -> str | None:
    """The value of `MCP-Protocol-Version` if the extension does not support it."""
    version = Request(scope).headers.get("mcp-protocol-version")
    return version if version is not None and version not in PROTOCOL_VERSIONS else None


async def _ready(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ready")
