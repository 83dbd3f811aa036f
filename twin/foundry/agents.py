"""The agents of a project and their versions, kept in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twin.foundry.errors import FoundryError, invalid
from twin.foundry.records import read_servers


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersion:
    """An immutable version of an agent.

    Attributes:
        name: name of the agent.
        version: number of the version.
        created: time of its creation, in POSIX seconds.
        definition: the definition as it was sent.
        identity: principal id and client id of the identity with which the agent authenticates at MCP
            servers.
    """

    name: str
    version: str
    created: int
    definition: Mapping[str, Any]
    identity: tuple[str, str]

    def to_json(self) -> dict[str, Any]:
        """The JSON object in responses of the service."""
        principal, client = self.identity
        return {
            "object": "agent.version",
            "id": f"{self.name}:{self.version}",
            "name": self.name,
            "version": self.version,
            "metadata": {},
            "created_at": self.created,
            "definition": dict(self.definition),
            "status": "active",
            "instance_identity": {"principal_id": principal, "client_id": client},
        }


class Agents:
    """The agents of the project.

    Args:
        identity: principal id and client id of the project's agent identity.
        now: returns the current time in POSIX seconds.
    """

    def __init__(self, identity: tuple[str, str], now: Callable[[], float]) -> None:
        self._identity = identity
        self._now = now
        self._versions: dict[str, list[AgentVersion]] = {}

    def clear(self) -> None:
        """Deletes all agents."""
        self._versions.clear()

    def create_version(self, name: str, body: Mapping[str, Any]) -> AgentVersion:
        """Creates a version of an agent.

        Raises:
            FoundryError: the definition is not valid.
        """
        definition = body.get("definition")
        if not isinstance(definition, dict) or definition.get("kind") != "prompt":
            raise invalid("The stand-in supports only definitions of kind 'prompt'.", "definition.kind")
        if not definition.get("model"):
            raise invalid("'model' is required.", "definition.model")
        for server in read_servers(definition.get("tools") or []):
            # A definition is stored, and everyone with read access to the project can read it.
            if server.authorization or server.headers:
                raise invalid(
                    "Headers that can include sensitive information are not allowed in the definition of an "
                    "agent. Use 'project_connection_id' instead.",
                    "definition.tools",
                )
        versions = self._versions.setdefault(name, [])
        number = int(versions[-1].version) + 1 if versions else 1
        version = AgentVersion(
            name=name,
            version=str(number),
            created=int(self._now()),
            definition=definition,
            identity=self._identity,
        )
        versions.append(version)
        return version

    def delete_version(self, name: str, version: str) -> None:
        """Deletes a version.

        Raises:
            FoundryError: the agent or the version does not exist.
        """
        self._versions[name].remove(self.version(name, version))

    def version(self, name: str, version: str | None = None) -> AgentVersion:
        """A version of an agent; the latest if `version` is None.

        Raises:
            FoundryError: the agent or the version does not exist.
        """
        versions = [
            agent_version
            for agent_version in self._versions.get(name, ())
            if version in {None, agent_version.version}
        ]
        if not versions:
            subject = f"Agent '{name}'" if version is None else f"Version {version} of agent '{name}'"
            raise FoundryError(404, "not_found", f"{subject} does not exist.")
        return versions[-1]
