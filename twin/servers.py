"""The MCP servers that run as processes, and the operations of the control API on them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twin.plan import Plan
from twin.server_process import CannotRunError, ServerProcess, State
from twin.stack import StackError


class Server(Protocol):
    """An MCP server.

    Attributes:
        name: name of the server.
        backend: name of its backend, such as `slack` for `slack-http`.
        port: port of its ingress.
        process: process of the server.
    """

    name: str
    backend: str
    port: int
    process: ServerProcess

    async def restart(self, plan: Plan) -> None:
        """Restarts the server with its declaration in a plan; returns when it is ready or has failed.

        Raises:
            CannotRunError: the server cannot run with this declaration; the old process continues to run.
        """
        ...


class UnknownServerError(Exception):
    """No server and no backend has this name; the message lists the names."""


class Servers:
    """All MCP servers of a twin.

    Args:
        servers: the servers, in the order of their ports.
        read_plan: evaluates the stack from its current files; raises `StackError`.
    """

    def __init__(
        self, servers: Sequence[Server] = (), read_plan: Callable[[], Awaitable[Plan]] | None = None
    ) -> None:
        self._servers = tuple(servers)
        self._read_plan = read_plan
        self._restarting = asyncio.Lock()

    def __iter__(self) -> Iterator[Server]:
        return iter(self._servers)

    async def restart(self, name: str) -> list[Server]:
        """Restarts a server, or all servers of a backend; returns them when they are ready or have failed.

        Raises:
            UnknownServerError: no server and no backend has this name.
            StackError: the stack cannot be evaluated; no server was restarted.
            CannotRunError: a server cannot run with its current declaration; it was not restarted.
        """
        chosen = [server for server in self._servers if name in {server.name, server.backend}]
        if not chosen or self._read_plan is None:
            names = ", ".join(server.name for server in self._servers)
            raise UnknownServerError(f"There is no server {name!r}. The servers are: {names or 'none'}.")
        async with self._restarting:
            plan = await self._read_plan()
            await asyncio.gather(*(server.restart(plan) for server in chosen))
        return chosen


def server_routes(servers: Servers) -> list[Route]:
    """The routes that list and restart servers."""

    async def list_servers(_: Request) -> Response:
        return JSONResponse({"servers": [_to_json(server) for server in servers]})

    async def restart_server(request: Request) -> Response:
        try:
            chosen = await servers.restart(request.path_params["name"])
        except UnknownServerError as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        except (StackError, CannotRunError) as error:
            return JSONResponse({"error": f"Not restarted: {error}"}, status_code=409)
        failed = any(server.process.state is not State.READY for server in chosen)
        return JSONResponse(
            {"servers": [_to_json(server) for server in chosen]}, status_code=502 if failed else 200
        )

    return [
        Route("/servers", list_servers, methods=["GET"]),
        Route("/servers/{name}/restart", restart_server, methods=["POST"]),
    ]


def _to_json(server: Server) -> dict[str, Any]:
    process = server.process
    shown = {
        "name": server.name,
        "backend": server.backend,
        "port": server.port,
        "state": str(process.state),
        "problem": process.problem or None,
    }
    return {name: value for name, value in shown.items() if value}
