"""Compares the tools that servers list with the reviewed tools in tools.lock.json."""

import difflib
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import partial

import rfc8785
from mcp import Client
from mcp_types import Tool

from configuration import tool_lock
from configuration.tool_lock import FILE_NAME, LockedTool, Tools
from verify.check import Check, FailedError, SkippedError, require
from verify.session import Session
from verify.sign_in import sign_in_id
from verify.target import Expectation, Server
from verify.tools import SECTION, connected, tool_check_id, transports

_HIDING = (
    "With `toolLock` `refuse`, the gateway omits tools that are new, or whose title or description "
    "changed. Read the tools of a stack with `report`, such as a twin: make up ARGS='--config "
    f"toolLock=report', then `make lock-tools`; review {FILE_NAME}, commit it and deploy."
)


def checks(expected: Expectation) -> Iterable[Check]:
    """One check for each server; no check if the setting toolLock is `off`."""
    if expected.tool_lock == "off":
        return
    for server in expected.servers:
        transport = transports(server)[0]
        yield Check(
            id=f"tool-lock:{server.name}",
            section=SECTION,
            title=f"{server.title}: the tools are the reviewed ones",
            run=partial(_compare, server),
            remedy="Review the difference, because models follow descriptions. To accept it, run "
            f"`make lock-tools`, and commit {FILE_NAME}. If it is unexpected, take the server out of service "
            "and find out who changed it.",
            needs=(sign_in_id(expected, server), tool_check_id(server, transport)),
        )


async def read_tools(session: Session, server: Server) -> dict[str, LockedTool]:
    """All tools that a server lists, from all pages.

    Raises:
        FailedError: the server violates the protocol, or lists a name twice.
    """
    async with connected(session, server, transports(server)[0]) as client:
        tools: dict[str, LockedTool] = {}
        async for tool in _all(client):
            if tool.name in tools:
                raise FailedError(f"the tool {_escaped(tool.name)} is listed twice")
            tools[tool.name] = to_locked_tool(tool)
    return tools


async def _all(client: Client) -> AsyncIterator[Tool]:
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            yield tool
        cursor = page.next_cursor
        if not cursor:
            return


def to_locked_tool(tool: Tool) -> LockedTool:
    """Converts a tool that a server lists to its record in the file."""
    annotations = (
        tool.annotations.model_dump(mode="json", by_alias=True, exclude_none=True)
        if tool.annotations
        else None
    )
    described = {
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
        "annotations": annotations,
    }
    # Numbers in canonical JSON are doubles, so larger integers are converted.
    canonical = json.loads(json.dumps(described), parse_int=_number, object_hook=_with_sorted_default)
    return LockedTool(
        title=tool.title or "",
        description=tool.description or "",
        digest=f"sha256:{hashlib.sha256(rfc8785.dumps(canonical)).hexdigest()}",
    )


def _number(digits: str) -> int | float:
    number = int(digits)
    return number if abs(number) < 2**53 else float(number)


def _with_sorted_default(part: dict[str, object]) -> dict[str, object]:
    """Sorts the words of a default in a part of a schema.

    The MCP server for Jira creates a default from a set, whose order is different after each start.
    """
    default = part.get("default")
    return part | {"default": ",".join(sorted(default.split(",")))} if isinstance(default, str) else part


def hidden_from_user(server: Server, names: Iterable[str]) -> tuple[str, ...]:
    """The tools that need an app role or a group, which the list of this user may lack."""
    return tuple(sorted(name for name in names if server.roles_for(name)))


def differences(server: Server, reviewed: Tools, listed: Tools) -> Iterator[str]:
    """The differences, one line for each tool, sorted by name, without tools that the user may not see."""
    hidden = hidden_from_user(server, reviewed.keys() - listed.keys())
    for name in sorted(reviewed.keys() | listed.keys()):
        if name not in reviewed:
            yield f"added: {_escaped(name)}"
        elif name not in listed:
            if name not in hidden:
                yield f"removed: {_escaped(name)}"
        elif reviewed[name] != listed[name]:
            yield f"changed: {_escaped(name)} ({'; '.join(_changes(reviewed[name], listed[name]))})"


def _changes(before: LockedTool, after: LockedTool) -> Iterator[str]:
    if before.title != after.title:
        yield f"title: {_escaped(before.title)} -> {_escaped(after.title)}"
    if before.description != after.description:
        yield f"description: {_difference(before.description, after.description)}"
    if before.digest != after.digest:
        yield "schemas or annotations"


def _difference(before: str, after: str) -> str:
    """The different lines of two texts, marked with `-` and `+`."""
    lines = difflib.ndiff(before.split("\n"), after.split("\n"))
    return ", ".join(f"{line[0]} {_escaped(line[2:])}" for line in lines if line[0] in "+-")


def _escaped(text: str) -> str:
    """A text in ASCII, so that characters that are invisible or change the direction of text are escaped."""
    return json.dumps(text)


async def _compare(server: Server, session: Session) -> str:
    expected = session.target.expected
    try:
        reviewed = tool_lock.load(session.tool_lock_file).get(server.name)
    except tool_lock.ToolLockError as error:
        raise FailedError(str(error)) from error
    if reviewed is None:
        raise SkippedError(
            f"{FILE_NAME} has no tools of this server.", "Write them: `make lock-tools`, and review the file."
        )
    listed = await read_tools(session, server)
    lines = list(differences(server, reviewed, listed))
    hidden = hidden_from_user(server, reviewed.keys() - listed.keys())
    note = f"; not visible to this user: {', '.join(hidden)}" if hidden else ""
    return require(lines, f"{len(listed)} tools{note}", _HIDING if expected.tool_lock == "refuse" else "")


def merge(server: Server, reviewed: Tools, listed: Tools) -> Mapping[str, LockedTool]:
    """The tools to write: the listed tools, and reviewed tools that the caller may not see."""
    kept = hidden_from_user(server, reviewed.keys() - listed.keys())
    return {**listed, **{name: reviewed[name] for name in kept}}
