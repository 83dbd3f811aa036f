"""Expressions with a context, in one line."""

import base64
import json
from typing import Any

from apim.csharp import compile_expression
from apim.csharp.context import Body, Context, Headers, Response
from apim.csharp.golden import build_context


def context(**members: Any) -> Context:
    """A context in the format of golden files."""
    return build_context(members)


def request(**members: Any) -> Context:
    """A context with this request."""
    return build_context({"request": members})


def evaluate(text: str, evaluated_in: Context | None = None) -> object:
    """The value of an expression."""
    return compile_expression(text, name="test").evaluate(evaluated_in or context())


def response(status: int, body: str = "") -> Response:
    """The response in the variable of send-request."""
    return Response(
        status_code=status, headers=Headers({"X-One": ["1"]}), body=Body(body.encode()) if body else None
    )


def jwt(header: dict[str, Any], payload: dict[str, Any]) -> str:
    """A JWT with an invalid signature."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header, payload)
    ]
    return ".".join([*parts, "c2ln"])
