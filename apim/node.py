"""A valid element of a policy document, with its values as functions.

Policies are compiled from nodes. A node provides each attribute and text as a function of the context, which
converts the value to the attribute's kind and raises a Failure if that is not possible.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from apim.csharp import to_text
from apim.csharp.context import Context
from apim.failure import Failure
from apim.rawxml import Element
from apim.service import PolicySettings
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action

T = TypeVar("T")
Read = Callable[[Context], T]


@dataclass(frozen=True, slots=True)
class Operand:
    """A compiled value.

    Attributes:
        read: evaluates it.
        constant: the text of a literal; None for an expression.
        reads: the bodies that an expression reads.
    """

    read: Read[object]
    constant: str | None
    reads: frozenset[str] = frozenset()


class Compilation(Protocol):
    """The compilation of the section that contains the element."""

    @property
    def section_name(self) -> str:
        """The section: "inbound" and so on."""
        ...

    @property
    def settings(self) -> PolicySettings:
        """The settings of the service that policies read when they are compiled."""
        ...

    def report(self, message: str, line: int, column: int, code: str = ...) -> None:
        """Adds a finding."""
        ...

    def statements(self, element: Element, path: str) -> Action:
        """The policies within an element, as one action."""
        ...

    def fragment(self, fragment_id: str, node: "Node") -> Action:
        """The statements of a fragment that the node includes, as one action."""
        ...


class Node:
    """A valid element.

    Attributes:
        element: the XML element.
        shape: its allowed attributes, elements and text.
        path: its position within other policies, such as "choose[1]/when[2]".
        reads: the bodies that its expressions read, which the gateway must read first.
    """

    __slots__ = ("_attributes", "_children", "_compilation", "_text", "element", "path", "reads", "shape")

    def __init__(
        self,
        element: Element,
        shape: Shape,
        compilation: Compilation,
        path: str,
        *,
        attributes: dict[str, Operand],
        children: dict[str, list["Node"]],
        text: Operand | None,
        reads: set[str],
    ) -> None:
        self.element = element
        self.shape = shape
        self._compilation = compilation
        self.path = path
        self._attributes = attributes
        self._children = children
        self._text = text
        self.reads = reads

    @property
    def section(self) -> str:
        """The section that the element is in: "inbound" and so on."""
        return self._compilation.section_name

    @property
    def settings(self) -> PolicySettings:
        """The settings of the service that policies read when they are compiled."""
        return self._compilation.settings

    def has(self, name: str) -> bool:
        """Whether the element has the attribute."""
        return name in self._attributes

    def constant(self, name: str) -> str:
        """The literal (or default) value of an attribute that cannot be an expression; "" if it is absent."""
        operand = self._attributes.get(name)
        if operand is not None and operand.constant is not None:
            return operand.constant
        return self._attribute(name).default or ""

    def literal(self, name: str) -> str | None:
        """The attribute's text if it is written as a literal."""
        operand = self._attributes.get(name)
        return operand.constant if operand is not None else None

    @property
    def known_attributes(self) -> frozenset[str]:
        """The names of the attributes that the element may have."""
        return frozenset(attribute.name for attribute in self.shape.attributes)

    def literal_default(self, name: str) -> str | None:
        """The value of the attribute if it is absent."""
        return self._attribute(name).default

    def flag(self, name: str) -> bool:
        """An attribute that cannot be an expression, as a boolean."""
        return self.constant(name).lower() == "true"

    def value(self, name: str) -> Read[object]:
        """The attribute without conversion: a literal's text, an expression's boxed value, or the default."""
        operand = self._attributes.get(name)
        if operand is not None:
            return operand.read
        default = self._attribute(name).default
        return lambda _context: default

    def string(self, name: str) -> Read[str | None]:
        """The attribute as a string; None if it is absent and has no default."""
        return _as_text(self._operand(name))

    def boolean(self, name: str) -> Read[bool]:
        """The attribute as a boolean."""
        return _converted(self._operand(name), name, _to_boolean)

    def integer(self, name: str) -> Read[int]:
        """The attribute as an integer."""
        return _converted(self._operand(name), name, _to_integer)

    def number(self, name: str) -> Read[float]:
        """The attribute as a floating-point number."""
        return _converted(self._operand(name), name, _to_number)

    def text(self) -> Read[str | None]:
        """The text between the tags; None if it is absent."""
        return _as_text(self._text)

    def text_value(self) -> Read[object]:
        """The text between the tags; the value of an expression is not converted to a string."""
        operand = self._text
        return operand.read if operand is not None else lambda _context: None

    @property
    def text_constant(self) -> str | None:
        """The literal text between the tags; None if it is absent or an expression."""
        return self._text.constant if self._text is not None else None

    def children(self, name: str) -> list["Node"]:
        """The child elements with this name."""
        return self._children.get(name, [])

    def ordered(self) -> list["Node"]:
        """All child elements, in the order of the document."""
        nodes = [node for nodes in self._children.values() for node in nodes]
        return sorted(nodes, key=lambda node: (node.element.line, node.element.column))

    def child(self, name: str) -> "Node | None":
        """The first child element with this name; None if it does not exist."""
        nodes = self._children.get(name)
        return nodes[0] if nodes else None

    def statements(self) -> Action:
        """The policies within this element, as one action."""
        return self._compilation.statements(self.element, self.path)

    def fragment(self, fragment_id: str) -> Action:
        """The statements of a fragment that this element includes, as one action."""
        return self._compilation.fragment(fragment_id, self)

    def fail(self, message: str, attribute: str | None = None) -> None:
        """Reports an error in the element, or in one of its attributes."""
        value = self.element.attributes.get(attribute) if attribute else None
        line, column = (value.line, value.column) if value else (self.element.line, self.element.column)
        self._compilation.report(message, line, column)

    def _attribute(self, name: str) -> Attribute:
        return next(attribute for attribute in self.shape.attributes if attribute.name == name)

    def _operand(self, name: str) -> Operand | None:
        operand = self._attributes.get(name)
        if operand is not None:
            return operand
        default = self._attribute(name).default
        return None if default is None else Operand(lambda _context: default, default)


def _as_text(operand: Operand | None) -> Read[str | None]:
    if operand is None:
        return lambda _context: None
    if operand.constant is not None:
        constant = operand.constant
        return lambda _context: constant
    read = operand.read

    def as_text(context: Context) -> str | None:
        value = read(context)
        return value if type(value) is str else to_text(value)

    return as_text


def _converted(operand: Operand | None, name: str, convert: Callable[[object, str], T]) -> Read[T]:
    if operand is None:
        raise LookupError(f"the attribute {name} has neither a value nor a default")
    if operand.constant is not None:
        constant = convert(operand.constant, name)
        return lambda _context: constant
    read = operand.read
    return lambda context: convert(read(context), name)


def _to_boolean(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else to_text(value)
    if text is not None and text.strip().lower() in {"true", "false"}:
        return text.strip().lower() == "true"
    raise _wrong(name, Kind.BOOLEAN)


def _to_integer(value: object, name: str) -> int:
    if type(value) is int:
        return value
    try:
        return int((value if isinstance(value, str) else to_text(value)) or "")
    except ValueError:
        raise _wrong(name, Kind.INTEGER) from None


def _to_number(value: object, name: str) -> float:
    try:
        return float((value if isinstance(value, str) else to_text(value)) or "")
    except ValueError:
        raise _wrong(name, Kind.NUMBER) from None


def _wrong(name: str, kind: Kind) -> Failure:
    return Failure(
        reason="ExpressionValueEvaluationFailure",
        message=f"Expression evaluation failed. The value of {name} must be {kind.value}.",
    )
