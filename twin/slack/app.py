"""The stand-in for Slack's Web API, as a web application."""

import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from twin.request_log import LogRequests, RequestLog
from twin.slack.api import METHODS
from twin.slack.errors import SlackError
from twin.slack.store import Workspace

_METHOD_WITHOUT_TOKEN = "api.test"  # noqa: S105 - the name of a method


def create_app(workspace: Workspace, *, token: str, request_log: RequestLog) -> Starlette:
    """Creates the web application that serves the Web API of one workspace.

    Args:
        workspace: the workspace.
        token: token of the bot, sent as form field `token` or as bearer token; a secret.
        request_log: records the requests.
    """

    async def call(request: Request) -> JSONResponse:
        try:
            return JSONResponse({"ok": True} | await answer(request))
        except SlackError as error:
            return JSONResponse({"ok": False, "error": error.code} | error.details)

    async def answer(request: Request) -> dict[str, Any]:
        name = request.path_params["name"]
        params = await _params(request)
        if name == _METHOD_WITHOUT_TOKEN:
            return {"args": {key: value for key, value in params.items() if key != "token"}}
        if name not in METHODS:
            request.state.unknown = True
            raise SlackError("unknown_method", req_method=name)
        _require_token(request, params, token)
        return METHODS[name](workspace, params)

    async def unknown_path(request: Request) -> JSONResponse:
        request.state.unknown = True
        return JSONResponse({"ok": False, "error": "not_found"}, status_code=404)

    return Starlette(
        routes=[
            Route("/api/{name}", call, methods=["GET", "POST"]),
            Route("/{path:path}", unknown_path, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        middleware=[Middleware(LogRequests, request_log=request_log)],
    )


async def _params(request: Request) -> Mapping[str, str]:
    """The arguments in the query and the body (form or JSON); non-string values are converted to JSON."""
    params = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        try:
            body = json.loads(await request.body())
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        return params | {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()
        }
    return params | dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def _require_token(request: Request, params: Mapping[str, str], token: str) -> None:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    received = bearer if scheme.lower() == "bearer" else params.get("token", "")
    if not received:
        raise SlackError("not_authed")
    if not hmac.compare_digest(received.encode(), token.encode()):
        raise SlackError("invalid_auth")
