"""https://learn.microsoft.com/azure/api-management/set-body-policy."""

from apim.csharp import to_text
from apim.csharp.context import Body, Context
from apim.node import Node
from apim.policies.message_policy import Edit, Message, response_in
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Shape, Text
from apim.statements import Action


def edit(node: Node) -> Edit:
    """The edit of a message that the element describes."""
    value_of = node.text_value()

    def set_body(context: Context, message: Message) -> None:
        value = value_of(context)
        if isinstance(value, bytes | bytearray):
            message.body = Body(bytes(value))
        elif (array := getattr(value, "__bytes__", None)) is not None:
            message.body = Body(array())
        else:
            text = value if isinstance(value, str) else to_text(value)
            message.body = Body((text or "").encode())

    return set_body


def _compile(node: Node) -> Action:
    set_body = edit(node)

    def of_request(run: Run) -> None:
        set_body(run.context, run.context.request)
        run.request_stream = None

    def of_response(run: Run) -> None:
        set_body(run.context, response_in(run))
        run.drop_reply()

    return of_request if node.section in {"inbound", "backend"} else of_response


POLICY = Policy(
    name="set-body",
    shape=Shape(
        (
            Attribute("template", expression=False, unsupported="the twin does not support Liquid templates"),
            Attribute("xsi-nil", expression=False, unsupported="the twin does not support Liquid templates"),
            Attribute(
                "parse-date", expression=False, unsupported="the twin does not support Liquid templates"
            ),
        ),
        text=Text.VALUE,
        keep_space=True,
    ),
    compile=_compile,
)
