"""Slack's stand-in as a service of the twin."""

import secrets

from twin.request_log import RequestLog
from twin.serving import AsgiServer
from twin.slack.app import create_app
from twin.slack.proxy import TlsProxy
from twin.slack.store import Workspace
from twin.stand_in import StandInArgs


class SlackStandIn(AsgiServer):
    """Serves the Web API on one port, and a TLS proxy to it on another.

    Attributes:
        workspace: the data of the workspace.
        request_log: the requests that it received.
        token: the only token that it accepts, new at every start; a secret.
    """

    def __init__(self, args: StandInArgs) -> None:
        port, proxy_port = args.ports
        self.workspace = Workspace(args.clock.now)
        self.request_log = RequestLog()
        self.token = f"xoxb-twin-{secrets.token_hex(16)}"
        self._proxy = TlsProxy(port=proxy_port, target=port)
        self._proxy_port = proxy_port
        self._certificate = args.folder / "slack-ca.pem"
        app = create_app(self.workspace, token=self.token, request_log=self.request_log)
        super().__init__("Slack's stand-in", app, port)

    def environment(self) -> dict[str, str]:
        """The environment variables that connect `slack-mcp-server` to this stand-in, including its token."""
        return {
            "SLACK_MCP_XOXB_TOKEN": self.token,
            "SLACK_MCP_PROXY": f"http://127.0.0.1:{self._proxy_port}",
            "SLACK_MCP_SERVER_CA": str(self._certificate),
        }

    def reset(self) -> None:
        """Discards posted messages and recorded requests."""
        self.workspace.reset()
        self.request_log.clear()

    async def start(self) -> None:
        """Starts the Web API and the proxy.

        Raises:
            OSError: a port is taken.
        """
        self._certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._certificate.write_bytes(self._proxy.authority.certificate)
        await super().start()
        await self._proxy.start()

    async def stop(self) -> None:
        """Stops the proxy and the Web API."""
        await self._proxy.stop()
        await super().stop()
