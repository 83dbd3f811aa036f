"""An ASGI application that is created at its first request, because importing its libraries is slow."""

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send


class LateApp:
    """The application, with its lifespan.

    Args:
        create: creates the application; called once.
    """

    def __init__(self, create: Callable[[], ASGIApp]) -> None:
        self._create = create
        self._creation: asyncio.Task[ASGIApp] | None = None
        self._lifespan: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles an ASGI connection."""
        if self._creation is None:
            self._creation = asyncio.create_task(self._make(), name="late app")
        app = await asyncio.shield(self._creation)
        await app(scope, receive, send)

    async def stop(self) -> None:
        """Ends the application's lifespan, if it has begun."""
        self._stopped.set()
        if self._lifespan is not None:
            await asyncio.wait([self._lifespan], timeout=1.0)

    async def _make(self) -> ASGIApp:
        app = await asyncio.to_thread(self._create)
        if isinstance(app, Starlette):
            begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._lifespan = asyncio.create_task(self._live(app, begun), name="lifespan")
            await begun
        return app

    async def _live(self, app: Starlette, begun: asyncio.Future[None]) -> None:
        """Begins and ends the lifespan in one task, as its task groups require."""
        try:
            async with app.router.lifespan_context(app):
                begun.set_result(None)
                await self._stopped.wait()
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(error)
