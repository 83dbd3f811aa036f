"""GitHub's stand-in as a service of the twin."""

import hmac

from starlette.types import ASGIApp

from twin.github.store import Account
from twin.hosted_service import HostedService
from twin.stand_in import HostedArgs


class GitHubStandIn(HostedService):
    """An MCP server that gives access to a sample account.

    Attributes:
        account: the data of the account.
    """

    def __init__(self, args: HostedArgs) -> None:
        self.account = Account(args.clock.now)
        token = args.token.encode()
        super().__init__(
            "GitHub's stand-in",
            self._mcp_app,
            accepts=lambda sent: hmac.compare_digest(sent.encode(), token),
            challenge='Bearer error="invalid_token", error_description="Bad credentials"',
            port=args.port,
        )

    def _mcp_app(self) -> ASGIApp:
        from twin.github.tools import create_server  # noqa: PLC0415 -- imported at the first request

        server = create_server(self.account)
        return server.streamable_http_app(streamable_http_path="/mcp/", stateless_http=True)

    def reset(self) -> None:
        """Restores the initial data and deletes the recorded requests."""
        self.account.reset()
        self.request_log.clear()
