"""Jira's stand-in as a service of the twin."""

import secrets

from twin.arrivals import Arrivals
from twin.jira.app import create_app
from twin.jira.store import Site
from twin.ports import LOOPBACK
from twin.serving import AsgiServer
from twin.stand_in import StandInArgs


class JiraStandIn(AsgiServer):
    """Jira's REST API on a port.

    Attributes:
        site: its data.
        arrivals: the requests that it received.
        username: user name of the only account.
        token: API token of the account, new at every start; a secret.
    """

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
        super().__init__("Jira's stand-in", app, port)

    def environment(self) -> dict[str, str]:
        """The environment variables with which `mcp-atlassian` uses it; they contain its token."""
        return {"JIRA_URL": self._url, "JIRA_USERNAME": self.username, "JIRA_API_TOKEN": self.token}

    def reset(self) -> None:
        """Discards changes and recorded requests."""
        self.site.reset()
        self.arrivals.clear()
