"""Jira's stand-in as a service of the twin."""

import secrets

from twin.arrivals import Arrivals
from twin.jira.app import create_app
from twin.jira.store import Site
from twin.ports import LOOPBACK
from twin.serving import AsgiServer
from twin.stand_in import StandInArgs


class JiraStandIn:
    """Jira's REST API on a port.

    Attributes:
        site: its data.
        arrivals: what it was sent.
        username: of the only account that it accepts.
        token: the account's, new at every start; a secret.
    """

    name = "Jira's stand-in"

    def __init__(self, args: StandInArgs) -> None:
        (port,) = args.ports
        self.site = Site(args.clock.now)
        self.arrivals = Arrivals()
        self.username = f"{self.site.me}@fairlight-buoys.example"
        self.token = secrets.token_hex(16)
        self._url = f"http://{LOOPBACK}:{port}"
        app = create_app(
            self.site,
            username=self.username,
            token=self.token,
            base_url=self._url,
            arrivals=self.arrivals,
        )
        self._server = AsgiServer(self.name, app, port)

    def environment(self) -> dict[str, str]:
        """The variables that make `mcp-atlassian` use it; they contain its token."""
        return {"JIRA_URL": self._url, "JIRA_USERNAME": self.username, "JIRA_API_TOKEN": self.token}

    def reset(self) -> None:
        """Deletes what was changed and what was received."""
        self.site.reset()
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
