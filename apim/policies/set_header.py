"""https://learn.microsoft.com/azure/api-management/set-header-policy."""

from apim.csharp.context import Context, Headers
from apim.failure import Failure
from apim.node import Node
from apim.policies.message_policy import Edit, Message, on_current_message
from apim.policy import Policy
from apim.shape import Attribute, Child, Shape, Text
from apim.statements import Action

_ACTIONS = ("override", "skip", "append", "delete")
CONNECTION_HEADERS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
"""Headers that policies must not set or delete, according to the documentation of set-header."""


def edit(node: Node) -> Edit:
    """The edit of a message that the element describes."""
    name_of, action_of = node.string("name"), node.string("exists-action")
    values_of = [value.text() for value in node.children("value")]
    fixed = node.literal("name")
    if fixed is not None and fixed.lower() in CONNECTION_HEADERS:
        node.fail(f"the header {fixed} cannot be set or deleted", "name")

    def set_header(context: Context, message: Message) -> None:
        name, action, headers = name_of(context), action_of(context), message.headers
        if not name:
            raise Failure(reason="HeaderNameInvalid", message="The name of the header is empty.")
        if fixed is None and name.lower() in context.fixed_headers:
            raise Failure(
                reason="HeaderNotModifiable", message=f"The header {name} cannot be modified or deleted."
            )
        if action == "delete":
            headers.delete(name)
            return
        values = [_checked(name, value(context) or "") for value in values_of]
        if action not in _ACTIONS:
            raise Failure(reason="ExistsActionInvalid", message=f"{action!r} is not a valid exists-action.")
        _put(headers, name, values, action)

    return set_header


def _put(headers: Headers, name: str, values: list[str], action: str) -> None:
    if action == "override":
        headers.delete(name)
    if action != "skip" or name not in headers:
        for value in values:
            headers.add(name, value)


def _checked(name: str, value: str) -> str:
    """The value, unless it has a line break, which would start another header (RFC 9110, section 5.5)."""
    if "\r" in value or "\n" in value or "\0" in value:
        raise Failure(
            reason="HeaderValueInvalid", message=f"The value of the header {name} has a line break."
        )
    return value


def _compile(node: Node) -> Action:
    return on_current_message(node, edit(node))


POLICY = Policy(
    name="set-header",
    shape=Shape(
        (Attribute("name", required=True), Attribute("exists-action", default="override", values=_ACTIONS)),
        children=(Child("value", Shape(text=Text.VALUE), most=None),),
    ),
    compile=_compile,
)
