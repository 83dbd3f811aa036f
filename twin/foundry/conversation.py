"""Creates responses: lists tools, plans calls, requests approvals, calls tools, and answers."""

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
_KEPT_RESPONSES = 1000
_LONGEST_OUTPUT = 300


@dataclass(slots=True, kw_only=True)
class _State:
    """The state that a response stores for the next one.

    Attributes:
        tools: the tools of the servers that were listed, by label.
        waiting: the calls that are still to be made, in order; the first one needs an approval.
        answers: the results of the calls for the message so far.
    """

    tools: dict[str, list[Tool]] = field(default_factory=dict)
    waiting: list[Call] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """The input of a request: a message of the user, and decisions on approval requests by their ids."""

    message: str | None
    approvals: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedResponse:
    """A response that can begin: its servers were reached and its tools were accepted.

    Attributes:
        writer: writes it.
        events: its events.
    """

    writer: ResponseWriter
    events: AsyncIterator[Event]


class Conversations:
    """All responses of a project, kept in memory.

    Args:
        agents: the agents of the project.
        client: calls MCP servers.
        now: returns the time, in POSIX seconds.
    """

    def __init__(self, agents: Agents, client: McpClient, now: Callable[[], float]) -> None:
        self._agents = agents
        self._client = client
        self._now = now
        self._states: dict[str, _State] = {}

    def clear(self) -> None:
        """Deletes all responses."""
        self._states.clear()

    async def prepare(self, body: Mapping[str, Any]) -> PreparedResponse:
        """Reads a request and lists the tools.

        Raises:
            FoundryError: the request is not valid, a server cannot be reached, or a schema is not supported.
        """
        definition = self._definition(body)
        servers = {server.label: server for server in read_servers(definition.get("tools") or [])}
        state = self._continued(body.get("previous_response_id"))
        listed = {}
        for label, server in servers.items():
            if label not in state.tools:
                listed[label] = await self._client.tools(server)
                for tool in listed[label]:
                    schemas.require_supported(tool)
        state.tools |= listed
        request = _read_input(body.get("input"))
        writer = ResponseWriter(
            created=int(self._now()),
            model=str(definition["model"]),
            instructions=definition.get("instructions"),
            previous=body.get("previous_response_id"),
        )
        self._keep(writer.id, state)
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

    def _continued(self, previous: object) -> _State:
        if previous is None:
            return _State()
        state = self._states.get(str(previous))
        if state is None:
            raise invalid(f"Previous response with id '{previous}' not found.", "previous_response_id")
        return _State(tools=dict(state.tools), waiting=list(state.waiting), answers=list(state.answers))

    def _keep(self, id_: str, state: _State) -> None:
        self._states[id_] = state
        while len(self._states) > _KEPT_RESPONSES:
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
            state.waiting, state.answers = _planned(request.message, state.tools)
        async for event in self._calls(writer, state, servers, request.approvals):
            yield event
        if not state.waiting:
            for event in writer.message("\n\n".join([NOTICE, *state.answers])):
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
                state.answers.append(f"{_name(call.tool)} was not approved, so it was not called.")
                continue
            for event in writer.begin_call(call):
                yield event
            outcome = await self._client.call(server, call.tool.name, call.arguments)
            for event in writer.end_call(call, output=outcome.output, error=outcome.error):
                yield event
            text = outcome.output if outcome.error is None else f"error: {outcome.error}"
            state.answers.append(f"{_name(call.tool)} answered:\n{_excerpt(text or '(nothing)')}")


def _planned(message: str, tools: Mapping[str, list[Tool]]) -> tuple[list[Call], list[str]]:
    """The tool calls for a message, and a sentence about each request for which there is no call."""
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
    return [], [f"No tool fits. Name one, such as {example}, with its arguments as name=value."]


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
    return text if len(text) <= _LONGEST_OUTPUT else f"{text[:_LONGEST_OUTPUT]}..."
