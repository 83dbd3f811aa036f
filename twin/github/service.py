"""GitHub's stand-in as a service of the twin."""

import hmac

from starlette.types import ASGIApp

from twin.arrivals import Arrivals, RecordArrivals
from twin.bearer import RequireBearer
from twin.github.store import Account
from twin.late_app import LateApp
from twin.serving import AsgiServer
from twin.stand_in import HostedArgs


class GitHubStandIn:
    """An MCP server over an invented account.

    Attributes:
        account: its data.
        arrivals: what it was sent.
    """

    name = "GitHub's stand-in"

    def __init__(self, args: HostedArgs) -> None:
        self.account = Account(args.clock.now)
        self.arrivals = Arrivals()
        self._app = LateApp(self._mcp_app)
        token = args.github_token.encode()
        app = RequireBearer(
            self._app,
            accepts=lambda given: hmac.compare_digest(given.encode(), token),
            challenge='Bearer error="invalid_token", error_description="Bad credentials"',
        )
        self._server = AsgiServer(self.name, RecordArrivals(app, self.arrivals), args.port)

    def _mcp_app(self) -> ASGIApp:
        from twin.github.tools import create_server  # noqa: PLC0415 -- imported at the first request

        server = create_server(self.account)
        return server.streamable_http_app(streamable_http_path="/mcp/", stateless_http=True)

    def reset(self) -> None:
        """Deletes what was created and what was received."""
        self.account.reset()
        self.arrivals.clear()

    async def start(self) -> None:
        """Serves.

        Raises:
            OSError: the port is taken.
        """
        await self._server.start()

    async def wait(self) -> str:
        """Waits until it ends by itself; returns the reason."""
        return await self._server.wait()

    async def stop(self) -> None:
        """Ends it."""
        await self._server.stop()
        await self._app.stop()
