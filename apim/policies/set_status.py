"""https://learn.microsoft.com/azure/api-management/set-status-policy."""

from apim.csharp.context import Context, Response
from apim.failure import Failure
from apim.node import Node
from apim.policies.message_policy import Edit, Message, response_in
from apim.policy import Policy
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action


def edit(node: Node) -> Edit:
    """The edit of a response that the element describes."""
    code_of, reason_of = node.integer("code"), node.string("reason")

    def set_status(context: Context, message: Message) -> None:
        if not isinstance(message, Response):
            raise Failure(reason="StatusInvalid", message="The status of a request cannot be set.")
        code, reason = code_of(context), reason_of(context) or ""
        if not 100 <= code <= 999 or "\n" in reason or "\r" in reason:  # noqa: PLR2004 -- RFC 9110, section 15
            raise Failure(reason="StatusInvalid", message=f"{code} {reason!r} is not an HTTP status.")
        message.status_code, message.status_reason = code, reason

    return set_status


def _compile(node: Node) -> Action:
    set_status = edit(node)
    return lambda run: set_status(run.context, response_in(run))


POLICY = Policy(
    name="set-status",
    shape=Shape(
        (
            Attribute("code", required=True, kind=Kind.INTEGER, least=100, most=999),
            Attribute("reason", required=True),
        )
    ),
    compile=_compile,
)
