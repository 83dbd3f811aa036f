"""A minimal MCP proxy: it verifies a JWT and forwards the request.

`python -m benchmarks.passthrough --port PORT --backend URL --key KEY`. It uses Starlette, aiohttp's client,
PyJWT, and uvicorn with uvloop. It checks no headers, limits, sessions or grants, so it is only a lower bound.
"""

import argparse
import contextlib
from collections.abc import AsyncGenerator

import aiohttp
import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

AUDIENCE, ISSUER = "http://localhost/mcp", "http://localhost"


def application(backend: str, key: str) -> Starlette:
    """The proxy of one backend; tokens are signed with `key` (HS256)."""
    sessions: list[aiohttp.ClientSession] = []

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            sessions.append(session)
            yield

    async def proxy(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            jwt.decode(token if scheme == "Bearer" else "", key, ["HS256"], audience=AUDIENCE, issuer=ISSUER)
        except jwt.PyJWTError:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in {"host", "authorization", "content-length"}
        }
        answer = await sessions[0].request(
            request.method, backend, headers=headers, data=await request.body() or None
        )
        if answer.content_type == "text/event-stream":
            return StreamingResponse(
                answer.content.iter_any(), status_code=answer.status, media_type="text/event-stream"
            )
        return Response(await answer.read(), status_code=answer.status, media_type=answer.content_type)

    return Starlette(routes=[Route("/mcp", proxy, methods=["GET", "POST"])], lifespan=lifespan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--key", required=True)
    arguments = parser.parse_args()
    app = application(arguments.backend, arguments.key)
    uvicorn.run(app, port=arguments.port, loop="uvloop", log_level="warning", access_log=False, backlog=2048)


if __name__ == "__main__":
    main()
