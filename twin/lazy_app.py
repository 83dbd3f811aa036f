"""An ASGI application that is created at the first request, because importing its libraries takes time."""

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send


class LazyApp:
    """Creates the application at the first request, and manages its lifespan.

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
            self._creation = asyncio.create_task(self._start_app(), name="lazy app")
        app = await asyncio.shield(self._creation)
        await app(scope, receive, send)

    async def stop(self) -> None:
        """Ends the lifespan of the application, if it has started."""
        self._stopped.set()
        if self._lifespan is not None:
            await asyncio.wait([self._lifespan], timeout=1.0)

    async def _start_app(self) -> ASGIApp:
        app = await asyncio.to_thread(self._create)
        if isinstance(app, Starlette):
            started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._lifespan = asyncio.create_task(self._run_lifespan(app, started), name="lifespan")
            await started
        return app

    async def _run_lifespan(self, app: Starlette, started: asyncio.Future[None]) -> None:
        """Starts and ends the lifespan in the same task, because its task groups require this."""
        try:
            async with app.router.lifespan_context(app):
                started.set_result(None)
                await self._stopped.wait()
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)
