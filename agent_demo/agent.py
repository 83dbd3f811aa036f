"""Starts the agent: reads the tools, writes the definition, and opens the conversation."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from azure.ai.projects import AIProjectClient
from azure.core.exceptions import AzureError, HttpResponseError

from agent_demo.conversation import Conversation
from agent_demo.credential import sign_in
from agent_demo.definition import agent_definition, as_request
from agent_demo.error import AgentError
from agent_demo.settings import AgentSettings, Server
from agent_demo.tools import ServerTools, read_tools

_NAME = "mcp-gateway-demo"


class Agent:
    """The agent of a stack.

    Args:
        settings: the settings of the stack.
        chosen: names of the servers that the agent uses; empty for all servers.

    Raises:
        AgentError: a chosen server does not exist.
    """

    def __init__(self, settings: AgentSettings, chosen: Sequence[str] = ()) -> None:
        known = [server.name for server in settings.servers]
        if unknown := sorted(set(chosen) - set(known)):
            raise AgentError(
                f"There is no server {', '.join(unknown)}. Name one of {', '.join(known)} with --backend."
            )
        self._settings = settings
        self._servers = tuple(server for server in settings.servers if not chosen or server.name in chosen)
        self._user, self._identity = sign_in(settings.environment)

    def read_tools(self) -> tuple[ServerTools, ...]:
        """Reads the tools of the servers.

        Raises:
            AgentError: there is no token for the gateway.
        """
        return read_tools(self._servers, self._token)

    @contextmanager
    def conversation(self, servers: Sequence[ServerTools]) -> Generator[Conversation]:
        """Opens a conversation with an agent that uses the servers.

        If the Foundry project has a connection for each server, the agent is stored in the project until the
        conversation ends, and Foundry authenticates at the servers. Otherwise nothing is stored: each request
        contains the definition of the agent, with the tokens for the servers that have no connection.

        Raises:
            AgentError: no server can be used, or Foundry rejects the agent.
        """
        usable = [server_tools for server_tools in servers if server_tools.problem is None]
        if not usable:
            raise AgentError("No server can be used. Fix the problems listed above.")
        endpoint = self._settings.endpoint
        # A stand-in on this machine has no TLS.
        enforce_https = urlsplit(endpoint).hostname not in {"localhost", "127.0.0.1"}
        with (
            AIProjectClient(endpoint=endpoint, credential=self._user) as project,
            # The SDK adds this method to the generated class.
            project.get_openai_client(max_retries=1) as client,  # ty: ignore[missing-attribute]
        ):
            if any(server_tools.server.connection is None for server_tools in usable):
                yield Conversation(client, lambda: self._inline_definition(usable))
                return
            definition = agent_definition(self._settings.model, usable, {})
            try:
                version = project.agents.create_version(
                    agent_name=_NAME, definition=definition, enforce_https=enforce_https
                )
            except AzureError as error:
                raise AgentError(
                    f"Foundry did not create the agent: {_message(error)}\nCheck that you have the role "
                    "Azure AI User on the project, and that foundryModel names a model deployment."
                ) from None
            reference = {"name": version.name, "version": version.version, "type": "agent_reference"}
            try:
                yield Conversation(client, lambda: {"agent_reference": reference})
            finally:
                project.agents.delete_version(
                    agent_name=version.name, agent_version=version.version, enforce_https=enforce_https
                )

    def _inline_definition(self, servers: Sequence[ServerTools]) -> Mapping[str, Any]:
        tokens = {
            server_tools.server.name: token
            for server_tools in servers
            if server_tools.server.connection is None and (token := self._token(server_tools.server))
        }
        return as_request(agent_definition(self._settings.model, servers, tokens))

    def _token(self, server: Server) -> str | None:
        if not server.behind_gateway:
            return self._settings.tokens.get(server.name)
        if self._settings.scope is None:
            raise AgentError(
                "The output agentSettings of the stack has no scope for tokens. Run `pulumi up`."
            )
        return self._identity.token(self._settings.scope)


def _message(error: AzureError) -> str:
    status = f"HTTP {error.status_code}: " if isinstance(error, HttpResponseError) else ""
    return f"{status}{' '.join(error.message.split())}"
