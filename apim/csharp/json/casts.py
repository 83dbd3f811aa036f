"""The casts of JSON values to .NET types."""

import base64
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from apim.csharp.dotnet.convert import (
    change_type,
    from_base64,
    to_bool,
    to_date,
    to_decimal,
    to_double,
    to_integer,
)
from apim.csharp.dotnet.date_times import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.text.date_times import parse_offset, parse_span
from apim.csharp.dotnet.text.parsing import parse_guid
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import BYTE, INTEGERS
from apim.csharp.dotnet.uri import Uri, make_uri
from apim.csharp.dotnet.values import Array, Char
from apim.csharp.errors import DotNetException
from apim.csharp.json.plain import BigInteger

_BASIC: Final = frozenset({"Integer", "Float", "String", "Comment", "Raw", "Boolean"})
_TEXT: Final = frozenset({"String", "Comment", "Raw"})
_ALLOWED: Final = {
    "Boolean": _BASIC,
    "Double": _BASIC,
    "Decimal": _BASIC,
    "Char": _BASIC - {"Boolean"},
    "String": _BASIC | {"Date", "Bytes", "Guid", "TimeSpan", "Uri"},
    "DateTime": _TEXT | {"Date"},
    "DateTimeOffset": _TEXT | {"Date"},
    "Guid": _TEXT | {"Guid", "Bytes"},
    "TimeSpan": _TEXT | {"TimeSpan"},
    "Uri": _TEXT | {"Uri"},
    "Byte[]": _TEXT | {"Bytes", "Integer"},
    **dict.fromkeys((name for name in INTEGERS if name != "Char"), _BASIC),
}


def _to_text(value: Any) -> str:
    if isinstance(value, Array):
        return base64.b64encode(bytes(value)).decode()
    return to_string(value)


def _to_offset(value: Any) -> DateTimeOffset:
    if isinstance(value, DateTimeOffset):
        return value
    if isinstance(value, DateTime):
        return DateTimeOffset(value.ticks)
    return parse_offset(value)


def _to_date(value: Any) -> DateTime:
    return value.clock_time if isinstance(value, DateTimeOffset) else to_date(value)


def _to_guid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, Array):
        return UUID(bytes_le=bytes(value))
    return parse_guid(_to_text(value))


def _to_span(value: Any) -> TimeSpan:
    return value if isinstance(value, TimeSpan) else parse_span(value)


def _to_uri(value: Any) -> Any:
    return value if isinstance(value, Uri) else make_uri(to_string(value))


def _to_bytes(value: Any) -> Array:
    if isinstance(value, Array):
        return value
    if isinstance(value, str):
        return Array(BYTE, from_base64(value))
    if isinstance(value, BigInteger):
        size = (value.bit_length() + 8) // 8
        return Array(BYTE, int(value).to_bytes(size, "little", signed=True))
    raise DotNetException("ArgumentException", "Can not convert Integer to byte array.")


def _to_char(value: Any) -> Char:
    return change_type(value, "Char")


_CASTS: Final[dict[str, Callable[[Any], Any]]] = {
    "Boolean": lambda value: to_bool(to_integer("Int32", value) if isinstance(value, BigInteger) else value),
    "Double": to_double,
    "Decimal": to_decimal,
    "Char": _to_char,
    "String": _to_text,
    "DateTime": _to_date,
    "DateTimeOffset": _to_offset,
    "Guid": _to_guid,
    "TimeSpan": _to_span,
    "Uri": _to_uri,
    "Byte[]": _to_bytes,
    **{name: (lambda value, name=name: to_integer(name, value)) for name in INTEGERS if name != "Char"},
}


def is_castable(target: str) -> bool:
    """Whether JSON values have a cast to the type with a name."""
    return target in _CASTS


def cast_value(kind: str, value: Any, target: str, *, nullable: bool = False) -> Any:
    """`(T)token` for the value of a token.

    Args:
        kind: the token's JTokenType.
        value: the value; None for a token that is an object, an array or a property.
        target: the name of T without its `?`.
        nullable: whether null is a value of T.

    Raises:
        DotNetException: ArgumentException, FormatException, OverflowException.
    """
    no_value = nullable and target != "Byte[]" and kind in {"Null", "Undefined"}
    if kind not in _ALLOWED[target] and not no_value:
        raise DotNetException("ArgumentException", f"Can not convert {kind} to {target}.")
    if nullable and value is None:
        return None
    return _CASTS[target](value)
