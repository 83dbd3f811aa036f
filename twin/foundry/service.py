"""Foundry's stand-in as a service of the twin."""

from starlette.types import ASGIApp

from twin.arrivals import Arrivals, RecordArrivals
from twin.bearer import RequireBearer
from twin.foundry.agents import Agents
from twin.foundry.conversation import Conversations
from twin.late_app import LateApp
from twin.serving import AsgiServer
from twin.stand_in import HostedArgs


class FoundryStandIn:
    """A project's endpoint on one port.

    Attributes:
        arrivals: what it was sent.
    """

    name = "Foundry's stand-in"

    def __init__(self, args: HostedArgs) -> None:
        self.arrivals = Arrivals()
        self._args = args
        self._conversations: Conversations | None = None
        self._agents = Agents(args.agents.identity, args.clock.now)
        self._app = LateApp(self._project)
        app = RequireBearer(
            self._app,
            accepts=args.agents.admits,
            challenge='Bearer error="invalid_token"',
        )
        self._server = AsgiServer(self.name, RecordArrivals(app, self.arrivals), args.port)

    def _project(self) -> ASGIApp:
        # Imported at the first request, with the MCP client.
        from twin.foundry.app import create_app  # noqa: PLC0415
        from twin.foundry.mcp_client import McpClient  # noqa: PLC0415

        agents = self._args.agents
        client = McpClient(connections=agents.connections, agent_token=agents.token)
        self._conversations = Conversations(self._agents, client, self._args.clock.now)
        return create_app(self._agents, self._conversations)

    def reset(self) -> None:
        """Deletes agents, responses and what was received."""
        self._agents.clear()
        if self._conversations is not None:
            self._conversations.clear()
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
