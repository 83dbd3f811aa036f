"""The function app's tools, called by a client of the MCP extension."""

import json
import logging

import anyio
import pytest
from mcp.types import TextContent
from packaging.markers import default_environment
from packaging.requirements import Requirement

from backends.functions import PYTHON_VERSION
from tests.functions_app.conftest import FOLDER
from tests.functions_host import connected
from twin.functions.app import FunctionsApp
from twin.functions.settings import HostSettings


@pytest.fixture
def call(load, container, monkeypatch):
    """Calls a tool and returns the text of its result and whether it is an error."""
    snippets, _, function_app = load("snippets"), load("caller"), load("function_app")
    monkeypatch.setattr(function_app, "snippet_store", lambda: snippets.SnippetStore(container))
    app = FunctionsApp.of(function_app.app, HostSettings())

    async def call_tool(subject, tool, arguments):
        async with connected(app, subject) as client:
            result = await client.call_tool(tool, arguments)
        (content,) = result.content
        assert isinstance(content, TextContent)
        return content.text, bool(result.is_error)

    return lambda tool, subject="ada", **arguments: anyio.run(call_tool, subject, tool, arguments)


def test_f6_each_subject_has_snippets_of_its_own(call):
    call("save_snippet", snippetname="note", snippet="of Ada")
    assert call("get_snippet", subject="grace", snippetname="note")[1]
    text, failed = call("save_snippet", subject="grace", snippetname="note", snippet="of Grace")
    assert (failed, "replaced" in text) == (False, False)
    assert call("delete_snippet", subject="grace", snippetname="note") == ("Snippet 'note' deleted.", False)
    assert call("get_snippet", snippetname="note") == ("of Ada", False)
    assert call("get_snippet", subject="ADA", snippetname="note")[1]


def test_f6_a_snippet_is_shared_only_on_request(call, container):
    container.upload_blob("from before", b"of an earlier version")
    text, _ = call("save_snippet", snippetname="note", snippet="for all", shared=True)
    assert "for all users" in text
    assert call("get_snippet", subject="grace", snippetname="note")[1]
    assert call("get_snippet", subject="grace", snippetname="note", shared=True) == ("for all", False)
    assert call("get_snippet", snippetname="from before", shared=True) == ("of an earlier version", False)
    assert call("get_snippet", snippetname="from before")[1]
    assert "no shared snippet" in call("delete_snippet", snippetname="other", shared=True)[0]


def test_f6_a_call_without_a_subject_is_refused(call, container):
    for subject in (None, ""):
        text, failed = call("save_snippet", subject=subject, snippetname="note", snippet="x")
        assert (failed, "does not name its caller" in text) == (True, True)
    assert list(container.list_blob_names()) == []


def test_f6_no_name_gives_access_to_another_users_snippets(call, container):
    call("save_snippet", snippetname="note", snippet="of Ada")
    (blob,) = container.list_blob_names()
    for name in (blob, blob.removeprefix("users/"), f"../{blob}", "users"):
        for shared in (True, False):
            assert call("get_snippet", subject="grace", snippetname=name, shared=shared)[1]


def test_hello_returns_a_greeting(call):
    assert call("hello_mcp") == ("Hello I am MCPTool!", False)


def test_the_message_about_a_saved_snippet_names_the_snippet(call):
    text, failed = call("save_snippet", snippetname="my note", snippet="the text")
    assert not failed
    assert "my note" in text
    assert "the text" not in text


def test_a_saved_snippet_can_be_read(call):
    call("save_snippet", snippetname="my note", snippet='{"a": 1}')
    assert call("get_snippet", snippetname="my note") == ('{"a": 1}', False)


def test_only_the_deleted_snippet_is_removed(call):
    call("save_snippet", snippetname="first", snippet="1")
    call("save_snippet", snippetname="second", snippet="2")
    assert call("delete_snippet", snippetname="first") == ("Snippet 'first' deleted.", False)
    assert call("get_snippet", snippetname="first")[1]
    assert call("delete_snippet", snippetname="first")[1]
    assert call("get_snippet", snippetname="second") == ("2", False)


