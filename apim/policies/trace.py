"""https://learn.microsoft.com/azure/api-management/trace-policy."""

import re

from apim.csharp.context import Context
from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.services import TraceTelemetry
from apim.shape import Attribute, Child, Shape, Text
from apim.statements import Action

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def _compile(node: Node) -> Action:
    source, severity, message = node.constant("source"), node.constant("severity"), node.child("message")
    message_of = message.text() if message else None
    metadata = [(child.string("name"), child.string("value")) for child in node.children("metadata")]

    def trace(run: Run) -> None:
        context = run.context
        text = message_of(context) if message_of else ""
        properties = {name(context) or "": value(context) or "" for name, value in metadata}
        run.services.telemetry.append(
            TraceTelemetry(
                at=context.now(),
                operation_id=_operation_id(context),
                source=source,
                severity=severity,
                message=text or "",
                properties=properties,
            )
        )
        if run.trace is not None:
            written = run.trace.shown.text
            shown = "".join(f", {written(name)}: {written(value)}" for name, value in properties.items())
            run.trace.messages.append(f"{written(source)}: {written(text or '')}{shown}")

    return trace


def _operation_id(context: Context) -> str:
    traceparent = _TRACEPARENT.fullmatch(",".join(context.request.headers.get("traceparent") or []))
    return traceparent[1] if traceparent else context.request_id.hex


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
