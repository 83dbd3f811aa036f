"""Creates responses: lists tools, plans calls, requests approvals, calls tools, and writes the message."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twin.foundry import planner, schemas
from twin.foundry.agents import Agents
from twin.foundry.errors import invalid
from twin.foundry.mcp_client import McpClient
from twin.foundry.records import Call, McpServer, Tool, read_servers
from twin.foundry.response import Event, ResponseWriter, approval_id, call_id

NOTICE = "I am a stand-in for the agent service and have no model; rules choose the tools."
_MAX_RESPONSES = 1000
_MAX_EXCERPT = 300


@dataclass(slots=True, kw_only=True)
class _State:
    """The state after a response, with which the next response of the conversation continues.

    Attributes:
        tools: the tools of each server, by the label of the server.
        waiting: the calls that have not been made yet, in their order; the first one needs an approval.
        results: the texts about the calls that were made for the current message.
    """

    tools: dict[str, list[Tool]] = field(default_factory=dict)
    waiting: list[Call] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """The input of a request.

    Attributes:
        message: the message of the user, or None.
        approvals: the decision on each approval request, by its id.
    """

    message: str | None
    approvals: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedResponse:
    """A response that can be sent: all MCP servers were reached, and their tools are supported.

    Attributes:
        writer: writes the response.
        events: the events of the response; iterating over them calls the tools.
    """

    writer: ResponseWriter
    events: AsyncIterator[Event]


class Conversations:
    """The conversations of a project, kept in memory.

    Args:
        agents: the agents of the project.
        client: the client for MCP servers.
        now: returns the current time in POSIX seconds.
    """

    def __init__(self, agents: Agents, client: McpClient, now: Callable[[], float]) -> None:
        self._agents = agents
        self._client = client
        self._now = now
        self._states: dict[str, _State] = {}

    def clear(self) -> None:
        """Deletes all conversations."""
        self._states.clear()

    async def prepare(self, body: Mapping[str, Any]) -> PreparedResponse:
        """Reads a request and lists the tools.

        Raises:
            FoundryError: the request is not valid, an MCP server cannot be reached, or the schema of a tool
                is not supported.
        """
        definition = self._definition(body)
        servers = {server.label: server for server in read_servers(definition.get("tools") or [])}
        state = self._previous_state(body.get("previous_response_id"))
        listed = {}
        for label, server in servers.items():
            if label not in state.tools:
                listed[label] = await self._client.tools(server)
                for tool in listed[label]:
                    schemas.require_supported(tool)
        # A request may omit a server of the previous response.
        state.tools = {label: tools for label, tools in (state.tools | listed).items() if label in servers}
        request = _read_input(body.get("input"))
        if request.message is None:
            for call in state.waiting:
                if call.tool.server not in servers:
                    raise invalid(
                        f"'tools' lacks the server '{call.tool.server}' of a pending call.", "tools"
                    )
        writer = ResponseWriter(
            created=int(self._now()),
            model=str(definition["model"]),
            instructions=definition.get("instructions"),
            previous=body.get("previous_response_id"),
        )
        self._store(writer.id, state)
        events = self._events(writer, state, servers, tuple(listed), request)
        return PreparedResponse(writer=writer, events=events)

    def _definition(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = body.get("agent_reference") or body.get("agent")
        if reference is None:
            if not body.get("model"):
                raise invalid("Missing required parameter: 'model'.", "model")
            return body
        if not isinstance(reference, dict) or reference.get("type") != "agent_reference":
            raise invalid("'agent_reference' is not valid.", "agent_reference")
        if "tools" in body or "model" in body:
            raise invalid("Not allowed when agent is specified.", "tools" if "tools" in body else "model")
        return self._agents.version(str(reference.get("name")), reference.get("version")).definition

    def _previous_state(self, previous: object) -> _State:
        if previous is None:
            return _State()
        state = self._states.get(str(previous))
        if state is None:
            raise invalid(f"Previous response with id '{previous}' not found.", "previous_response_id")
        return _State(tools=dict(state.tools), waiting=list(state.waiting), results=list(state.results))

    def _store(self, id_: str, state: _State) -> None:
        self._states[id_] = state
        while len(self._states) > _MAX_RESPONSES:
            del self._states[next(iter(self._states))]

    async def _events(
        self,
        writer: ResponseWriter,
        state: _State,
        servers: Mapping[str, McpServer],
        listed: tuple[str, ...],
        request: _Input,
    ) -> AsyncIterator[Event]:
        for event in writer.begin():
            yield event
        for label in listed:
            for event in writer.tools(label, state.tools[label]):
                yield event
        if request.message is not None:
            state.waiting, state.results = _plan_calls(request.message, state.tools)
        async for event in self._calls(writer, state, servers, request.approvals):
            yield event
        if not state.waiting:
            for event in writer.message("\n\n".join([NOTICE, *state.results])):
                yield event
        for event in writer.end():
            yield event

    async def _calls(
        self,
        writer: ResponseWriter,
        state: _State,
        servers: Mapping[str, McpServer],
        approvals: Mapping[str, bool],
    ) -> AsyncIterator[Event]:
        """Makes the waiting calls until one needs an approval."""
        while state.waiting:
            call = state.waiting[0]
            server = servers[call.tool.server]
            if call.approval is None and server.needs_approval(call.tool.name):
                state.waiting[0] = call = replace(call, approval=approval_id())
            if call.approval is not None and call.approval not in approvals:
                for event in writer.approval_request(call):
                    yield event
                return
            del state.waiting[0]
            if call.approval is not None and not approvals[call.approval]:
                state.results.append(f"{_name(call.tool)} was not approved, so it was not called.")
                continue
            for event in writer.begin_call(call):
                yield event
            outcome = await self._client.call(server, call.tool.name, call.arguments)
            for event in writer.end_call(call, output=outcome.output, error=outcome.error):
                yield event
            text = outcome.output if outcome.error is None else f"error: {outcome.error}"
            state.results.append(f"{_name(call.tool)} returned:\n{_excerpt(text or '(nothing)')}")


def _plan_calls(message: str, tools: Mapping[str, list[Tool]]) -> tuple[list[Call], list[str]]:
    """The tool calls for a message, and a sentence about each request that results in no call."""
    all_tools = [tool for tools_of_server in tools.values() for tool in tools_of_server]
    planned = planner.plan(message, all_tools)
    incomplete = [
        f"{_name(step.tool)} needs {', '.join(step.missing)}: write {step.missing[0]}=... in the request."
        for step in planned
        if step.missing
    ]
    calls = [
        Call(id=call_id(), tool=step.tool, arguments=step.arguments) for step in planned if not step.missing
    ]
    if planned:
        return calls, incomplete
    example = _name(all_tools[0]) if all_tools else "a tool"
    return [], [f"No tool matches. Name a tool, such as {example}, and its arguments as name=value."]


def _read_input(value: object) -> _Input:
    if isinstance(value, str):
        return _Input(message=value)
    if not isinstance(value, list):
        raise invalid("Missing required parameter: 'input'.", "input")
    approvals: dict[str, bool] = {}
    texts: list[str] = []
    for item in value:
        if not isinstance(item, dict):
            raise invalid("'input' is not valid.", "input")
        if item.get("type") == "mcp_approval_response":
            approvals[str(item.get("approval_request_id"))] = item.get("approve") is True
        elif item.get("role") == "user":
            texts.append(_text(item.get("content")))
    return _Input(message="\n".join(texts) if texts else None, approvals=approvals)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _name(tool: Tool) -> str:
    return f"{tool.server}.{tool.name}"


def _excerpt(text: str) -> str:
    return text if len(text) <= _MAX_EXCERPT else f"{text[:_MAX_EXCERPT]}..."
