"""Foundry's stand-in as a service of the twin."""

from starlette.types import ASGIApp

from twin.foundry.agents import Agents
from twin.hosted_service import HostedService
from twin.stand_in import HostedArgs


class FoundryStandIn(HostedService):
    """Serves the endpoint of a Foundry project."""

    def __init__(self, args: HostedArgs) -> None:
        self._args = args
        self._agents = Agents(args.agents.identity, args.clock.now)
        self._clear_conversations = _no_conversations
        super().__init__(
            "Foundry's stand-in",
            self._project,
            accepts=args.agents.admits,
            challenge='Bearer error="invalid_token"',
            port=args.port,
        )

    def _project(self) -> ASGIApp:
        # Imported at the first request, with the MCP SDK.
        from twin.foundry.app import create_app  # noqa: PLC0415
        from twin.foundry.conversation import Conversations  # noqa: PLC0415
        from twin.foundry.mcp_client import McpClient  # noqa: PLC0415

        agents = self._args.agents
        client = McpClient(connections=agents.connections, agent_token=agents.token)
        conversations = Conversations(self._agents, client, self._args.clock.now)
        self._clear_conversations = conversations.clear
        return create_app(self._agents, conversations)

    def reset(self) -> None:
        """Deletes agents, responses and recorded requests."""
        self._agents.clear()
        self._clear_conversations()
        self.request_log.clear()


def _no_conversations() -> None:
    """Does nothing, because there are no conversations before the first request."""
