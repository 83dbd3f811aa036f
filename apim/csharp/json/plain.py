"""Writes plain .NET values as JSON."""

import base64
import math
import re
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apim.csharp.dotnet.date_times import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.text.date_times import date_text, offset_text, span_text
from apim.csharp.dotnet.text.numbers import double_text, number_text
from apim.csharp.dotnet.types import BYTE, clr
from apim.csharp.dotnet.values import Array, Char, EnumValue, Integer, equals
from apim.csharp.errors import DotNetException, UnsupportedError

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile('["\\\\\x00-\x1f\x85\u2028\u2029]')


def quote(text: str) -> str:
    """A string as JSON, with its quotes."""
    return '"' + _ESCAPED.sub(lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'


def value_text(value: Any) -> str:  # noqa: C901, PLR0911, PLR0912 -- one case per kind
    """The JSON of a plain value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Char():
            return quote(chr(value))
        case str():
            return quote(value)
        case int():
            return int.__repr__(value)
        case float():
            if not math.isfinite(value):
                return f'"{double_text(value)}"'
            return _with_point(double_text(value))
        case Decimal():
            return _with_point(number_text(value))
        case DateTime():
            return f'"{date_text(value, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")}"'
        case DateTimeOffset():
            return f'"{offset_text(value, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")}"'
        case TimeSpan():
            return f'"{span_text(value)}"'
        case UUID():
            return f'"{value}"'
        case EnumValue():
            return str(value.number)
        case Array():
            return f'"{base64.b64encode(bytes(value)).decode()}"'
    own = getattr(value, "original", None)
    if own is not None:
        return quote(own)
    raise UnsupportedError("writing this value as JSON")


def _with_point(text: str) -> str:
    return text if any(c in text for c in ".Ee") else text + ".0"


TOKEN_TYPES: Final = {
    "None": 0,
    "Object": 1,
    "Array": 2,
    "Constructor": 3,
    "Property": 4,
    "Comment": 5,
    "Integer": 6,
    "Float": 7,
    "String": 8,
    "Boolean": 9,
    "Null": 10,
    "Undefined": 11,
    "Date": 12,
    "Raw": 13,
    "Bytes": 14,
    "Guid": 15,
    "Uri": 16,
    "TimeSpan": 17,
}


class BigInteger(Integer):
    """A JSON integer that is too large for a long."""

    __slots__ = ()
    clr_type = clr("BigInteger")


def kind_of(value: Any) -> str:  # noqa: C901, PLR0911 -- one case per kind
    """The JTokenType of a .NET value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, (str, Char)):
        return "String"
    if isinstance(value, int):
        return "Integer"
    if isinstance(value, EnumValue):
        return "Integer"
    if isinstance(value, (float, Decimal)):
        return "Float"
    if isinstance(value, (DateTime, DateTimeOffset)):
        return "Date"
    if isinstance(value, TimeSpan):
        return "TimeSpan"
    if isinstance(value, UUID):
        return "Guid"
    if isinstance(value, Array) and value.clr_type.args[0] is BYTE:
        return "Bytes"
    if getattr(value, "clr_type", None) is clr("Uri"):
        return "Uri"
    raise DotNetException("ArgumentException", "Could not determine JSON object type for this type.")


def same_value(left: Any, right: Any) -> bool:
    """Whether two values with the same JTokenType are equal; numbers are compared without their types."""
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        return left == right
    if isinstance(left, Array) and isinstance(right, Array):
        return bytes(left) == bytes(right)
    return equals(left, right)
