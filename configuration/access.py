"""Reads the access rules: kinds of callers, agents, and rules for tools."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from configuration.reader import Reader
from configuration.tool_rule import OTHER_TOOLS, ToolRule

Access = Literal["users", "agents", "keys"]
"""A kind of caller: signed-in users, agents with a token of Entra, or holders of a subscription key."""

ACCESS_LIMITS = (
    "One or more of `users` (all signed-in users), `agents` (the principals in `agents`) and `keys` "
    "(holders of the server's subscription key), separated by spaces, or a list."
)
TOOL_LIMITS = (
    "A map from names of tools, or `*` for all other tools, to maps of `scope` (a scope that the token must "
    "have), `role` (the value of an app role) and `group` (the object id of a group). If a rule has both "
    "`role` and `group`, one of them is enough."
)

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
# MCP, tools: names of tools have 1 to 128 of these characters.
TOOL = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)
# https://learn.microsoft.com/entra/identity-platform/reference-app-manifest#approles-attribute
_ROLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,119}", re.ASCII)
_AGENT = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_MAX_AGENT_NAME = 30
MAX_TOOLS = 200
"""The maximum number of tools of a server in a setting."""

SCOPE = re.compile(r"[A-Za-z0-9_.:/-]{1,100}", re.ASCII)
"""The format of a scope of a server; see also `STANDARD_SCOPES`."""

STANDARD_SCOPES = ("openid", "offline_access")
"""Scopes that no server can have, because they have a standard meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An Entra principal that calls MCP servers on its own behalf.

    Attributes:
        name: unique name, which is a part of resource names.
        principal: object id of the service principal or managed identity.
        roles: values of the app roles that are assigned to the agent.
    """

    name: str
    principal: str
    roles: tuple[str, ...]


def read_access(reader: Reader, key: str, value: object, reason: str) -> tuple[Access, ...]:
    """Reads the kinds of callers that may call a server.

    Args:
        reader: collects the problems.
        key: key of the setting.
        value: a list, or a string with spaces or commas between the words.
        reason: explanation of the setting, for messages.
    """
    choices = get_args(Access)
    remedy = f"pulumi config set --path '{key}' users"
    words = _words(value)
    if not words:
        reader.reject(key, "Must not be empty: no caller could use the server.", reason, remedy)
        return ("users",)
    for word in words:
        if word not in choices:
            near = next(iter(difflib.get_close_matches(word, choices, n=1)), "users")
            reader.reject(
                key,
                f"'{word}' is not one of {', '.join(choices)}.",
                reason,
                f"pulumi config set --path '{key}' {near}",
            )
        elif words.count(word) > 1:
            reader.reject(
                key, f"'{word}' is listed twice.", reason, f"pulumi config set --path '{key}' {word}"
            )
    return tuple(cast("Access", choice) for choice in choices if choice in words) or ("users",)


def read_tools(reader: Reader, location: str, value: object, reason: str) -> Mapping[str, ToolRule]:
    """Reads the rules for a server's tools.

    Args:
        reader: collects the problems.
        location: key of the map.
        value: the map.
        reason: explanation of the setting, for messages.
    """
    if not isinstance(value, dict):
        reader.reject(location, "Must be a map of tools.", reason, f"pulumi config rm --path '{location}'")
        return {}
    if len(value) > MAX_TOOLS:
        remedy = f"pulumi config set --path '{location}[\"{OTHER_TOOLS}\"].scope' SCOPE"
        reader.reject(
            location, f"There are {len(value)} tools; at most {MAX_TOOLS} are allowed.", reason, remedy
        )
    return {name: _rule(reader, f'{location}["{name}"]', name, rule, reason) for name, rule in value.items()}


def _rule(reader: Reader, location: str, name: str, value: object, reason: str) -> ToolRule:
    remove = f"pulumi config rm --path '{location}'"
    if name != OTHER_TOOLS and not TOOL.fullmatch(name):
        reader.reject(location, f"'{name}' is not the name of a tool.", reason, remove)
    if not isinstance(value, dict) or not value:
        reader.reject(location, "Must be a map with a scope, a role or a group.", reason, remove)
        return ToolRule()
    conditions = {"scope": "", "role": "", "group": ""}
    patterns = {"scope": SCOPE, "role": _ROLE, "group": _GUID}
    for key, condition in value.items():
        path = f"{location}.{key}"
        if key not in conditions:
            wrong, remedy = "This key does not exist.", f"pulumi config rm --path '{path}'"
            reader.reject(path, wrong, f"The keys are: {', '.join(conditions)}.", remedy)
            continue
        text = condition.strip().lower() if key == "group" and isinstance(condition, str) else condition
        if not isinstance(text, str) or not patterns[key].fullmatch(text) or text in STANDARD_SCOPES:
            wrong = f"'{condition}' is not a valid {key}."
            reader.reject(path, wrong, reason, f"pulumi config rm --path '{path}'")
            continue
        conditions[key] = text
    return ToolRule(**conditions)


def read_agents(
    reader: Reader, key: str, entries: Iterable[Mapping[str, object]], roles: Iterable[str], reason: str
) -> tuple[Agent, ...]:
    """Reads the agents.

    Args:
        reader: collects the problems.
        key: key of the setting.
        entries: the entries of the setting.
        roles: the existing app roles.
        reason: explanation of the setting, for messages.
    """
    known = tuple(roles)
    agents: list[Agent] = []
    for index, entry in enumerate(entries):
        agent = _agent(reader, f"{key}[{index}]", entry, known, reason)
        for attribute in ("name", "principal"):
            if getattr(agent, attribute) in {getattr(other, attribute) for other in agents}:
                reader.reject(
                    f"{key}[{index}].{attribute}",
                    f"'{getattr(agent, attribute)}' is also in another entry.",
                    reason,
                    f"pulumi config rm --path '{key}[{index}]'",
                )
        agents.append(agent)
    return tuple(agents)


def _agent(
    reader: Reader, location: str, entry: Mapping[str, object], known: tuple[str, ...], reason: str
) -> Agent:
    for name in sorted(set(entry) - {"name", "principal", "roles"}):
        path = f"{location}.{name}"
        why = "The keys are: name, principal, roles."
        reader.reject(path, "This key does not exist.", why, f"pulumi config rm --path '{path}'")
    name, principal = str(entry.get("name") or ""), str(entry.get("principal") or "").strip().lower()
    if not _AGENT.fullmatch(name) or len(name) > _MAX_AGENT_NAME:
        wrong = f"'{name}' is not a name of up to {_MAX_AGENT_NAME} lower-case letters, digits and hyphens."
        reader.reject(
            f"{location}.name", wrong, reason, f"pulumi config set --path '{location}.name' my-agent"
        )
    if not _GUID.fullmatch(principal):
        reader.reject(
            f"{location}.principal",
            f"'{principal}' is not the object id of a service principal or managed identity.",
            "`az ad sp show --id <client id> --query id` prints it; for a managed identity it is the "
            "principal id. The application has a different object id.",
            f"pulumi config set --path '{location}.principal' 00000000-0000-0000-0000-000000000000",
        )
    roles = _words(entry.get("roles"))
    if not roles:
        example = known[0] if known else "functions"
        remedy = f"pulumi config set --path '{location}.roles[0]' {example}"
        reader.reject(f"{location}.roles", "Must not be empty.", reason, remedy)
    for index, role in enumerate(roles):
        if role not in known:
            near = next(iter(difflib.get_close_matches(role, known, n=1, cutoff=0)), "")
            reader.reject(
                f"{location}.roles",
                f"'{role}' is not one of {', '.join(known) or '(none)'}.",
                "App roles exist for each scope of a server whose `access` has `agents`, and for each role "
                "that a rule in `tools` names.",
                f"pulumi config set --path '{location}.roles[{index}]' {near}"
                if near
                else "pulumi config set --path access.functions 'users agents'",
            )
    return Agent(name=name, principal=principal, roles=tuple(dict.fromkeys(roles)))


def read_members(
    reader: Reader, key: str, ids_by_role: Mapping[str, str], roles: Sequence[str], reason: str
) -> Mapping[str, tuple[str, ...]]:
    """Reads the users and groups to which roles are assigned.

    Args:
        reader: collects the problems.
        key: key of the setting.
        ids_by_role: lists of object ids, by role.
        roles: the roles in rules for tools.
        reason: explanation of the setting, for messages.
    """
    members_by_role = {}
    for role, value in ids_by_role.items():
        location = f'{key}["{role}"]'
        remove = f"pulumi config rm --path '{location}'"
        if role not in roles:
            wrong = (
                f"No rule in `tools` names the role '{role}'; the roles are {', '.join(roles) or '(none)'}."
            )
            reader.reject(location, wrong, reason, remove)
        members = tuple(word.lower() for word in _words(value))
        for member in members:
            if not _GUID.fullmatch(member):
                reader.reject(location, f"'{member}' is not an object id.", reason, remove)
        members_by_role[role] = tuple(dict.fromkeys(members))
    return members_by_role


def _words(value: object) -> tuple[str, ...]:
    """The words in a list or in a string. In Pulumi's configuration, a list may be a JSON string."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return (value,)
    if isinstance(value, list):
        return tuple(str(entry).strip() for entry in value)
    return tuple(re.split(r"[\s,]+", str(value or "").strip())) if str(value or "").strip() else ()
