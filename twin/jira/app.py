"""The stand-in for Jira, as a web application."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from twin.jira import agile, api
from twin.jira.api import Created, Handler
from twin.jira.call import Call
from twin.jira.errors import JiraError, bad_request
from twin.jira.serializer import Serializer
from twin.jira.store import Site
from twin.request_log import LogRequests, RequestLog

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(site: Site, *, username: str, token: str, base_url: str, request_log: RequestLog) -> Starlette:
    """Creates the web application that serves Jira's REST API for one site.

    Args:
        site: the site.
        username: user name of the only account, for Basic authentication.
        token: API token of the account; a secret.
        base_url: address of the site, the prefix of links in responses.
        request_log: records the requests.
    """
    serializer = Serializer(site, base_url)

    def route(prefix: str, method: str, path: str, handler: Handler) -> BaseRoute:
        async def answer(request: Request) -> Response:
            try:
                _require_account(request, username, token)
                body = await _body(request)
                result = handler(
                    Call(
                        site=site,
                        serializer=serializer,
                        path=request.path_params,
                        query=request.query_params,
                        body=body,
                    )
                )
            except JiraError as error:
                return _error_response(error)
            if result is None:
                return Response(status_code=HTTPStatus.NO_CONTENT)
            status = HTTPStatus.CREATED if isinstance(result, Created) else HTTPStatus.OK
            return JSONResponse(result, status_code=status, headers={"X-AUSERNAME": site.me})

        return Route(f"{prefix}{path}", answer, methods=[method])

    async def unknown_path(request: Request) -> Response:
        request.state.unknown = True
        body = {"message": "null for uri: " + str(request.url.path), "status-code": HTTPStatus.NOT_FOUND}
        return JSONResponse(body, status_code=HTTPStatus.NOT_FOUND)

    return Starlette(
        routes=[
            *(route(f"/rest/api/{version}", *entry) for version in ("2", "latest") for entry in api.ROUTES),
            *(route("/rest/agile/1.0", *entry) for entry in agile.ROUTES),
            Route("/{path:path}", unknown_path, methods=_METHODS),
        ],
        middleware=[Middleware(LogRequests, request_log=request_log)],
    )


def _require_account(request: Request, username: str, token: str) -> None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        sent = base64.b64decode(value) if scheme.lower() == "basic" else b""
    except binascii.Error:
        sent = b""
    if not hmac.compare_digest(sent, f"{username}:{token}".encode()):
        raise JiraError(
            HTTPStatus.UNAUTHORIZED,
            "You do not have the permission to see the specified issue. Login Required",
        )


async def _body(request: Request) -> Mapping[str, Any]:
    content = await request.body()
    if not content:
        return {}
    try:
        body = json.loads(content)
    except ValueError:
        raise bad_request("Unexpected character in the request's JSON") from None
    # The body of some operations is a string instead of an object, such as a user name.
    return body if isinstance(body, dict) else {"value": body}


def _error_response(error: JiraError) -> Response:
    headers = {"WWW-Authenticate": "Basic"} if error.status == HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse(
        {"errorMessages": list(error.messages), "errors": error.fields},
        status_code=error.status,
        headers=headers,
    )
