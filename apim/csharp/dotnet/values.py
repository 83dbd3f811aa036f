"""Run-time values. Each value has its .NET type, so boxing needs no conversion.

| .NET | Python |
|---|---|
| null | None |
| Int32, Boolean, Double, Decimal, Guid | int, bool, float, decimal.Decimal, uuid.UUID |
| String | str, in UTF-16 code units |
| Int64, UInt32, ..., Char | subclasses of int below |
| enums | EnumValue |
| T[], List<T>, ... | Array (`bytes(value)` of a byte[]), and the classes in `collections` |
| DateTime, TimeSpan, DateTimeOffset | `date_times` |
| JToken | `json.tokens` |
| IRequest, Headers, ... | the classes in `apim.csharp.context` |
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apim.csharp.dotnet.types import BYTE, INTEGERS, OBJECT, ClrType, clr
from apim.csharp.errors import DotNetException
from apim.csharp.language.literals import SURROGATE, utf16


class Integer(int):
    """An integral value other than Int32; the result of arithmetic is a plain integer."""

    __slots__ = ()


class Long(Integer):
    """Int64."""

    __slots__ = ()


class ULong(Integer):
    """UInt64."""

    __slots__ = ()


class UInt(Integer):
    """UInt32."""

    __slots__ = ()


class Short(Integer):
    """Int16."""

    __slots__ = ()


class UShort(Integer):
    """UInt16."""

    __slots__ = ()


class Byte(Integer):
    """Byte."""

    __slots__ = ()


class SByte(Integer):
    """SByte."""

    __slots__ = ()


class Char(Integer):
    """Char, as the number of its UTF-16 code unit."""

    __slots__ = ()


INTEGER_CLASSES: Final[dict[str, type[int]]] = {
    "Int32": int,
    "Int64": Long,
    "UInt64": ULong,
    "UInt32": UInt,
    "Int16": Short,
    "UInt16": UShort,
    "Byte": Byte,
    "SByte": SByte,
    "Char": Char,
}
BYTES_TABLE: Final = tuple(Byte(number) for number in range(256))


class EnumValue:
    """A value of an enum."""

    __slots__ = ("clr_type", "number")

    def __init__(self, clr_type: ClrType, number: int) -> None:
        self.clr_type = clr_type
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnumValue) and (other.clr_type, other.number) == (self.clr_type, self.number)

    def __hash__(self) -> int:
        return hash((self.clr_type, self.number))


class Array:
    """T[]. The items of a byte[] are a bytearray, those of other arrays a list."""

    __slots__ = ("clr_type", "items")
    items: Any

    def __init__(self, element: ClrType, items: Any) -> None:
        self.clr_type = clr("[]", element)
        self.items = bytearray(items) if element is BYTE else items

    @classmethod
    def of(cls, element: ClrType, items: Iterable[object]) -> "Array":
        """A new array with these items."""
        return cls(element, items if element is BYTE else list(items))

    def __bytes__(self) -> bytes:
        return bytes(self.items)

    def __iter__(self) -> Iterator[object]:
        if self.clr_type.args[0] is BYTE:
            return map(BYTES_TABLE.__getitem__, self.items)
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Sequence:
    """An IEnumerable<T> that is computed each time it is enumerated."""

    __slots__ = ("clr_type", "make")

    def __init__(
        self, element: ClrType, make: Callable[[], Iterable[object]], kind: str = "IEnumerable"
    ) -> None:
        self.clr_type = clr(kind, element)
        self.make = make

    def __iter__(self) -> Iterator[object]:
        return iter(self.make())


_PLAIN: Final[dict[type, ClrType]] = {
    **{python: clr(name) for name, python in INTEGER_CLASSES.items()},
    bool: clr("Boolean"),
    str: clr("String"),
    float: clr("Double"),
    Decimal: clr("Decimal"),
    UUID: clr("Guid"),
}


def type_of(value: Any) -> ClrType:
    """The .NET type of a value other than null."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain
    if isinstance(value, DotNetException):
        return clr(value.type_name)
    return getattr(value, "clr_type", OBJECT)


def integer(type_name: str, value: int) -> int:
    """A value of an integral type, wrapped around as in unchecked arithmetic."""
    low, high = INTEGERS[type_name]
    if not low <= value <= high:
        value = (value - low) % (high - low + 1) + low
    return INTEGER_CLASSES[type_name](value)


def iterate(value: Any) -> Iterator[object]:
    """The items of an enumerable value other than null."""
    if isinstance(value, str):
        return map(Char, map(ord, value))
    return iter(value)


def to_python(text: str) -> str:
    """A Python string from UTF-16 code units: surrogate pairs are joined, lone surrogates replaced."""
    if text.isascii() or not SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def equals(left: Any, right: Any) -> bool:
    """Object.Equals(object)."""
    if left is None or right is None:
        return left is right
    if isinstance(left, (int, float, Decimal, str, UUID)):
        if isinstance(left, float) and left != left:  # noqa: PLR0124 -- NaN equals NaN here
            return isinstance(right, float) and right != right  # noqa: PLR0124
        return type(left) is type(right) and left == right
    own = getattr(left, "clr_equals", None)
    if own is not None:
        return bool(own(right))
    if isinstance(left, EnumValue):
        return left == right
    return left is right


def from_python(value: Any) -> Any:
    """A value that comes from outside an expression; a string is converted to UTF-16 code units."""
    return utf16(value) if type(value) is str else value
