"""Evaluates expressions for the tests, and creates contexts, responses and tokens for them."""

import base64
import json
from typing import Any

from apim.csharp import compile_expression
from apim.csharp.context import Body, Context, Headers, Response
from apim.csharp.golden import build_context


def context(**members: Any) -> Context:
    """A context with these members, in the format of golden files."""
    return build_context(members)


def request(**members: Any) -> Context:
    """A context with a request that has these members."""
    return build_context({"request": members})


def evaluate(text: str, policy_context: Context | None = None) -> object:
    """The value of an expression."""
    return compile_expression(text, name="test").evaluate(policy_context or context())


def response(status: int, body: str = "") -> Response:
    """A response as send-request stores it in a variable."""
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
