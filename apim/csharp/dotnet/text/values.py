"""ToString of any value, and formatting with a pattern."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apim.csharp.dotnet.date_times import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.text.date_times import date_text, offset_text, span_text
from apim.csharp.dotnet.text.numbers import double_text, format_number, number_text
from apim.csharp.dotnet.types import DEFINITIONS, ClrType
from apim.csharp.dotnet.values import Array, Char, EnumValue, Integer, to_python, type_of
from apim.csharp.errors import DotNetException, UnsupportedError

_NAMED_BY_TYPE: Final = frozenset({"List", "Dictionary", "HashSet"})
_GUID_FORMATS: Final = {"": "{}", "D": "{}", "N": "{}", "B": "{{{}}}", "P": "({})"}


def to_text(value: object) -> str | None:
    """The string that API Management writes for the value of an expression in an attribute or in text.

    A string is unchanged, a bool is `True` or `False`, null is None, any other value is its ToString().
    """
    if value is None:
        return None
    return to_python(to_string(value))


def to_string(value: Any) -> str:
    """value.ToString(); the empty string for null, as in concatenation and formatting."""
    function = _TEXTS.get(type(value))
    if function is not None:
        return function(value)
    own = getattr(value, "clr_text", None)
    if own is not None:
        return own()
    if type_of(value).name in _NAMED_BY_TYPE:
        return full_name(type_of(value))
    raise UnsupportedError(f"ToString() of {type_of(value)}")


def format_value(value: Any, pattern: str | None) -> str:  # noqa: PLR0911 -- one case per kind
    """value.ToString(pattern); the pattern is ignored for types without formats."""
    if not pattern or value is None:
        return to_string(value)
    if isinstance(value, (bool, str, Char)):
        return to_string(value)
    if isinstance(value, (int, float, Decimal)):
        return format_number(value, type_of(value).name, pattern)
    if isinstance(value, DateTime):
        return date_text(value, pattern)
    if isinstance(value, DateTimeOffset):
        return offset_text(value, pattern)
    if isinstance(value, TimeSpan):
        return span_text(value, pattern)
    if isinstance(value, UUID):
        return guid_text(value, pattern)
    if isinstance(value, EnumValue):
        return enum_format(value, pattern)
    own = getattr(value, "clr_format", None)
    return own(pattern) if own is not None else to_string(value)


def enum_text(value: EnumValue) -> str:
    """The name of an enum value, or its number if it has no name."""
    names = DEFINITIONS[value.clr_type.name].values
    for name, number in names.items():
        if number == value.number:
            return name
    if value.clr_type.name == "RegexOptions":
        return ", ".join(name for name, bit in names.items() if bit & value.number)
    return str(value.number)


def enum_format(value: EnumValue, pattern: str) -> str:
    """ToString of an enum with G, F, D or X."""
    match pattern.upper():
        case "G" | "F":
            return enum_text(value)
        case "D":
            return str(value.number)
        case "X":
            return f"{value.number:08X}"
    raise DotNetException(
        "FormatException", "Format string can be only 'G', 'g', 'X', 'x', 'F', 'f', 'D' or 'd'."
    )


def guid_text(value: UUID, pattern: str = "D") -> str:
    """ToString of a Guid."""
    form = _GUID_FORMATS.get(pattern.upper())
    if form is None:
        if pattern.upper() == "X":
            return _guid_numbers(value)
        raise DotNetException(
            "FormatException", "Format string can be only 'D', 'd', 'N', 'n', 'P', 'p', 'B', 'b', 'X' or 'x'."
        )
    return form.format(value.hex if pattern.upper() == "N" else str(value))


def _guid_numbers(value: UUID) -> str:
    first, second, third = value.fields[:3]
    rest = ",".join(f"0x{byte:02x}" for byte in value.bytes[8:])
    return f"{{0x{first:08x},0x{second:04x},0x{third:04x},{{{rest}}}}}"


def full_name(of: ClrType) -> str:
    """The full name of a type, as its ToString() returns it."""
    if of.name == "[]":
        return full_name(of.args[0]) + "[]"
    known = DEFINITIONS.get(of.name)
    if known is None:
        raise UnsupportedError(f"the full name of {of}")
    name = f"{known.namespace}.{known.name}"
    return f"{name}`{len(of.args)}[{','.join(map(full_name, of.args))}]" if of.args else name


_TEXTS: Final[dict[type, Callable[[Any], str]]] = {
    type(None): lambda _value: "",
    str: lambda value: value,
    bool: lambda value: "True" if value else "False",
    int: int.__repr__,
    float: double_text,
    Decimal: number_text,
    Char: chr,
    UUID: guid_text,
    DateTime: date_text,
    DateTimeOffset: offset_text,
    TimeSpan: span_text,
    EnumValue: enum_text,
    Array: lambda value: full_name(value.clr_type),
    **{kind: int.__repr__ for kind in Integer.__subclasses__() if kind is not Char},
}
