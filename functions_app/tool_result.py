"""What a tool returns to the MCP extension of Azure Functions.

A tool whose trigger says ``use_result_schema=True`` returns an envelope, a JSON object
``{"type": "call_tool_result", "content": "<JSON of an MCP CallToolResult>"}``, which the extension
hands to the client as it is (``ToolReturnValueBinder`` in Azure/azure-functions-mcp-extension).
It is the only way to tell a client what it did wrong: of an exception the extension reports nothing
but "An error occurred invoking 'save_snippet'.", and a plain string always counts as success.
"""

import json


def success(text: str) -> str:
    """The envelope of a result that is one text."""
    return _envelope(text, is_error=False)


def failure(text: str) -> str:
    """The envelope of a tool error: the client gets ``isError: true`` and this text."""
    return _envelope(text, is_error=True)


def _envelope(text: str, *, is_error: bool) -> str:
    result = {"content": [{"type": "text", "text": text}], "isError": is_error}
    return json.dumps({"type": "call_tool_result", "content": json.dumps(result)})
