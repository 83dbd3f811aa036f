"""Tools of the local Functions host: results, errors, and functions that it refuses to serve."""

import json
import threading
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import azure.functions as func
import pytest
from azure.functions.decorators.mcp import mcp_content
from mcp.shared.exceptions import MCPError

from tests.functions_host import connected
from twin.functions.app import FunctionsApp
from twin.functions.settings import HostError, HostSettings

ANONYMOUS = {"webhookAuthorizationLevel": "Anonymous"}


@pytest.fixture
def app():
    return func.FunctionApp()


def run_client(app, conversation):
    """Connects a client to the app's MCP server in this process, and runs a function with it."""
    functions = FunctionsApp.of(app, HostSettings(server_name="Test", instructions="Be kind."))

    async def run():
        async with connected(functions) as client:
            try:
                return await conversation(client), None
            except MCPError as error:
                # Leaving the client would wrap the error in an exception group.
                return None, error

    answer, error = anyio.run(run)
    if error is not None:
        raise error
    return answer


def call(app, tool, arguments=None):
    return run_client(app, lambda client: client.call_tool(tool, arguments))


def texts(result):
    return [content.text for content in result.content]


def trigger(app, **fields):
    return app.mcp_tool_trigger(
        **{"arg_name": "_context", "tool_name": "tool", "description": "A tool.", **fields}
    )


def test_a_string_becomes_a_text_content(app):
    @trigger(app)
    def tool(_context: str) -> str:
        return "done"

    result = call(app, "tool")
    assert texts(result) == ["done"]
    assert not result.is_error


@pytest.mark.parametrize(
    ("returned", "text"), [(7, "7"), (None, ""), (b"\xc3\xa9", "é"), (True, "True"), ({}, "{}")]
)
def test_other_values_are_converted_to_text_like_in_the_python_worker(app, returned, text):
    @trigger(app)
    def tool(_context: str) -> object:
        return returned

    assert texts(call(app, "tool")) == [text]


def test_coroutines_are_awaited(app):
    @trigger(app)
    async def tool(_context: str) -> str:
        await anyio.lowlevel.checkpoint()
        return "done"

    assert texts(call(app, "tool")) == ["done"]


def test_functions_run_in_parallel(app):
    both = []

    @trigger(app)
    def tool(_context: str) -> str:
        meeting.wait(timeout=30)
        both.append(True)
        return "met"

    meeting = threading.Barrier(2)

    async def two(client):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "tool")
            tasks.start_soon(client.call_tool, "tool")

    run_client(app, two)
    assert both == [True, True]


def test_parameters_of_the_plain_decorator_become_properties(app):
    @app.mcp_tool()
    @app.mcp_tool_property(arg_name="count", description="How many.")
    def repeat(word: str, count: int, _tags: list[str] | None = None) -> str:
        """Repeats a word."""
        return word * count

    tools = run_client(app, lambda client: client.list_tools()).tools
    schema = tools[0].input_schema
    assert tools[0].description == "Repeats a word."
    assert schema["properties"]["count"] == {"type": "integer", "description": "How many."}
    assert schema["properties"]["word"]["type"] == "string"
    assert {"word", "count"} <= set(schema["required"])


def test_arguments_reach_the_parameters_of_the_plain_decorator(app):
    @app.mcp_tool()
    def repeat(word: str, count: int = 2) -> str:
        """Repeats a word."""
        return word * count

    assert texts(call(app, "repeat", {"word": "ab"})) == ["abab"]


def test_arrays_and_enumerations_are_described(app):
    properties = [
        {"propertyName": "many", "propertyType": "integer", "isArray": True, "description": "Numbers."},
        {"propertyName": "one", "propertyType": "string", "enumValues": ["a", "b"], "isRequired": True},
    ]

    @trigger(app, tool_properties=json.dumps(properties), metadata='{"owner": "me"}')
    def tool(_context: str) -> str:
        return ""

    (shown,) = run_client(app, lambda client: client.list_tools()).tools
    assert shown.input_schema == {
        "type": "object",
        "properties": {
            "many": {"type": "array", "items": {"type": "integer"}, "description": "Numbers."},
            "one": {"type": "string", "enum": ["a", "b"], "description": ""},
        },
        "required": ["one"],
    }
    assert shown.meta == {"owner": "me"}


@pytest.mark.parametrize("arguments", [{}, {"one": None}, None])
def test_a_missing_required_property_is_a_protocol_error_and_the_function_is_not_called(app, arguments):
    called = []

    @trigger(app, tool_properties='[{"propertyName": "one", "propertyType": "string", "isRequired": true}]')
    def tool(_context: str) -> str:
        called.append(_context)
        return ""

    with pytest.raises(MCPError, match="Please provide: one") as refusal:
        call(app, "tool", arguments)
    assert refusal.value.error.code == -32602
    assert called == []


def test_an_exception_is_a_tool_error_without_details(app, caplog):
    @trigger(app)
    def tool(_context: str) -> str:
        raise RuntimeError("password=hunter2 in /srv/app/function_app.py")

    result = call(app, "tool")
    assert result.is_error
    assert texts(result) == ["An error occurred invoking 'tool'."]
    assert "hunter2" in caplog.text


