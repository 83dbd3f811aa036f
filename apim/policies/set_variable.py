"""https://learn.microsoft.com/azure/api-management/set-variable-policy."""

from apim.failure import Failure
from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Shape
from apim.statements import Action


def _compile(node: Node) -> Action:
    name, value = node.constant("name"), node.value("value")

    def set_variable(run: Run) -> None:
        found = value(run.context)
        if found is None and run.readings.null_variable == "error":
            raise Failure(
                reason="ExpressionValueEvaluationFailure",
                message=f"Expression evaluation failed. The value of the variable {name} is null.",
            )
        run.context.variables[name] = found

    return set_variable


POLICY = Policy(
    name="set-variable",
    shape=Shape((Attribute("name", required=True, expression=False), Attribute("value", required=True))),
    compile=_compile,
)
