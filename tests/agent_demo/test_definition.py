"""The agent's definition in the SDK's models, and the secrets that it must not contain."""

import pytest
from azure.ai.projects.models import MCPTool, PromptAgentDefinition
from mcp import types
from mcp.types import ToolAnnotations
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.tool_param import Mcp
from pydantic import TypeAdapter

from agent_demo.definition import agent_definition, as_request
from agent_demo.settings import Server
from agent_demo.tools import ServerTools, Tool, _is_read_only
from backends.functions import READ_ONLY_TOOLS
from configuration.tool_lock import load
from twin.foundry.records import Call, read_servers
from twin.foundry.records import Tool as FoundryTool
from twin.foundry.response import ResponseWriter

SLACK = Server(
    name="slack",
    title="Slack",
    url="https://gateway.example/slack-mcp",
    behind_gateway=True,
    connection=None,
)
GITHUB = Server(
    name="github",
    title="GitHub",
    url="https://api.githubcopilot.com/mcp/",
    behind_gateway=False,
    connection="github-mcp",
)
TOOLS = (
    Tool(name="channels_list", description="", schema={}, read_only=True),
    Tool(name="conversations_add_message", description="", schema={}, read_only=False),
)
FOUND = (
    ServerTools(server=SLACK, tools=TOOLS, left_out={"odd": "parameter x uses anyOf"}),
    ServerTools(server=GITHUB, left_out={}),
)


def definition() -> PromptAgentDefinition:
    return agent_definition("gpt-5-mini", FOUND, {"slack": "token-of-the-agent", "github": "never-used"})


def test_the_definition_can_be_serialized_and_read_by_the_sdk() -> None:
    again = PromptAgentDefinition(definition().as_dict())

    assert again.kind == "prompt"
    assert [type(tool) for tool in again.tools or []] == [MCPTool, MCPTool]
    assert again.as_dict() == definition().as_dict()


def test_the_tools_without_their_connections_are_valid_in_openais_api() -> None:
    for tool in as_request(definition())["tools"]:
        known = {name: value for name, value in tool.items() if name != "project_connection_id"}
        TypeAdapter(Mcp).validate_python(known, extra="forbid")


def test_a_writing_tool_needs_an_approval_and_a_tool_that_was_left_out_cannot_be_called() -> None:
    slack, github = read_servers(as_request(definition())["tools"])

    assert slack.allowed == {"channels_list", "conversations_add_message"}
    assert [slack.needs_approval(tool.name) for tool in TOOLS] == [False, True]
    assert github.allowed is None
    assert github.needs_approval("get_me"), "a tool that the demo did not read needs an approval"


@pytest.mark.parametrize(
    ("annotations", "declared", "reads"),
    [
        (None, ["x"], True),
        (None, ["X", "y"], False),
        (ToolAnnotations(title="X"), ["x"], True),
        (ToolAnnotations(read_only_hint=True), [], True),
        (ToolAnnotations(read_only_hint=False), ["x"], False),
    ],
    ids=str,
)
def test_the_operators_list_of_read_only_tools_counts_only_without_a_hint_of_the_server(
    annotations: ToolAnnotations | None, declared: list[str], reads: bool
) -> None:
    tool = types.Tool(name="x", input_schema={"type": "object"}, annotations=annotations)
    assert _is_read_only(tool, declared) is reads


def test_the_read_only_tools_of_the_functions_server_exist() -> None:
    assert set(READ_ONLY_TOOLS) < load()["functions"].keys()


def test_the_definition_has_no_token_for_a_server_with_a_connection() -> None:
    slack, github = read_servers(as_request(definition())["tools"])

    assert (slack.authorization, slack.connection) == ("token-of-the-agent", None)
    assert (github.authorization, github.connection) == (None, "github-mcp")


def test_the_events_of_the_stand_in_are_valid_in_openais_api() -> None:
    tool = FoundryTool(server="slack", name="x", description="X.", schema={"type": "object"}, annotations={})
    call = Call(id="mcp_1", tool=tool, arguments={"a": 1}, approval="mcpr_1")
    writer = ResponseWriter(created=1, model="m", instructions=None, previous=None)
    events = [
        *writer.begin(),
        *writer.tools("slack", [tool]),
        *writer.approval_request(call),
        *writer.begin_call(call),
        *writer.end_call(call, output=None, error="it failed"),
        *writer.message("Two words"),
        *writer.end(),
    ]

    adapter: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
    for number, event in enumerate(events):
        assert event["sequence_number"] == number
        assert adapter.validate_python(event).type == event["type"]
    assert [event["type"] for event in events][-1] == "response.completed"
