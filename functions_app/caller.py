"""Identifies the caller of a tool by the subject that the gateway sends in a header of the request.

The gateway sets this header, and removes it from requests of clients. Only the gateway can call the app. The
MCP extension passes the headers of a request to the function (`ToolInvocationContext`).
"""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from snippets import SnippetError

_HEADER = "x-mcp-gateway-subject"


def hashed_caller(context: Mapping[str, Any]) -> str:
    """The SHA-256 hash of the caller's subject, which is a part of the names of the caller's blobs.

    The subject itself may contain characters that are not allowed in blob names.

    Args:
        context: the context of the call, as the extension sends it.

    Raises:
        SnippetError: the request does not name its caller.
    """
    transport = context.get("transport")
    properties = transport.get("properties") if isinstance(transport, dict) else None
    headers = properties.get("headers") if isinstance(properties, dict) else None
    values = [
        value
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if str(name).lower() == _HEADER
    ]
    # On a developer's machine, there is no gateway in front of the app.
    subject = values[0] if values else os.environ.get("SNIPPETS_LOCAL_CALLER", "")
    if len(values) > 1 or not isinstance(subject, str) or not subject:
        raise SnippetError("The request does not name its caller. Call the server through its gateway.")
    return hashlib.sha256(subject.encode()).hexdigest()
