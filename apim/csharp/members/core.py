"""Object, Boolean, Nullable, and the interfaces of values."""

from typing import Any

from apim.csharp.errors import DotNetException, argument_null
from apim.csharp.signature import Typed, define
from apim.csharp.text import to_string
from apim.csharp.types import ClrType
from apim.csharp.values import default_of, equals

define(
    "class System.Object",
    {
        "string ToString()": to_string,
        "bool Equals(object obj)": equals,
        "static bool Equals(object objA, object objB)": equals,
    },
)
define("interface IComparable")
define("interface IComparable1<T>")
define("interface IDisposable", {"void Dispose()": lambda _value: None})
define("class System.ValueType")


def parse_bool(text: str | None) -> bool:
    """bool.Parse."""
    if text is None:
        raise argument_null("value")
    found = read_bool(text)
    if found is None:
        raise DotNetException("FormatException", f"String '{text}' was not recognized as a valid Boolean.")
    return found


def read_bool(text: str | None) -> bool | None:
    """A bool, or None."""
    return {"true": True, "false": False}.get((text or "").strip(" \t\n\v\f\r\x85\xa0\0").lower())


def _try_parse(text: str | None) -> tuple[bool, bool]:
    found = read_bool(text)
    return found is not None, bool(found)


define(
    "struct System.Boolean : IComparable",
    {
        "static bool Parse(string value)": parse_bool,
        "static bool TryParse(string value, out bool result)": _try_parse,
        "static string TrueString": "True",
        "static string FalseString": "False",
        "bool Equals(bool obj)": equals,
        "int CompareTo(bool value)": lambda a, b: int(a) - int(b),
    },
)


def _value(value: Any) -> Any:
    if value is None:
        raise DotNetException("InvalidOperationException", "Nullable object must have a value.")
    return value


def _value_or_default(of: ClrType) -> Any:
    default = default_of(of)
    return lambda value: default if value is None else value


define(
    "struct System.Nullable<T>",
    {
        "bool HasValue": lambda value: value is not None,
        "T Value": _value,
        "T GetValueOrDefault()": Typed(_value_or_default),
        "T GetValueOrDefault(T defaultValue)": lambda value, default: default if value is None else value,
        "string ToString()": to_string,
    },
)
