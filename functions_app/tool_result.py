"""The result of a tool, as the MCP extension of Azure Functions expects it.

A tool whose trigger has ``use_result_schema=True`` returns an envelope, a JSON object ``{"type":
"call_tool_result", "content": "<JSON of an MCP CallToolResult>"}``, whose content the extension sends to the
client unchanged (``ToolReturnValueBinder`` in Azure/azure-functions-mcp-extension). Without the envelope,
clients would not receive the reason of an error: for an exception, the extension reports only "An error
occurred invoking 'save_snippet'.", and it treats a plain string as success.
"""

import json


def success(text: str) -> str:
    """The envelope of a successful result with one text."""
    return _envelope(text, is_error=False)


def failure(text: str) -> str:
    """The envelope of a tool error: the client receives ``isError: true`` and this text."""
    return _envelope(text, is_error=True)


def _envelope(text: str, *, is_error: bool) -> str:
    result = {"content": [{"type": "text", "text": text}], "isError": is_error}
    return json.dumps({"type": "call_tool_result", "content": json.dumps(result)})
