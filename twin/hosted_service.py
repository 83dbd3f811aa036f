"""The base of stand-ins for hosted services: an app that requires a bearer token."""

from collections.abc import Callable

from starlette.types import ASGIApp

from twin.bearer import RequireBearer
from twin.late_app import LateApp
from twin.request_log import LogRequests, RequestLog
from twin.serving import AsgiServer


class HostedService(AsgiServer):
    """An app on its own port, whose modules are imported at the first request.

    Args:
        name: its name in messages.
        create: imports and creates the app.
        accepts: whether a bearer token is accepted.
        challenge: the header `WWW-Authenticate` of responses to other tokens.
        port: its port on 127.0.0.1.

    Attributes:
        name: its name in messages.
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
        self._app = LateApp(create)
        guarded = RequireBearer(self._app, accepts=accepts, challenge=challenge)
        super().__init__(name, LogRequests(guarded, self.request_log), port)

    async def stop(self) -> None:
        """Stops the server and ends the application's lifespan."""
        await super().stop()
        await self._app.stop()
