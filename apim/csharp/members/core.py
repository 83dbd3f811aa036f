"""Object, Boolean, Nullable, and the interfaces of values."""

from typing import Any

from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.signature import Typed, define
from apim.csharp.dotnet.text.parsing import parse_bool, read_bool
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import ClrType
from apim.csharp.dotnet.values import equals
from apim.csharp.errors import DotNetException

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
