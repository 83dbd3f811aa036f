"""The app roles of the gateway's application and their assignments.

An app role with the name of a scope gives an agent the rights that the scope gives a user. There is also an
app role for each role and for each group that a rule for a tool names. The group is assigned its app role, so
that no token needs a list of groups, which Entra omits for members of many groups.
https://learn.microsoft.com/entra/identity-platform/howto-add-app-roles-in-apps
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.backend import Backend, group_role
from settings import Settings

Member = Literal["User", "Application"]
"""The kinds of principals to which a role may be assigned: `User` means users and groups."""

_NAMESPACE = uuid.UUID("5d2b3c0e-7c0f-5d5b-9f0d-5a4f0c5a8c11")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRole:
    """A role that the application defines.

    Attributes:
        value: its value in the claim `roles` of tokens.
        title: its display name in Entra.
        description: what it allows.
        members: the kinds of principals to which it may be assigned.
    """

    value: str
    title: str
    description: str
    members: tuple[Member, ...]

    @property
    def id(self) -> str:
        """Its id, which is derived from the value, so that a change to another role never replaces it."""
        return str(uuid.uuid5(_NAMESPACE, self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """The assignment of a role to a principal.

    Attributes:
        name: part of the resource's name.
        role: the role.
        principal: object id of a service principal, managed identity, user or group.
    """

    name: str
    role: AppRole
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePlan:
    """All roles and their assignments."""

    roles: tuple[AppRole, ...] = ()
    assignments: tuple[RoleAssignment, ...] = ()


def plan_roles(settings: Settings, backends: Sequence[Backend]) -> RolePlan:
    """Plans the app roles of a stack.

    Args:
        settings: the stack's settings.
        backends: the MCP servers behind the gateway.
    """
    roles = {role.value: role for role in _roles(backends)}
    assignments = [
        RoleAssignment(name=f"{agent.name}-{value}", role=roles[value], principal=agent.principal)
        for agent in settings.agents
        for value in agent.roles
    ]
    for backend in backends:
        for rule in backend.tools.values():
            if rule.group:
                value = group_role(rule.group)
                assignments.append(RoleAssignment(name=value, role=roles[value], principal=rule.group))
    assignments += [
        RoleAssignment(name=f"{value}-{principal}", role=roles[value], principal=principal)
        for value, members in settings.role_members.items()
        for principal in members
    ]
    return RolePlan(
        roles=tuple(roles.values()),
        assignments=tuple({assignment.name: assignment for assignment in assignments}.values()),
    )


def _roles(backends: Sequence[Backend]) -> Iterator[AppRole]:
    for backend in backends:
        if backend.admits_agents:
            for scope in backend.scopes:
                yield AppRole(
                    value=scope,
                    title=f"Agents: {scope}",
                    description=f"Call the MCP server {backend.title} as an agent, with the scope {scope}.",
                    members=("Application",),
                )
        for rule in backend.tools.values():
            if rule.role:
                yield AppRole(
                    value=rule.role,
                    title=rule.role,
                    description="Call tools of MCP servers whose rules name this role.",
                    members=("User", "Application"),
                )
            if rule.group:
                yield AppRole(
                    value=group_role(rule.group),
                    title=f"Group {rule.group}",
                    description="Call tools of MCP servers whose rules name this group.",
                    members=("User",),
                )
