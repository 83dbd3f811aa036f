"""Conversions of values whose type is known only at run time: System.Convert."""

import base64
import binascii
import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from apim.csharp.dotnet.conversions import decimal_of_double
from apim.csharp.dotnet.date_times import DateTime
from apim.csharp.dotnet.text.date_times import parse_date
from apim.csharp.dotnet.text.parsing import parse_bool, parse_decimal, parse_double, parse_integer
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import INTEGERS
from apim.csharp.dotnet.values import INTEGER_CLASSES, Char, type_of
from apim.csharp.errors import DotNetException, argument_null, integer_overflow

_LARGEST_DECIMAL: Final = 2**96 - 1


def invalid_cast(value: Any, target: str) -> DotNetException:
    """The exception for a conversion that does not exist."""
    return DotNetException("InvalidCastException", f"Invalid cast from '{type_of(value)}' to '{target}'.")


def to_integer(target: str, value: Any) -> int:
    """Convert.ToInt32(object) and similar methods: strings are parsed, halves are rounded to even."""
    low, high = INTEGERS[target]
    match value:
        case None:
            number = 0
        case bool() | int():
            number = int(value)
        case str():
            return parse_integer(target, value)
        case float():
            if value != value or abs(value) > 1e19:  # noqa: PLR0124, PLR2004 -- NaN; beyond every integer
                raise integer_overflow(target)
            number = round(value)
        case Decimal():
            number = int(value.to_integral_value(ROUND_HALF_EVEN))
        case _:
            if hasattr(value, "number"):
                number = value.number
            else:
                return _as_convertible(value, target)
    if not low <= number <= high:
        raise integer_overflow(target)
    return INTEGER_CLASSES[target](number)


def _as_convertible(value: Any, target: str) -> Any:
    """The conversion by IConvertible, which JSON values implement too."""
    own = getattr(value, "clr_convert", None)
    if own is not None:
        return own(target)
    if isinstance(value, DateTime):
        raise invalid_cast(value, target)
    raise DotNetException(
        "InvalidCastException", "Unable to cast object of this type to type 'System.IConvertible'."
    )


def to_double(value: Any) -> float:
    """Convert.ToDouble(object)."""
    match value:
        case None:
            return 0.0
        case str():
            return parse_double(value)
        case Char():
            raise invalid_cast(value, "Double")
        case bool() | int() | float() | Decimal():
            return float(value)
    return _as_convertible(value, "Double")


def to_decimal(value: Any) -> Decimal:
    """Convert.ToDecimal(object)."""
    match value:
        case None:
            return Decimal(0)
        case str():
            return parse_decimal(value)
        case Char():
            raise invalid_cast(value, "Decimal")
        case float():
            return decimal_of_double(value)
        case bool() | int() | Decimal():
            if abs(value) > _LARGEST_DECIMAL:
                raise DotNetException(
                    "OverflowException", "Value was either too large or too small for a Decimal."
                )
            return Decimal(value)
    return _as_convertible(value, "Decimal")


def to_bool(value: Any) -> bool:
    """Convert.ToBoolean(object)."""
    match value:
        case None:
            return False
        case str():
            return parse_bool(value)
        case Char():
            raise invalid_cast(value, "Boolean")
        case bool() | int() | float() | Decimal():
            return bool(value)
    return _as_convertible(value, "Boolean")


def to_date(value: Any) -> DateTime:
    """Convert.ToDateTime(object)."""
    match value:
        case None:
            return DateTime(0)
        case DateTime():
            return value
        case str():
            return parse_date(value)
        case bool() | int() | float() | Decimal():
            raise invalid_cast(value, "DateTime")
    return _as_convertible(value, "DateTime")


def to_char(value: Any) -> Char:
    """Convert.ToChar(object)."""
    if isinstance(value, str):
        if len(value) != 1:
            raise DotNetException("FormatException", "String must be exactly one character long.")
        return Char(ord(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return Char(to_integer("UInt16", int(value)))
    if value is None:
        return Char(0)
    if hasattr(value, "clr_convert"):
        return value.clr_convert("Char")
    raise invalid_cast(value, "Char")


_NO_SPACE: Final = dict.fromkeys(map(ord, " \t\r\n"))


def from_base64(text: str | None) -> bytes:
    """Convert.FromBase64String: white space is ignored, padding is required."""
    if text is None:
        raise argument_null("s")
    if not len(text) % 4 and not text.endswith("==="):
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            pass  # It may contain white space, or padding that only the lenient reader accepts.
    plain = text if _BASE64.fullmatch(text) else text.translate(_NO_SPACE)
    if len(plain) % 4 or not _BASE64.fullmatch(plain):
        raise DotNetException(
            "FormatException",
            "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two "
            "padding characters, or an illegal character among the padding characters.",
        )
    try:
        return base64.b64decode(plain)
    except binascii.Error:
        raise DotNetException("FormatException", "The input is not a valid Base-64 string.") from None


def change_type(value: Any, target: str) -> Any:
    """Convert.ChangeType to a type with a .NET name, as used by Newtonsoft."""
    if target in INTEGERS and target != "Char":
        return to_integer(target, value)
    found = {
        "Char": to_char,
        "Double": to_double,
        "Decimal": to_decimal,
        "Boolean": to_bool,
        "DateTime": to_date,
        "String": lambda value: None if value is None else to_string(value),
    }.get(target)
    if found is None:
        raise invalid_cast(value, target)
    return found(value)


_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
