"""Convert."""

import base64
import re
from collections.abc import Callable
from typing import Any, Final

from apim.csharp.dotnet.convert import (
    from_base64,
    to_bool,
    to_char,
    to_date,
    to_decimal,
    to_double,
    to_integer,
)
from apim.csharp.dotnet.signature import define
from apim.csharp.dotnet.text.parsing import parse_bool, parse_integer
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import INTEGERS
from apim.csharp.dotnet.values import INTEGER_CLASSES, Array
from apim.csharp.errors import DotNetException, argument_null, integer_overflow, out_of_range
from apim.csharp.language.keywords import KEYWORDS

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
_DECIMAL: Final = 10
_HEXADECIMAL: Final = 16
_BASES: Final = {2, 8, _DECIMAL, _HEXADECIMAL}


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
        if text[0] == "-" and base != _DECIMAL:
            raise DotNetException(
                "ArgumentException", "String cannot contain a minus sign if the base is not 10."
            )
        if text[0] == "-" and low == 0:
            raise DotNetException(
                "OverflowException",
                "The string was being parsed as an unsigned number and could not have a negative sign.",
            )
        if base == _DECIMAL and not text[0].isspace() and not text[-1].isspace():
            return parse_integer(target, text)
        text = text.removeprefix("+")
        digits = text[2:] if base == _HEXADECIMAL and text[:2].lower() == "0x" else text
        alphabet = "0123456789abcdef"[:base]
        if not digits or any(c not in alphabet for c in digits.lower()):
            raise DotNetException("FormatException", "Could not find any recognizable digits.")
        number = int(digits, base)
        if number >= 1 << bits:
            raise integer_overflow(target)
        return INTEGER_CLASSES[target](number - (1 << bits) if number > high else number)

    return parse


def _to_base(bits: int) -> Callable[[int, int], str]:
    def text(value: int, base: int) -> str:
        if base not in _BASES:
            raise DotNetException("ArgumentException", "Invalid Base.")
        if base == _DECIMAL:
            return str(int(value))
        return format(int(value) & ((1 << bits) - 1), {2: "b", 8: "o", 16: "x"}[base])

    return text


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
            for source in (*(kind for kind in _SOURCES if kind != "char"), "object")
        },
        "static bool ToBoolean(string value)": lambda text: False if text is None else parse_bool(text),
        "static char ToChar(string value)": lambda text: to_char("" if text is None else text),
        **{
            f"static char ToChar({source} value)": to_char
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
