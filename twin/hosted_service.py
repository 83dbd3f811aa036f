"""The base class of stand-ins for hosted services: a web application that requires a bearer token."""

from collections.abc import Callable

from starlette.types import ASGIApp

from twin.bearer import RequireBearer
from twin.lazy_app import LazyApp
from twin.request_log import LogRequests, RequestLog
from twin.serving import AsgiServer


class HostedService(AsgiServer):
    """A web application on its own port, whose modules are imported at the first request.

    Args:
        name: name of the service in messages.
        create: imports and creates the application.
        accepts: returns whether a bearer token is accepted.
        challenge: value of `WWW-Authenticate` in responses to other tokens.
        port: port of the application on 127.0.0.1.

    Attributes:
        name: name of the service in messages.
        request_log: the requests that the stand-in received.
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
        self.request_log = RequestLog()
        self._app = LazyApp(create)
        guarded = RequireBearer(self._app, accepts=accepts, challenge=challenge)
        super().__init__(name, LogRequests(guarded, self.request_log), port)

    async def stop(self) -> None:
        """Stops the server and ends the application's lifespan."""
        await super().stop()
        await self._app.stop()
