"""Static types. Equal types are the same object, so they are compared with `is`."""

from dataclasses import dataclass, field
from functools import cache
from typing import Final


@dataclass(frozen=True, eq=False, slots=True)
class ClrType:
    """A .NET type: its short name and its type arguments. `!T` is the type parameter T."""

    name: str
    args: "tuple[ClrType, ...]" = ()

    def __str__(self) -> str:
        """The type in C# syntax, with .NET's names."""
        if self.name == "[]":
            return f"{self.args[0]}[]"
        if self.name == "Nullable":
            return f"{self.args[0]}?"
        if not self.args:
            return self.name.removeprefix("!")
        return f"{self.name}<{', '.join(map(str, self.args))}>"

    @property
    def clr_name(self) -> str:
        """The result of `GetType().Name`."""
        if self.name == "[]":
            return f"{self.args[0].clr_name}[]"
        # The tables name tuples by their length: Tuple2.
        return f"{self.name.rstrip('1234')}`{len(self.args)}" if self.args else self.name


@cache
def clr(name: str, *args: ClrType) -> ClrType:
    """The type with this name and these type arguments."""
    return ClrType(name, args)


OBJECT: Final = clr("Object")
STRING: Final = clr("String")
BOOLEAN: Final = clr("Boolean")
CHAR: Final = clr("Char")
INT32: Final = clr("Int32")
BYTE: Final = clr("Byte")
DATE_TIME: Final = clr("DateTime")
TIME_SPAN: Final = clr("TimeSpan")
DATE_TIME_OFFSET: Final = clr("DateTimeOffset")
JTOKEN: Final = clr("JToken")
DYNAMIC: Final = clr("dynamic")
VOID: Final = clr("Void")
NULL: Final = clr("null")
"""The type of the literal null."""
THROWS: Final = clr("throw")
"""The type of a throw expression: it converts to everything."""
LAMBDA: Final = clr("lambda")
"""The type of a lambda whose delegate type is not known yet."""

INTEGERS: Final = {
    "SByte": (-(2**7), 2**7 - 1),
    "Byte": (0, 2**8 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1),
    "Char": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt64": (0, 2**64 - 1),
}
"""Integral types with their smallest and largest values."""
NUMBERS: Final = frozenset(INTEGERS) | {"Double", "Decimal"}


def array_of(element: ClrType) -> ClrType:
    """`element[]`."""
    return clr("[]", element)


def nullable(of: ClrType) -> ClrType:
    """`of?`."""
    return clr("Nullable", of)


@dataclass(slots=True, kw_only=True)
class Definition:
    """The definition of a type.

    Attributes:
        kind: `class`, `struct`, `enum`, `interface` or `static`.
        parameters: the names of its type parameters.
        bases: its base class and interfaces, in C# syntax.
        members: by name, the signatures with the functions that implement them.
    """

    name: str
    namespace: str
    kind: str
    parameters: tuple[str, ...]
    bases: tuple[str, ...]
    members: dict[str, list[tuple[str, object]]] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    """The names and numbers of an enum."""

    @property
    def is_value_type(self) -> bool:
        """Whether it cannot be null."""
        return self.kind in {"struct", "enum"}


DEFINITIONS: Final[dict[str, Definition]] = {}


def definition(of: ClrType) -> Definition | None:
    """The definition of a type; None for built-in types such as `dynamic`."""
    return DEFINITIONS.get("Array" if of.name == "[]" else of.name)


def is_value_type(of: ClrType) -> bool:
    """Whether it is a value type other than `Nullable`."""
    known = DEFINITIONS.get(of.name)
    return known is not None and known.is_value_type and of.name != "Nullable"


def is_reference_type(of: ClrType) -> bool:
    """Whether it is a reference type."""
    return of.name not in {"Nullable", "Void"} and not is_value_type(of)


def is_enum(of: ClrType) -> bool:
    """Whether it is an enum."""
    known = DEFINITIONS.get(of.name)
    return known is not None and known.kind == "enum"


def is_interface(of: ClrType) -> bool:
    """Whether it is an interface."""
    known = DEFINITIONS.get(of.name)
    return known is not None and known.kind == "interface"


def substitute(of: ClrType, bindings: "dict[str, ClrType]") -> ClrType:
    """Replaces type parameters."""
    if of.name.startswith("!"):
        return bindings.get(of.name[1:], of)
    if not of.args:
        return of
    return clr(of.name, *(substitute(arg, bindings) for arg in of.args))


def is_open(of: ClrType) -> bool:
    """Whether it contains type parameters."""
    return of.name.startswith("!") or any(map(is_open, of.args))
