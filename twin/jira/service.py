"""Jira's stand-in as a service of the twin."""

import secrets

from twin.jira.app import create_app
from twin.jira.store import Site
from twin.ports import LOOPBACK
from twin.request_log import RequestLog
from twin.serving import AsgiServer
from twin.stand_in import StandInArgs


class JiraStandIn(AsgiServer):
    """Jira's REST API on a port.

    Attributes:
        site: the data of the site.
        request_log: the requests that it received.
        username: user name of the only account.
        token: API token of the account, new at every start; a secret.
    """

    def __init__(self, args: StandInArgs) -> None:
        (port,) = args.ports
        self.site = Site(args.clock.now)
        self.request_log = RequestLog()
        self.username = f"{self.site.me}@fairlight-buoys.example"
        self.token = secrets.token_hex(16)
        self._url = f"http://{LOOPBACK}:{port}"
        app = create_app(
            self.site,
            username=self.username,
            token=self.token,
            base_url=self._url,
            request_log=self.request_log,
        )
        super().__init__("Jira's stand-in", app, port)

    def environment(self) -> dict[str, str]:
        """The environment variables that connect `mcp-atlassian` to this stand-in, including its token."""
        return {"JIRA_URL": self._url, "JIRA_USERNAME": self.username, "JIRA_API_TOKEN": self.token}

    def reset(self) -> None:
        """Discards changes and recorded requests."""
        self.site.reset()
        self.request_log.clear()
