"""The stand-in for a Foundry project, as a web application."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from twin.foundry.agents import Agents
from twin.foundry.conversation import Conversations
from twin.foundry.errors import FoundryError, invalid
from twin.foundry.project import PATH
from twin.foundry.response import Event, server_sent

HEADER = "x-stand-in"
"""A header in every response, which shows that it is not from Foundry."""


def create_app(agents: Agents, conversations: Conversations) -> Starlette:
    """Creates the web application with the supported endpoints of a project."""
    handlers = _Handlers(agents, conversations)
    return Starlette(
        routes=[
            Route(f"{PATH}/agents/{{name}}/versions", handlers.create_version, methods=["POST"]),
            Route(
                f"{PATH}/agents/{{name}}/versions/{{version}}", handlers.delete_version, methods=["DELETE"]
            ),
            Route(f"{PATH}/openai/v1/responses", handlers.respond, methods=["POST"]),
            Route("/{path:path}", handlers.unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        exception_handlers={FoundryError: _error_response},
    )


class _Handlers:
    """The handlers, one for each endpoint."""

    def __init__(self, agents: Agents, conversations: Conversations) -> None:
        self._agents = agents
        self._conversations = conversations

    async def create_version(self, request: Request) -> Response:
        version = self._agents.create_version(request.path_params["name"], await _body(request))
        return _json_response(version.to_json())

    async def delete_version(self, request: Request) -> Response:
        name, version = request.path_params["name"], request.path_params["version"]
        self._agents.delete_version(name, version)
        deleted = {"object": "agent.version.deleted", "name": name, "version": version, "deleted": True}
        return _json_response(deleted)

    async def respond(self, request: Request) -> Response:
        body = await _body(request)
        response = await self._conversations.prepare(body)
        if body.get("stream") is True:
            events = _event_stream(response.events)
            return StreamingResponse(events, media_type="text/event-stream", headers={HEADER: "foundry"})
        async for _ in response.events:
            pass
        return _json_response(response.writer.to_json())

    async def unknown(self, request: Request) -> Response:
        request.state.unknown = True
        operation = f"{request.method} {request.url.path}"
        raise FoundryError(404, "not_found", f"The stand-in does not support {operation}.")


async def _event_stream(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    async for event in events:
        yield server_sent(event)


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise invalid("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    return body


def _json_response(content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, headers={HEADER: "foundry"})


async def _error_response(_: Request, error: Exception) -> Response:
    if not isinstance(error, FoundryError):
        raise error
    response = error.response()
    response.headers[HEADER] = "foundry"
    return response
