"""Jira's stand-in as a service of the twin."""

import secrets

from twin.arrivals import Arrivals
from twin.clock import Clock
from twin.jira.app import create_app
from twin.jira.site import Site
from twin.ports import LOOPBACK
from twin.serving import AsgiServer


class JiraStandIn:
    """Jira's REST API on a port.

    Args:
        port: on 127.0.0.1.
        clock: stamps what is changed.

    Attributes:
        site: what it shows; `reset()` starts it again.
        arrivals: what it was sent.
        username: of the only account that it accepts.
        token: the account's, new at every start; a secret.
    """

    name = "Jira's stand-in"
    service = "jira"

    def __init__(self, *, port: int, clock: Clock) -> None:
        self.site = Site(clock.now)
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
        """What sends `mcp-atlassian` here and not to Jira; holds the token."""
        return {"JIRA_URL": self._url, "JIRA_USERNAME": self.username, "JIRA_API_TOKEN": self.token}

    def reset(self) -> None:
        """Forgets what was changed and what was received."""
        self.site.reset()
        self.arrivals.clear()

    async def start(self) -> None:
        """Serves.

        Raises:
            OSError: the port is taken.
        """
        await self._server.start()

    async def wait(self) -> str:
        """Waits until it ends by itself, and tells why."""
        return await self._server.wait()

    async def stop(self) -> None:
        """Ends it."""
        await self._server.stop()
