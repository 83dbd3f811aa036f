"""https://learn.microsoft.com/azure/api-management/choose-policy."""

from collections.abc import Awaitable

from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Child, Kind, Shape
from apim.statements import Action


def _compile(node: Node) -> Action:
    branches = [(when.boolean("condition"), when.statements()) for when in node.children("when")]
    otherwise = node.child("otherwise")
    last = otherwise.statements() if otherwise else None

    def choose(run: Run) -> Awaitable[None] | None:
        for condition, statements in branches:
            if condition(run.context):
                return statements(run)
        return last(run) if last else None

    return choose


POLICY = Policy(
    name="choose",
    shape=Shape(
        children=(
            Child(
                "when",
                Shape((Attribute("condition", required=True, kind=Kind.BOOLEAN),), statements=True),
                least=1,
                most=None,
            ),
            Child("otherwise", Shape(statements=True)),
        )
    ),
    compile=_compile,
)
