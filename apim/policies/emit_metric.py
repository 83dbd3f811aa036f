"""https://learn.microsoft.com/azure/api-management/emit-metric-policy."""

from apim.csharp.context import Context
from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Child, Kind, Shape
from apim.statements import Action

_DEFAULT_DIMENSIONS = {
    "API ID",
    "Operation ID",
    "Product ID",
    "User ID",
    "Subscription ID",
    "Location",
    "Gateway ID",
}
_MAX_DIMENSIONS = 10


def _compile(node: Node) -> Action:
    name, value_of = node.constant("name"), node.number("value")
    for child in node.children("dimension"):
        fixed = child.literal("name")
        if not child.has("value") and fixed is not None and fixed not in _DEFAULT_DIMENSIONS:
            child.fail(f"the dimension {fixed} needs a value")
    dimensions = [
        (child.string("name"), child.string("value") if child.has("value") else None)
        for child in node.children("dimension")
    ]

    def emit_metric(run: Run) -> None:
        context, labels = run.context, {}
        for name_of, text_of in dimensions:
            label = name_of(context) or ""
            labels[label] = (text_of(context) if text_of else _default(label, context)) or ""
        run.services.metrics.append((name, value_of(context), labels))

    return emit_metric


def _default(name: str, context: Context) -> str:
    """The value of a dimension that API Management fills in."""
    match name:
        case "API ID":
            return context.api.id
        case "Operation ID":
            return context.operation.id if context.operation else ""
        case "Location":
            return context.deployment.region
        case "Gateway ID":
            return context.deployment.gateway_id
        case _:
            return ""


POLICY = Policy(
    name="emit-metric",
    shape=Shape(
        (
            Attribute("name", required=True, expression=False),
            Attribute("namespace", default="API Management", expression=False),
            Attribute("value", default="1", kind=Kind.NUMBER),
        ),
        children=(
            Child(
                "dimension",
                Shape((Attribute("name", required=True), Attribute("value"))),
                least=1,
                most=_MAX_DIMENSIONS,
            ),
        ),
    ),
    compile=_compile,
)
