"""The result of lowering a node: a static type, and the Python expression for its value."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apim.csharp.dotnet.signature import NOT_CONSTANT
from apim.csharp.dotnet.types import ClrType
from apim.csharp.language.syntax import Node

Setter = Callable[[str], str]
"""A function that converts the Python expression for a value to one that assigns the value."""


@dataclass(slots=True)
class Bound:
    """An expression with a type.

    Attributes:
        type: its static type.
        code: the Python code for its value; empty for a constant, so use `Base.text` to read it.
        at: its offset in the text.
        const: its value, if it is known at compile time.
        path: the part of `context` that is read, as in `context.Request.Body`.
        present: whether it is never null.
        shared: for a new array of constants, an array with these items for callers that only read it.
    """

    type: ClrType
    code: str
    at: int
    const: Any = NOT_CONSTANT
    path: str = ""
    present: bool = False
    shared: Any = None

    @property
    def is_constant(self) -> bool:
        """Whether the value is known at compile time."""
        return self.const is not NOT_CONSTANT


@dataclass(frozen=True, slots=True)
class Known:
    """A string that is known at compile time."""

    text: str


@dataclass(slots=True)
class Concatenation(Bound):
    """A chain of `+` whose operands, constants and Python expressions for strings, are joined together."""

    parts: list[str | Known] = field(default_factory=list)


@dataclass(slots=True)
class TypeReference:
    """The name of a type, which static members follow."""

    type: ClrType
    at: int


@dataclass(slots=True)
class NamespaceReference:
    """The first part of a qualified name."""

    name: str
    at: int


@dataclass(slots=True)
class Variable:
    """A local variable. A variable that changes and that lambdas use is stored in a cell, a shared list."""

    name: str
    type: ClrType
    code: str
    cell: bool
    const: Any = NOT_CONSTANT
    writable: bool = True


@dataclass(slots=True)
class ArgumentValue:
    """An argument of a call.

    Attributes:
        bound: its value; None for an `out` argument, a placeholder for a lambda.
        mode: "" or "out".
        name: the parameter's name, if the argument is named.
        out: the variable that an `out` argument sets.
        lambda_node: a lambda or a method group, which is lowered when the parameter's type is known.
    """

    bound: Bound | None
    node: Node
    at: int
    mode: str = ""
    name: str | None = None
    out: "OutTarget | None" = None
    lambda_node: Node | None = None


@dataclass(slots=True)
class OutTarget:
    """The variable that an `out` argument sets.

    Attributes:
        type: its type; None for `out var x`.
        declare: returns the setter of the variable, after it has declared a new variable.
    """

    type: ClrType | None
    declare: Callable[[ClrType], Setter]


def constant(of: ClrType, value: object, at: int) -> Bound:
    """A constant."""
    return Bound(of, "", at, const=value, present=value is not None)
