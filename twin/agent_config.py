"""Computes settings of the stack that give the twin's agents access to the MCP servers."""

import json
from collections.abc import Mapping

from settings import Settings
from twin.azure.cloud import Cloud
from twin.gateway_plan import load_settings
from twin.stack import StackError
from twin.translation import tenant

NAME = "twin"
"""The name of the twin's agents in the setting `agents`."""


def agent_config(
    config: Mapping[str, str], secrets: Mapping[str, str], *, stack: str, admit: bool, cloud: Cloud
) -> dict[str, str]:
    """Settings that give the twin's agents the roles of all servers that admit agents.

    Args:
        config: values that override those in the stack's file, including the values that the twin sets.
        secrets: secret values that override those in the stack's file.
        stack: the stack whose file is read.
        admit: whether the project's own servers admit agents even if the stack's setting `access` does not.
        cloud: the cloud in which the identity exists.
    """
    try:
        settings = load_settings(config, secrets, stack=stack)
    except StackError:
        # The evaluation of the stack reports the problems.
        return {}
    changed: dict[str, str] = {}
    if admit:
        changed["access"] = json.dumps(
            {
                name: " ".join(dict.fromkeys((*kinds, "agents")))
                for name, kinds in settings.access.items()
                if name in settings.backends
            }
        )
    roles = _roles(settings, admit=admit)
    if roles:
        agents = [
            *(
                {"name": agent.name, "principal": agent.principal, "roles": list(agent.roles)}
                for agent in settings.agents
            ),
            {"name": NAME, "principal": tenant.agent_identity(cloud.seed).principal_id, "roles": roles},
        ]
        changed["agents"] = json.dumps(agents)
    return changed


def _roles(settings: Settings, *, admit: bool) -> list[str]:
    """The app roles of the servers that admit agents: one for each scope."""
    return [
        scope
        for name, kinds in settings.access.items()
        if "agents" in kinds or (admit and name in settings.backends)
        for scope in settings.scopes[name]
    ]
