"""What an element of a policy document may look like: the one place where attributes are described."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apim.node import Node
    from apim.statements import Action

INBOUND = frozenset({"inbound"})
BACKEND = frozenset({"backend"})
REQUEST = frozenset({"inbound", "backend"})
EVERYWHERE = frozenset({"inbound", "backend", "outbound", "on-error"})


class Text(Enum):
    """What may stand between an element's tags."""

    NONE = "no text"
    LITERAL = "a literal"
    VALUE = "a literal or an expression"


class Kind(Enum):
    """What a literal value must be; an expression's value is checked when it is there."""

    STRING = "text"
    BOOLEAN = "true or false"
    INTEGER = "a whole number"
    NUMBER = "a number"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Attributes:
        default: what its absence means.
        expression: whether it may be a policy expression.
        values: the literals that are allowed; empty for any.
        least: the smallest number that is allowed.
        most: the largest.
        unsupported: why this gateway refuses it although API Management knows it.
    """

    name: str
    required: bool = False
    default: str | None = None
    expression: bool = True
    kind: Kind = Kind.STRING
    values: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    unsupported: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """The content of an element.

    Attributes:
        statements: whether policies stand in it.
        keep_space: whether the space around a literal text belongs to it.
    """

    attributes: tuple[Attribute, ...] = ()
    text: Text = Text.NONE
    text_required: bool = False
    kind: Kind = Kind.STRING
    children: tuple["Child", ...] = ()
    statements: bool = False
    keep_space: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """An element within an element; `most` of None is any number."""

    name: str
    shape: Shape
    least: int = 0
    most: int | None = 1
    unsupported: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy: its element, where it may stand, and what it does.

    Attributes:
        sections: where it is allowed.
        once: whether a section may hold it only once.
        unavailable: the SKUs that do not have it.
        compile: makes the action that runs for each request.
    """

    name: str
    shape: Shape
    sections: frozenset[str] = EVERYWHERE
    once: bool = False
    unavailable: frozenset[str] = frozenset()
    compile: Callable[["Node"], "Action"]
