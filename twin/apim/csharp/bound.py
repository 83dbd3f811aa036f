"""What a piece of syntax became: a static type, and a closure that gives its value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from twin.apim.csharp.syntax import Node
from twin.apim.csharp.types import ClrType

Frame = list[Any]
"""Slot 0 holds the Context, slot 1 the value being returned, the others local variables."""
Run = Callable[[Frame], Any]
NOT_CONSTANT: Final = object()


@dataclass(slots=True)
class Bound:
    """An expression with a type. `path` names what is read of `context`, as in `context.Request.Body`."""

    type: ClrType
    run: Run
    at: int
    const: Any = NOT_CONSTANT
    path: str = ""

    @property
    def is_constant(self) -> bool:
        """Whether the value is known now."""
        return self.const is not NOT_CONSTANT


@dataclass(slots=True)
class TypeReference:
    """A name that means a type: static members follow."""

    type: ClrType
    at: int


@dataclass(slots=True)
class NamespaceReference:
    """The beginning of a qualified name."""

    name: str
    at: int


@dataclass(slots=True)
class Variable:
    """A local variable. A captured one lives in a cell, a list of one, that lambdas share."""

    name: str
    type: ClrType
    slot: int
    cell: bool
    const: Any = NOT_CONSTANT
    writable: bool = True


@dataclass(slots=True)
class ArgumentValue:
    """An argument of a call; a lambda is still syntax, an `out` is a variable to set."""

    bound: Bound | None
    node: Node
    at: int
    mode: str = ""
    name: str | None = None
    out: "OutTarget | None" = None
    lambda_node: Node | None = None


@dataclass(slots=True)
class OutTarget:
    """Where an out value goes; `declare` is set when the argument declares its variable."""

    type: ClrType | None
    declare: Callable[[ClrType], Callable[[Frame, Any], None]]


@dataclass(frozen=True, slots=True)
class Constant:
    """The run of a value that is known now: what runs it may take the value instead."""

    value: Any

    def __call__(self, _frame: Frame) -> Any:
        """The value."""
        return self.value


def constant(of: ClrType, value: object, at: int) -> Bound:
    """A constant."""
    return Bound(of, Constant(value), at, const=value)
