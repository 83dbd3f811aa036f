"""Reads the access rules of a stack's servers from all settings and entries that contain such rules."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from configuration import declared, tool_lock
from configuration.access import Access, Agent, read_access, read_agents, read_members, read_tools
from configuration.container import Container
from configuration.names import behind_the_gateway
from configuration.reader import Reader
from configuration.setting import Setting
from configuration.tool_rule import ToolRule


def reject_unknown_backends(
    reader: Reader, setting: Setting, values: Mapping[str, object], backends: tuple[str, ...]
) -> None:
    """Reports names that are not enabled MCP servers of the project behind the gateway."""
    known = behind_the_gateway(backends)
    for name in values:
        if name not in known:
            reader.reject(
                f"{setting.key}.{name}",
                f"'{name}' is not one of {', '.join(known) or '(none)'}.",
                "The map is for the project's own MCP servers that are enabled and behind the gateway; "
                "entries of `containers` have their own key for it.",
                f"pulumi config rm --path '{setting.key}[\"{name}\"]'",
            )


def servers_access(
    reader: Reader, backends: tuple[str, ...], containers: tuple[Container, ...]
) -> Mapping[str, tuple[Access, ...]]:
    """The kinds of callers that may call each server."""
    setting = declared.ACCESS
    values = setting.read(reader)
    reject_unknown_backends(reader, setting, values, backends)
    users: tuple[Access, ...] = ("users",)
    return (
        dict.fromkeys(behind_the_gateway(backends), users)
        | {
            name: read_access(reader, f"{setting.key}.{name}", value, setting.reason)
            for name, value in values.items()
        }
        | {entry.name: entry.access for entry in containers}
    )


def servers_tools(
    reader: Reader,
    backends: tuple[str, ...],
    presets: Mapping[str, Container],
    containers: tuple[Container, ...],
) -> Mapping[str, Mapping[str, ToolRule]]:
    """The rules for tools of each server that has such rules."""
    setting = declared.TOOLS
    values = setting.read(reader)
    reject_unknown_backends(reader, setting, values, backends)
    own = {
        name: read_tools(reader, f"{setting.key}.{name}", value, setting.reason)
        for name, value in values.items()
    }
    merged = {
        name: {**(presets[name].tools if name in presets else {}), **own.get(name, {})} for name in backends
    }
    return {name: rules for name, rules in merged.items() if rules} | {
        entry.name: entry.tools for entry in containers if entry.tools
    }


def servers_scopes(
    reader: Reader,
    backends: tuple[str, ...],
    presets: Mapping[str, Container],
    containers: tuple[Container, ...],
    tools: Mapping[str, Mapping[str, ToolRule]],
) -> Mapping[str, tuple[str, ...]]:
    """The scopes of each server: its listed scopes, or else its name, and the scopes in its rules."""
    listed = {name: presets[name].scopes if name in presets else () for name in behind_the_gateway(backends)}
    listed |= {entry.name: entry.scopes for entry in containers}
    scopes_by_server = {name: list(scopes or (name,)) for name, scopes in listed.items()}
    owners = {scope: name for name, scopes in scopes_by_server.items() for scope in scopes}
    for name, tool, rule in _rules(tools):
        if not rule.scope:
            continue
        owner = owners.setdefault(rule.scope, name)
        if owner != name:
            location = f'{_tools_location(name, containers)}["{tool}"].scope'
            reader.reject(
                location,
                f"'{rule.scope}' is a scope of '{owner}'.",
                "A scope belongs to one server; a token for the whole gateway would be valid at both.",
                f"pulumi config set --path '{location}' {name}.{rule.scope}",
            )
        elif rule.scope not in scopes_by_server[name]:
            scopes_by_server[name].append(rule.scope)
    return {name: tuple(scopes) for name, scopes in scopes_by_server.items()}


def _rules(tools: Mapping[str, Mapping[str, ToolRule]]) -> Iterator[tuple[str, str, ToolRule]]:
    """Each rule with its server and its tool."""
    for name, rules in tools.items():
        for tool, rule in rules.items():
            yield name, tool, rule


def _tools_location(name: str, containers: tuple[Container, ...]) -> str:
    """The configuration key of a server's rules."""
    index = next((position for position, entry in enumerate(containers) if entry.name == name), None)
    return f"{declared.TOOLS.key}.{name}" if index is None else f"containers[{index}].tools"


def servers_locked_tools(
    reader: Reader,
    names: Iterable[str],
    containers: Iterable[Container],
    path: Path = tool_lock.PATH,
) -> Mapping[str, tool_lock.Tools]:
    """The reviewed tools of each server, if the gateway allows only reviewed tools; otherwise empty.

    Args:
        reader: collects the problems.
        names: the servers behind the gateway.
        containers: the stack's own containers among them.
        path: path of the file with the reviewed tools.
    """
    setting = declared.TOOL_LOCK
    if reader.peek(setting.key) != "refuse":
        return {}
    try:
        locked = tool_lock.load(path)
    except tool_lock.ToolLockError as error:
        setting.reject(reader, str(error), setting.command_for("report"))
        return {}
    legacy_only = {container.name for container in containers if container.paths.mcp is None}
    for name in names:
        if name in legacy_only:
            setting.reject(
                reader,
                f"The server '{name}' has only the legacy transport, over which the gateway cannot filter "
                "lists of tools. If it has streamable HTTP, set `transport` in its entry.",
                setting.command_for("report"),
            )
        elif name not in locked:
            setting.reject(
                reader,
                f"{tool_lock.FILE_NAME} has no tools of the server '{name}'.",
                f"{setting.command_for('report')}, deploy, run `make lock-tools STACK=<stack>`, review the "
                f"file, and {setting.command_for('refuse')}",
            )
    return {name: locked[name] for name in names if name in locked}


def stack_agents(
    reader: Reader,
    access: Mapping[str, tuple[Access, ...]],
    containers: tuple[Container, ...],
    scopes: Mapping[str, tuple[str, ...]],
    tools: Mapping[str, Mapping[str, ToolRule]],
) -> tuple[Agent, ...]:
    """The agents. Their roles are scopes of servers that agents may call, and roles in rules for tools."""
    setting = declared.AGENTS
    all_scopes = {scope for own in scopes.values() for scope in own}
    roles = [scope for name, own in scopes.items() if "agents" in access.get(name, ()) for scope in own]
    for name, tool, rule in _rules(tools):
        if rule.role in all_scopes:
            location = f'{_tools_location(name, containers)}["{tool}"].role'
            reader.reject(
                location,
                f"The role '{rule.role}' is also a scope.",
                "Agents are assigned app roles with the names of scopes, so a role of a tool needs a "
                "different name.",
                f"pulumi config set --path '{location}' {rule.role}.role",
            )
        elif rule.role and rule.role not in roles:
            roles.append(rule.role)
    return read_agents(reader, setting.key, setting.read(reader), roles, setting.reason)


def stack_role_members(
    reader: Reader, tools: Mapping[str, Mapping[str, ToolRule]]
) -> Mapping[str, tuple[str, ...]]:
    """The users and groups to which the roles in rules for tools are assigned."""
    setting = declared.ROLE_MEMBERS
    roles = {rule.role for rules in tools.values() for rule in rules.values() if rule.role}
    return read_members(reader, setting.key, setting.read(reader), sorted(roles), setting.reason)
