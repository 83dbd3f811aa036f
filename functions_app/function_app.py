"""The project's own MCP server: tools on Azure Functions.

A snippet belongs to the user who saves it. A snippet that is saved with `shared` belongs to all users of the
server.

The MCP extension of the Functions host implements the protocol at `/runtime/webhooks/mcp` and
`/runtime/webhooks/mcp/sse`; a tool is a function with an MCP tool trigger.
"""

import json
import logging
import traceback
from collections.abc import Callable, Mapping

import azure.functions as func
from caller import hashed_caller
from snippets import MAX_BYTES, MAX_NAME, SnippetError, snippet_store
from tool_result import failure, success

# Azure's client libraries log the URL of each request at INFO, which is the level of the worker, and urllib3
# logs the URL of a malformed response at WARNING. The URL of a blob contains the name of a snippet.
logging.getLogger("azure").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.ERROR)

app = func.FunctionApp()

_log = logging.getLogger(__name__)


_SHARED = (
    "Whether the snippet is one that all users of this server share. Without it, the snippet is your own: no "
    "other user can read, replace or delete it."
)


def _properties(**descriptions: str) -> str:
    """The `toolProperties` of a trigger: string properties with their descriptions, and `shared`.

    No property is marked as required. If one was, the extension would respond to a call without it with a
    JSON-RPC error, which clients do not pass to the model. Instead, the tool returns an error result for the
    model.
    """
    return json.dumps(
        [
            {"propertyName": name, "propertyType": kind, "description": description, "isRequired": False}
            for name, kind, description in (
                *((name, "string", description) for name, description in descriptions.items()),
                ("shared", "boolean", _SHARED),
            )
        ]
    )


def _run_tool(tool: str, context: str, work: Callable[[Mapping[str, object], str | None], str]) -> str:
    """Runs a tool; returns its text or error in the envelope of the extension.

    Args:
        tool: name of the tool.
        context: the context of the call, as the extension sends it.
        work: called with the arguments and the owner of the snippet, which is None for a shared snippet.
    """
    try:
        call = json.loads(context)
        arguments = call.get("arguments") or {}
        shared = arguments.get("shared") in (True, "true", "True")
        return success(work(arguments, None if shared else hashed_caller(call)))
    except SnippetError as error:
        # Names and contents of snippets must not be logged, and the error messages of the storage contain
        # names.
        cause = error.__cause__ or error
        _log.warning("%s failed: %s %s", tool, type(cause).__name__, getattr(cause, "error_code", ""))
        return failure(str(error))
    except Exception as error:  # noqa: BLE001 -- the worker would log the message, which may contain arguments
        lines = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s failed: %s\n%s", tool, type(error).__name__, lines)
        return failure("The tool failed. The server's log has the reason.")


# The docstring is the tool's description, which `tools.lock.json` contains.
@app.mcp_tool()
def hello_mcp() -> str:
    """Says hello, to show that the server is running."""
    return "Hello I am MCPTool!"


@app.mcp_tool_trigger(
    arg_name="context",
    tool_name="get_snippet",
    description="Returns the text of a snippet that you saved with save_snippet, or of a shared one.",
    tool_properties=_properties(snippetname="Required. The name under which the snippet was saved."),
    use_result_schema=True,
)
def get_snippet(context: str) -> str:
    """Returns the text of a saved snippet."""
    return _run_tool(
        "get_snippet",
        context,
        lambda arguments, owner: snippet_store().get(arguments.get("snippetname"), owner),
    )


@app.mcp_tool_trigger(
    arg_name="context",
    tool_name="save_snippet",
    description=(
        "Saves a text under a name, for you alone unless it is shared. A snippet of yours, or a shared one, "
        "that already has the name is replaced."
    ),
    tool_properties=_properties(
        snippetname=f"Required. The name: up to {MAX_NAME} of a-z, A-Z, 0-9, '-', '_', '.' and space.",
        snippet=f"Required. The text to save: up to {MAX_BYTES:,} bytes of UTF-8.",
    ),
    use_result_schema=True,
)
def save_snippet(context: str) -> str:
    """Saves text under a name."""

    def save(arguments: Mapping[str, object], owner: str | None) -> str:
        name = arguments.get("snippetname")
        replaced = snippet_store().save(name, arguments.get("snippet"), owner)
        shared = "" if owner else " for all users"
        return f"Snippet '{name}' saved successfully{shared}" + (
            "; it replaced the one saved before." if replaced else "."
        )

    return _run_tool("save_snippet", context, save)


@app.mcp_tool_trigger(
    arg_name="context",
    tool_name="delete_snippet",
    description="Deletes a snippet that you saved with save_snippet, or a shared one.",
    tool_properties=_properties(snippetname="Required. The name under which the snippet was saved."),
    use_result_schema=True,
)
def delete_snippet(context: str) -> str:
    """Deletes a saved snippet."""

    def delete(arguments: Mapping[str, object], owner: str | None) -> str:
        name = arguments.get("snippetname")
        snippet_store().delete(name, owner)
        return f"Snippet '{name}' deleted."

    return _run_tool("delete_snippet", context, delete)
