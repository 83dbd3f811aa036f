"""https://learn.microsoft.com/azure/api-management/trace-policy."""

from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Child, Shape, Text
from apim.statements import Action


def _compile(node: Node) -> Action:
    source, message = node.constant("source"), node.child("message")
    message_of = message.text() if message else None
    metadata = [(child.string("name"), child.string("value")) for child in node.children("metadata")]

    def trace(run: Run) -> None:
        context = run.context
        text = message_of(context) if message_of else ""
        properties = {name(context) or "": value(context) or "" for name, value in metadata}
        if run.trace is not None:
            written = run.trace.shown.text
            shown = "".join(f", {written(name)}: {written(value)}" for name, value in properties.items())
            run.trace.messages.append(f"{written(source)}: {written(text or '')}{shown}")

    return trace


POLICY = Policy(
    name="trace",
    shape=Shape(
        (
            Attribute("source", required=True, expression=False),
            Attribute(
                "severity", default="verbose", expression=False, values=("verbose", "information", "error")
            ),
        ),
        children=(
            Child("message", Shape(text=Text.VALUE, text_required=True), least=1),
            Child(
                "metadata",
                Shape((Attribute("name", required=True), Attribute("value", required=True))),
                most=None,
            ),
        ),
    ),
    compile=_compile,
)
