"""https://learn.microsoft.com/azure/api-management/set-method-policy."""

from apim.csharp.context import Context, Request
from apim.failure import Failure
from apim.node import Node
from apim.policies.message_policy import Edit, Message
from apim.policy import Policy
from apim.shape import Shape, Text
from apim.statements import Action


def edit(node: Node) -> Edit:
    """The edit of a request that the element describes."""
    method_of = node.text()

    def set_method(context: Context, message: Message) -> None:
        method = (method_of(context) or "").strip().upper()
        if not method.isalpha() or not isinstance(message, Request):
            raise Failure(reason="MethodInvalid", message=f"{method!r} is not an HTTP method.")
        message.method = method

    return set_method


def _compile(node: Node) -> Action:
    set_method = edit(node)
    return lambda run: set_method(run.context, run.context.request)


POLICY = Policy(
    name="set-method",
    sections=frozenset({"inbound", "on-error"}),
    shape=Shape(text=Text.VALUE, text_required=True),
    compile=_compile,
)
