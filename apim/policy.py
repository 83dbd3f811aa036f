"""The description of a policy: its element, the sections that allow it, and its action."""

from collections.abc import Callable
from dataclasses import dataclass

from apim.node import Node
from apim.shape import Shape
from apim.statements import Action

INBOUND = frozenset({"inbound"})
BACKEND = frozenset({"backend"})
REQUEST = frozenset({"inbound", "backend"})
EVERYWHERE = frozenset({"inbound", "backend", "outbound", "on-error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The description of a policy.

    Attributes:
        shape: the content of its element.
        sections: the sections that allow it.
        once: whether it is allowed only once in a section.
        unavailable: the SKUs in which it is not available.
        compile: creates the action that runs for each request.
    """

    name: str
    shape: Shape
    sections: frozenset[str] = EVERYWHERE
    once: bool = False
    unavailable: frozenset[str] = frozenset()
    compile: Callable[[Node], Action]
