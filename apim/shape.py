"""Descriptions of the elements of policy documents: attributes, text and child elements."""

from dataclasses import dataclass
from enum import Enum


class Text(Enum):
    """The text that an element may contain."""

    NONE = "no text"
    VALUE = "a literal or an expression"


class Kind(Enum):
    """The type of a value. A literal is checked when it is compiled, an expression when it is evaluated."""

    STRING = "text"
    BOOLEAN = "true or false"
    INTEGER = "a whole number"
    NUMBER = "a number"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Attributes:
        default: the value if the attribute is absent.
        expression: whether a policy expression is allowed.
        values: the literals that are allowed; empty for any.
        least: the smallest number that is allowed.
        most: the largest number that is allowed.
        unsupported: why this gateway rejects it although API Management supports it.
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


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The content of an element.

    Attributes:
        text: the text that it may contain.
        text_required: whether the text must not be empty.
        kind: the type of the text.
        children: the elements that it may contain.
        statements: whether it contains policies.
        keep_space: whether white space around literal text is part of the text.
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
    """A child element.

    Attributes:
        least: the smallest number of occurrences.
        most: the largest number of occurrences; None for any number.
        unsupported: why this gateway rejects it although API Management supports it.
    """

    name: str
    shape: Shape
    least: int = 0
    most: int | None = 1
    unsupported: str | None = None
