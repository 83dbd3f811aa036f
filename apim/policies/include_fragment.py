"""https://learn.microsoft.com/azure/api-management/include-fragment-policy."""

from apim.node import Node
from apim.policy import Policy
from apim.shape import Attribute, Shape
from apim.statements import Action


def _compile(node: Node) -> Action:
    return node.fragment(node.constant("fragment-id"))


POLICY = Policy(
    name="include-fragment",
    shape=Shape((Attribute("fragment-id", required=True, expression=False),)),
    compile=_compile,
)
