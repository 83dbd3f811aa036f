"""Convert."""

import base64
import binascii
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from apim.csharp.conversions import decimal_of_double
from apim.csharp.errors import DotNetException, argument_null, out_of_range
from apim.csharp.members.core import parse_bool
from apim.csharp.members.numbers import parse_decimal, parse_double, parse_integer
from apim.csharp.moment_text import parse_date
from apim.csharp.moments import DateTime
from apim.csharp.signature import define
from apim.csharp.text import to_string
from apim.csharp.types import INTEGERS, KEYWORDS
from apim.csharp.values import INTEGER_CLASSES, Array, Char, type_of

_SOURCES: Final = (
    "bool",
    "char",
    "sbyte",
    "byte",
    "short",
    "ushort",
    "int",
    "uint",
    "long",
    "ulong",
    "double",
    "decimal",
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BASES: Final = {2, 8, 10, 16}
_LARGEST_DECIMAL: Final = 2**96 - 1


def _overflow(target: str) -> DotNetException:
    return DotNetException("OverflowException", f"Value was either too large or too small for {target}.")


def invalid_cast(value: Any, target: str) -> DotNetException:
    """What a conversion throws that does not exist."""
    return DotNetException("InvalidCastException", f"Invalid cast from '{type_of(value)}' to '{target}'.")


def to_integer(target: str, value: Any) -> int:
    """Convert.ToInt32(object) and its like: text is parsed, halves go to the even number."""
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
                raise _overflow(target)
            number = round(value)
        case Decimal():
            number = int(value.to_integral_value(ROUND_HALF_EVEN))
        case _:
            if hasattr(value, "number"):
                number = value.number
            else:
                return _by_itself(value, target)
    if not low <= number <= high:
        raise _overflow(target)
    return INTEGER_CLASSES[target](number)


def _by_itself(value: Any, target: str) -> Any:
    """IConvertible, which JSON's values implement too."""
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
    return _by_itself(value, "Double")


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
    return _by_itself(value, "Decimal")


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
    return _by_itself(value, "Boolean")


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
    return _by_itself(value, "DateTime")


def _to_char(value: Any) -> Char:
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


def _from_base(target: str) -> Callable[[str | None, int], int]:
    low, high = INTEGERS[target]
    bits = (high - low + 1).bit_length() - 1

    def parse(text: str | None, base: int) -> int:
        if base not in _BASES:
            raise DotNetException("ArgumentException", "Invalid Base.")
        if text is None:
            return INTEGER_CLASSES[target](0)
        if not text:
            raise DotNetException(
                "ArgumentOutOfRangeException",
                "Index was out of range. Must be non-negative and less than the length of the string.",
            )
        if text[0] == "-" and base != 10:  # noqa: PLR2004
            raise DotNetException(
                "ArgumentException", "String cannot contain a minus sign if the base is not 10."
            )
        if text[0] == "-" and low == 0:
            raise DotNetException(
                "OverflowException",
                "The string was being parsed as an unsigned number and could not have a negative sign.",
            )
        if base == 10 and not text[0].isspace() and not text[-1].isspace():  # noqa: PLR2004
            return parse_integer(target, text)
        text = text.removeprefix("+")
        digits = text[2:] if base == 16 and text[:2].lower() == "0x" else text  # noqa: PLR2004
        alphabet = "0123456789abcdef"[:base]
        if not digits or any(c not in alphabet for c in digits.lower()):
            raise DotNetException("FormatException", "Could not find any recognizable digits.")
        number = int(digits, base)
        if number >= 1 << bits:
            raise _overflow(target)
        return INTEGER_CLASSES[target](number - (1 << bits) if number > high else number)

    return parse


def _to_base(bits: int) -> Callable[[int, int], str]:
    def text(value: int, base: int) -> str:
        if base not in _BASES:
            raise DotNetException("ArgumentException", "Invalid Base.")
        if base == 10:  # noqa: PLR2004
            return str(int(value))
        return format(int(value) & ((1 << bits) - 1), {2: "b", 8: "o", 16: "x"}[base])

    return text


_NO_SPACE: Final = dict.fromkeys(map(ord, " \t\r\n"))


def from_base64(text: str | None) -> bytes:
    """Convert.FromBase64String: white space is skipped, padding must be there."""
    if text is None:
        raise argument_null("s")
    if not len(text) % 4 and not text.endswith("==="):
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            pass  # It may have white space in it, or padding that only the lenient reader takes.
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


def _to_base64(data: Array | None) -> str:
    if data is None:
        raise argument_null("inArray")
    return base64.b64encode(bytes(data)).decode()


def _to_base64_part(data: Array | None, offset: int, length: int) -> str:
    if data is None:
        raise argument_null("inArray")
    if offset < 0 or length < 0 or offset + length > len(data):
        raise out_of_range("offset")
    return base64.b64encode(bytes(data)[offset : offset + length]).decode()


def from_hex(text: str | None) -> bytes:
    """Convert.FromHexString."""
    if text is None:
        raise argument_null("s")
    if len(text) % 2 or not re.fullmatch(r"[0-9a-fA-F]*", text):
        raise DotNetException(
            "FormatException", "The input is not a valid hex string as it contains a non-hex character."
        )
    return bytes.fromhex(text)


def _to_hex(data: Array | None) -> str:
    if data is None:
        raise argument_null("inArray")
    return bytes(data).hex().upper()


def change_type(value: Any, target: str) -> Any:
    """Convert.ChangeType to a type by its .NET name, as Newtonsoft uses it."""
    if target in INTEGERS and target != "Char":
        return to_integer(target, value)
    found = {
        "Char": _to_char,
        "Double": to_double,
        "Decimal": to_decimal,
        "Boolean": to_bool,
        "DateTime": to_date,
        "String": lambda given: None if given is None else to_string(given),
    }.get(target)
    if found is None:
        raise invalid_cast(value, target)
    return found(value)


def _integers(name: str) -> dict[str, Any]:
    kind = KEYWORDS[name]

    def convert(value: Any) -> int:
        return to_integer(name, value)

    def convert_text(value: str | None) -> int:
        return INTEGER_CLASSES[name](0) if value is None else parse_integer(name, value)

    return {
        **{f"static {kind} To{name}({source} value)": convert for source in (*_SOURCES, "object")},
        f"static {kind} To{name}(string value)": convert_text,
        f"static {kind} To{name}(string value, int fromBase)": _from_base(name),
    }


def _to_text(value: Any) -> str:
    return to_string(value)


define(
    "static System.Convert",
    {
        **{key: value for name in INTEGERS if name != "Char" for key, value in _integers(name).items()},
        **{
            f"static double ToDouble({source} value)": to_double for source in (*_SOURCES, "string", "object")
        },
        **{
            f"static decimal ToDecimal({source} value)": to_decimal
            for source in (*_SOURCES, "string", "object")
        },
        **{
            f"static bool ToBoolean({source} value)": to_bool
            for source in (*(one for one in _SOURCES if one != "char"), "object")
        },
        "static bool ToBoolean(string value)": lambda text: False if text is None else parse_bool(text),
        "static char ToChar(string value)": lambda text: _to_char("" if text is None else text),
        **{
            f"static char ToChar({source} value)": _to_char
            for source in ("int", "long", "char", "byte", "object")
        },
        "static DateTime ToDateTime(string value)": to_date,
        "static DateTime ToDateTime(DateTime value)": to_date,
        "static DateTime ToDateTime(object value)": to_date,
        **{
            f"static string ToString({source} value)": _to_text
            for source in (*_SOURCES, "DateTime", "object")
        },
        "static string ToString(string value)": lambda text: text,
        "static string ToString(int value, int toBase)": _to_base(32),
        "static string ToString(long value, int toBase)": _to_base(64),
        "static string ToString(short value, int toBase)": _to_base(16),
        "static string ToString(byte value, int toBase)": _to_base(8),
        "static string ToBase64String(byte[] inArray)": _to_base64,
        "static string ToBase64String(byte[] inArray, int offset, int length)": _to_base64_part,
        "static byte[] FromBase64String(string s)": from_base64,
        "static string ToHexString(byte[] inArray)": _to_hex,
        "static byte[] FromHexString(string s)": from_hex,
    },
)
