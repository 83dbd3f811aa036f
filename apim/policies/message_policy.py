"""Policies that change a message: the request in inbound and backend, the response in the other sections."""

from collections.abc import Callable

from apim.csharp.context import Context, Request, Response
from apim.node import Node
from apim.run import Run
from apim.statements import Action

Message = Request | Response
Edit = Callable[[Context, Message], None]
"""Changes a message; its expressions are evaluated with the context."""


def response_in(run: Run) -> Response:
    """`context.Response`, which is created when a policy first writes to it."""
    response = run.context.response
    if response is None:
        response = run.context.response = Response(status_code=200, status_reason="OK")
    return response


def on_current_message(node: Node, edit: Edit) -> Action:
    """The action that edits the message of the node's section."""
    if node.section in {"inbound", "backend"}:
        return lambda run: edit(run.context, run.context.request)
    return lambda run: edit(run.context, response_in(run))