def test_a_function_receives_its_call(app):
    @trigger(app, arg_name="call")
    def tool(call: str) -> str:
        return call

    received = json.loads(texts(call(app, "tool", {"é": [1, None]}))[0])
    assert received["name"] == "tool"
    assert received["arguments"] == {"é": [1, None]}
    # Each request is served separately, so the client's name is not known here.
    assert set(received) == {"name", "arguments", "sessionid", "transport"}
    assert received["sessionid"] == received["transport"]["sessionId"]
    assert received["transport"]["name"] == "http-streamable"
    assert received["transport"]["properties"]["headers"]["mcp-protocol-version"] == "2025-06-18"


def test_an_envelope_can_contain_errors_and_several_contents(app):
    content = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]

    @trigger(app, tool_name="failing", use_result_schema=True)
    def failing(_context: str) -> str:
        return json.dumps(
            {"type": "call_tool_result", "content": json.dumps({"content": content, "isError": True})}
        )

    @trigger(app, tool_name="several", use_result_schema=True)
    def several(_context: str) -> str:
        return json.dumps({"Type": "multi_content_result", "Content": json.dumps(content)})

    @trigger(app, tool_name="empty", use_result_schema=True)
    def empty(_context: str) -> None:
        return None

    async def all_three(client):
        return [await client.call_tool(name) for name in ("failing", "several", "empty")]

    failed, both, nothing = run_client(app, all_three)
    assert (failed.is_error, texts(failed)) == (True, ["one", "two"])
    assert (bool(both.is_error), texts(both)) == (False, ["one", "two"])
    assert nothing.content == []


def test_an_instance_of_an_mcp_content_class_becomes_structured_content(app):
    @mcp_content
    @dataclass
    class Size:
        width: int

    @app.mcp_tool(use_result_schema=True)
    def measure():
        """Measures."""
        return Size(3)

    result = call(app, "measure")
    assert result.structured_content == {"width": 3}
    assert texts(result) == ['{"width": 3}']


@pytest.mark.parametrize(
    "returned", ["not JSON", "[]", '{"type": "text"}', '{"type": "text", "content": "{}"}']
)
def test_a_broken_envelope_is_a_tool_error(app, returned):
    @trigger(app, use_result_schema=True)
    def tool(_context: str) -> str:
        return returned

    result = call(app, "tool")
    assert result.is_error
    assert texts(result) == ["An error occurred invoking 'tool'."]


def test_unknown_tools_prompts_and_resources_are_protocol_errors(app):
    @trigger(app)
    def tool(_context: str) -> str:
        return ""

    async def ask(client):
        with pytest.raises(MCPError, match="Unknown tool: 'other'"):
            await client.call_tool("other")
        with pytest.raises(MCPError, match="Unknown prompt: 'p'"):
            await client.get_prompt("p")
        with pytest.raises(MCPError, match="Unknown resource: 'r:x'"):
            await client.read_resource("r:x")
        return (await client.list_prompts()).prompts, (await client.list_resources()).resources

    assert run_client(app, ask) == ([], [])


def test_tool_names_are_case_insensitive_and_must_be_unique(app):
    @trigger(app, tool_name="Tool")
    def first(_context: str) -> str:
        return "found"

    assert texts(call(app, "tOOL")) == ["found"]

    other = func.FunctionApp()
    trigger(other, tool_name="tool")(lambda _context: "")

    @trigger(other, tool_name="TOOL")
    def second(_context: str) -> str:
        return ""

    with pytest.raises(HostError, match="two functions declare the tool TOOL"):
        FunctionsApp.of(other, HostSettings())


def test_other_triggers_are_refused_by_name(app):
    @app.route("hello", trigger_arg_name="_req")
    def hello(_req: func.HttpRequest) -> str:
        return ""

    with pytest.raises(HostError, match="hello has a trigger of type httpTrigger"):
        FunctionsApp.of(app, HostSettings())


def test_bindings_other_than_the_trigger_are_rejected_by_name(app):
    @trigger(app)
    @app.generic_input_binding(arg_name="_file", type="blob", connection="AzureWebJobsStorage", path="a/b")
    def tool(_file: str, _context: str) -> str:
        return ""

    with pytest.raises(HostError, match="tool has bindings that the local host does not support: blob"):
        FunctionsApp.of(app, HostSettings())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("{}", '"version"'),
        ('{"version": "2.0"}', "webhookAuthorizationLevel"),
        (
            '{"version": "2.0", "extensions": {"mcp": {"system": {"webhookAuthorizationLevel": "System"}}}}',
            "mcp_extension",
        ),
        (
            json.dumps({"version": "2.0", "extensions": {"mcp": {"x": 1, "system": ANONYMOUS}}}),
            "does not support extensions.mcp.x",
        ),
    ],
)
def test_an_unsupported_host_json_is_rejected(tmp_path, text, reason):
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(HostError, match=reason):
        HostSettings.read(tmp_path / "host.json")


def test_a_folder_without_a_function_app_is_refused(tmp_path):
    with pytest.raises(HostError, match=r"host\.json: cannot be read"):
        FunctionsApp.load(tmp_path)
