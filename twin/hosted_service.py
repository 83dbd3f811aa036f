"""What the stand-ins of hosted services have in common: an app that takes a bearer token."""

from collections.abc import Callable

from starlette.types import ASGIApp

from twin.arrivals import Arrivals, RecordArrivals
from twin.bearer import RequireBearer
from twin.late_app import LateApp
from twin.serving import AsgiServer


class HostedService:
    """An app on a port of its own, whose modules are imported at the first request.

    Args:
        name: its name in messages.
        create: imports and creates the app.
        accepts: whether a bearer token opens it.
        challenge: the header `WWW-Authenticate` of an answer to other tokens.
        port: on 127.0.0.1.

    Attributes:
        name: its name in messages.
        arrivals: the requests that it received.
    """

    def __init__(
        self,
        name: str,
        create: Callable[[], ASGIApp],
        *,
        accepts: Callable[[str], bool],
        challenge: str,
        port: int,
    ) -> None:
        self.name = name
        self.arrivals = Arrivals()
        self._app = LateApp(create)
        guarded = RequireBearer(self._app, accepts=accepts, challenge=challenge)
        self._server = AsgiServer(name, RecordArrivals(guarded, self.arrivals), port)

    async def start(self) -> None:
        """Starts to serve.

        Raises:
            OSError: the port is taken.
        """
        await self._server.start()

    async def wait(self) -> str:
        """Waits until it fails and returns the reason."""
        return await self._server.wait()

    async def stop(self) -> None:
        """Ends it."""
        await self._server.stop()
        await self._app.stop()
