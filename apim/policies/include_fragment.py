"""https://learn.microsoft.com/azure/api-management/include-fragment-policy."""

from typing import TYPE_CHECKING

from apim.shape import Attribute, Policy, Shape

if TYPE_CHECKING:
    from apim.node import Node
    from apim.statements import Action


def _compile(node: "Node") -> "Action":
    return node.compiler.fragment(node.constant("fragment-id"), node)


POLICY = Policy(
    name="include-fragment",
    shape=Shape((Attribute("fragment-id", required=True, expression=False),)),
    compile=_compile,
)