def test_the_message_says_that_a_snippet_was_replaced(call):
    first, _ = call("save_snippet", snippetname="note", snippet="1")
    second, _ = call("save_snippet", snippetname="note", snippet="2")
    assert "replaced" not in first
    assert "replaced" in second


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_snippet", {}, "name of the snippet is missing"),
        ("get_snippet", {"snippetname": ""}, "name of the snippet is missing"),
        ("get_snippet", {"snippetname": None}, "name of the snippet is missing"),
        ("get_snippet", {"snippetname": "unknown"}, "no snippet named 'unknown'"),
        ("get_snippet", {"snippetname": "a/b"}, "'a/b' cannot be the name"),
        ("delete_snippet", {}, "name of the snippet is missing"),
        ("delete_snippet", {"snippetname": "unknown"}, "no snippet named 'unknown'"),
        ("delete_snippet", {"snippetname": "a/b"}, "'a/b' cannot be the name"),
        ("save_snippet", {"snippet": "text"}, "name of the snippet is missing"),
        ("save_snippet", {"snippetname": "", "snippet": "text"}, "name of the snippet is missing"),
        ("save_snippet", {"snippetname": "a/b", "snippet": "text"}, "'a/b' cannot be the name"),
        ("save_snippet", {"snippetname": "x" * 300, "snippet": "text"}, "300 characters"),
        ("save_snippet", {"snippetname": "a\nb", "snippet": "text"}, "cannot be the name"),
        ("save_snippet", {"snippetname": "note"}, "snippet is missing"),
        ("save_snippet", {"snippetname": "note", "snippet": "x" * 2_000_000}, "2,000,000 bytes"),
    ],
)
def test_an_invalid_call_is_a_tool_error_with_the_reason_and_stores_nothing(
    call, container, tool, arguments, reason
):
    text, failed = call(tool, **arguments)
    assert failed
    assert reason in text
    assert list(container.list_blob_names()) == []


def test_logs_contain_neither_names_nor_contents_of_snippets(call, caplog):
    # The Python worker sends all records of level INFO and higher, of any logger, to Application Insights.
    caplog.set_level("INFO")
    call("save_snippet", snippetname="private-name", snippet="private-text")
    call("save_snippet", snippetname="private-name", snippet="private-text-2")
    call("get_snippet", snippetname="private-name")
    call("get_snippet", snippetname="other-private-name")
    call("delete_snippet", snippetname="private-name")
    call("delete_snippet", snippetname="private-name")
    assert "get_snippet failed: ResourceNotFoundError BlobNotFound" in caplog.text
    assert "private" not in caplog.text


@pytest.mark.parametrize(
    "arguments", ['["private-name"]', '"private-name"', "private-name", '{"a": "private-name"']
)
def test_a_malformed_call_is_logged_without_its_content(load, caplog, arguments):
    caplog.set_level("INFO")
    tool = FunctionsApp.of(load("function_app").app, HostSettings()).tools["get_snippet"]
    answer = str(tool.function(f'{{"arguments": {arguments}}}'))
    assert "The tool failed" in answer
    assert "get_snippet failed" in caplog.text
    assert "private-name" not in caplog.text + answer


def test_libraries_do_not_log_the_urls_of_blobs(load):
    load("function_app")
    for name, level in (("azure.storage.blob", logging.INFO), ("urllib3.connectionpool", logging.WARNING)):
        assert not logging.getLogger(name).isEnabledFor(level)


def test_the_tools_describe_their_properties(load):
    app = FunctionsApp.of(load("function_app").app, HostSettings())
    assert list(app.tools) == ["hello_mcp", "get_snippet", "save_snippet", "delete_snippet"]
    for tool in app.tools.values():
        assert tool.definition.description
        assert all(
            property_["description"] for property_ in tool.definition.input_schema["properties"].values()
        )
    assert list(app.tools["save_snippet"].definition.input_schema["properties"]) == [
        "snippetname",
        "snippet",
        "shared",
    ]


def test_host_json_allows_anonymous_mcp_requests_and_uses_a_released_bundle():
    document = json.loads((FOLDER / "host.json").read_text())
    assert document["extensionBundle"] == {
        "id": "Microsoft.Azure.Functions.ExtensionBundle",
        "version": "[4.35.0, 5.0.0)",
    }
    settings = HostSettings.read(FOLDER / "host.json")
    assert settings.server_name
    assert settings.instructions


def test_the_deployed_versions_of_packages_are_tested():
    """Each package is pinned with hashes, to the version that tests on the app's version of Python have."""
    app_runtime = {
        **default_environment(),
        "python_version": PYTHON_VERSION,
        "python_full_version": f"{PYTHON_VERSION}.0",
        "sys_platform": "linux",
    }
    tested = {
        requirement.name: requirement.specifier
        for requirement, _ in pinned(FOLDER.parent / "requirements-dev.txt")
        if requirement.marker is None or requirement.marker.evaluate(app_runtime)
    }
    deployed = pinned(FOLDER / "requirements.txt")
    assert {"azure-functions", "azure-identity", "azure-storage-blob"} <= {
        requirement.name for requirement, _ in deployed
    }
    for requirement, hashes in deployed:
        assert requirement.specifier == tested[requirement.name], requirement.name
        assert hashes, requirement.name


def pinned(path):
    """The requirements of a lock file, each with its hashes."""
    lines = path.read_text().replace("\\\n", " ").splitlines()
    entries = [line.partition(" --hash=") for line in lines if line and not line.lstrip().startswith("#")]
    return [(Requirement(requirement.strip()), hashes) for requirement, _, hashes in entries]
