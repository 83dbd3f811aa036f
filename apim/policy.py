"""What the engine knows about each policy: its element, the sections that allow it, and its action."""

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
    """A policy: its element, where it is allowed, and its action.

    Attributes:
        sections: where it is allowed.
        once: whether it is allowed only once in a section.
        unavailable: the SKUs that do not have it.
        compile: creates the action that runs for each request.
    """

    name: str
    shape: Shape
    sections: frozenset[str] = EVERYWHERE
    once: bool = False
    unavailable: frozenset[str] = frozenset()
    compile: Callable[[Node], Action]
