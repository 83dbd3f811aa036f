"""https://learn.microsoft.com/azure/api-management/set-variable-policy."""

from typing import TYPE_CHECKING

from apim.shape import Attribute, Policy, Shape

if TYPE_CHECKING:
    from apim.node import Node
    from apim.run import Run
    from apim.statements import Action


def _compile(node: "Node") -> "Action":
    name, value = node.constant("name"), node.value("value")

    def set_variable(run: "Run") -> None:
        run.context.variables[name] = value(run.context)

    return set_variable


POLICY = Policy(
    name="set-variable",
    shape=Shape((Attribute("name", required=True, expression=False), Attribute("value", required=True))),
    compile=_compile,
)
