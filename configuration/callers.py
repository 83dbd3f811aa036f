"""Reads who may do what at the servers of a stack, across the settings and entries that say so."""

from collections.abc import Iterator, Mapping

from configuration import declared
from configuration.access import Access, Agent, read_access, read_agents, read_members, read_tools
from configuration.container import Container
from configuration.reader import Reader
from configuration.setting import Setting
from configuration.tool_rule import ToolRule


def reject_unknown_backends(
    reader: Reader, setting: Setting, given: Mapping[str, object], backends: tuple[str, ...]
) -> None:
    """Reports names that are not MCP servers of the project that are switched on and behind the gateway."""
    known = tuple(name for name in backends if name != "github")
    for name in given:
        if name not in known:
            reader.reject(
                f"{setting.key}.{name}",
                f"'{name}' is not one of {', '.join(known) or '(none)'}.",
                "It is a map for the project's own MCP servers that are switched on and behind the gateway; "
                "entries of `containers` have a key of their own for it.",
                f"pulumi config rm --path '{setting.key}[\"{name}\"]'",
            )


def servers_access(
    reader: Reader, backends: tuple[str, ...], containers: tuple[Container, ...]
) -> Mapping[str, tuple[Access, ...]]:
    """Who may call each server."""
    setting = declared.ACCESS
    given = setting.read(reader)
    reject_unknown_backends(reader, setting, given, backends)
    return (
        {name: ("users",) for name in backends if name != "github"}
        | {
            name: read_access(reader, f"{setting.key}.{name}", value, setting.reason)
            for name, value in given.items()
        }
        | {entry.name: entry.access for entry in containers}
    )


def servers_tools(
    reader: Reader,
    backends: tuple[str, ...],
    presets: Mapping[str, Container],
    containers: tuple[Container, ...],
) -> Mapping[str, Mapping[str, ToolRule]]:
    """The rules of each server that has rules."""
    setting = declared.TOOLS
    given = setting.read(reader)
    reject_unknown_backends(reader, setting, given, backends)
    own = {
        name: read_tools(reader, f"{setting.key}.{name}", value, setting.reason)
        for name, value in given.items()
    }
    found = {
        name: {**(presets[name].tools if name in presets else {}), **own.get(name, {})} for name in backends
    }
    return {name: rules for name, rules in found.items() if rules} | {
        entry.name: entry.tools for entry in containers if entry.tools
    }


def servers_scopes(
    reader: Reader,
    backends: tuple[str, ...],
    presets: Mapping[str, Container],
    containers: tuple[Container, ...],
    tools: Mapping[str, Mapping[str, ToolRule]],
) -> Mapping[str, tuple[str, ...]]:
    """The scopes of each server: those that are listed for it, or its name, and those that its rules name."""
    listed = {name: presets[name].scopes if name in presets else () for name in backends if name != "github"}
    listed |= {entry.name: entry.scopes for entry in containers}
    found = {name: list(scopes or (name,)) for name, scopes in listed.items()}
    owners = {scope: name for name, scopes in found.items() for scope in scopes}
    for name, tool, rule in _rules(tools):
        if not rule.scope:
            continue
        owner = owners.setdefault(rule.scope, name)
        if owner != name:
            location = f'{_tools_location(name, containers)}["{tool}"].scope'
            reader.reject(
                location,
                f"'{rule.scope}' is a scope of '{owner}'.",
                "People allow a scope for one server; a token for the whole gateway would open both.",
                f"pulumi config set --path '{location}' {name}.{rule.scope}",
            )
        elif rule.scope not in found[name]:
            found[name].append(rule.scope)
    return {name: tuple(scopes) for name, scopes in found.items()}


def _rules(tools: Mapping[str, Mapping[str, ToolRule]]) -> Iterator[tuple[str, str, ToolRule]]:
    """Each rule with its server and its tool."""
    for name, rules in tools.items():
        for tool, rule in rules.items():
            yield name, tool, rule


def _tools_location(name: str, containers: tuple[Container, ...]) -> str:
    """Where the rules of a server are in the configuration."""
    index = next((place for place, entry in enumerate(containers) if entry.name == name), None)
    return f"{declared.TOOLS.key}.{name}" if index is None else f"containers[{index}].tools"


def stack_agents(
    reader: Reader,
    access: Mapping[str, tuple[Access, ...]],
    containers: tuple[Container, ...],
    scopes: Mapping[str, tuple[str, ...]],
    tools: Mapping[str, Mapping[str, ToolRule]],
) -> tuple[Agent, ...]:
    """The agents, whose roles are scopes of servers that admit agents, and roles of rules."""
    setting = declared.AGENTS
    all_scopes = {scope for own in scopes.values() for scope in own}
    roles = [scope for name, own in scopes.items() if "agents" in access.get(name, ()) for scope in own]
    for name, tool, rule in _rules(tools):
        if rule.role in all_scopes:
            location = f'{_tools_location(name, containers)}["{tool}"].role'
            reader.reject(
                location,
                f"The role '{rule.role}' is a scope as well.",
                "Agents are assigned an app role with the name of a scope; a role of a tool needs a name of "
                "its own.",
                f"pulumi config set --path '{location}' {rule.role}.role",
            )
        elif rule.role and rule.role not in roles:
            roles.append(rule.role)
    return read_agents(reader, setting.key, setting.read(reader), roles, setting.reason)


def stack_role_members(
    reader: Reader, tools: Mapping[str, Mapping[str, ToolRule]]
) -> Mapping[str, tuple[str, ...]]:
    """Users and groups that are assigned the roles of rules."""
    setting = declared.ROLE_MEMBERS
    roles = {rule.role for rules in tools.values() for rule in rules.values() if rule.role}
    return read_members(reader, setting.key, setting.read(reader), sorted(roles), setting.reason)
