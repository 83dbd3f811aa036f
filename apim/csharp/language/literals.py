"""The values of C# literals, according to the section "Literals" of the C# 7.3 specification.

Strings consist of UTF-16 code units, as in .NET: a character beyond U+FFFF is represented by two units.
"""

import re
import sys
from decimal import Decimal, InvalidOperation
from typing import Final

from apim.csharp.errors import CompileError, DotNetException
from apim.csharp.language.decimals import checked_decimal
from apim.csharp.language.syntax import Literal

_SIMPLE: Final = {
    "'": "'",
    '"': '"',
    "\\": "\\",
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{1,4})|(.)|$)", re.DOTALL)
_INTEGER_TYPES: Final = {
    "": ("Int32", "UInt32", "Int64", "UInt64"),
    "u": ("UInt32", "UInt64"),
    "l": ("Int64", "UInt64"),
    "ul": ("UInt64",),
}
SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""A code unit that is half of a character beyond U+FFFF."""
_SUPPLEMENTARY: Final = re.compile("[\U00010000-\U0010ffff]")
_LARGEST: Final = {"Int32": 2**31 - 1, "UInt32": 2**32 - 1, "Int64": 2**63 - 1, "UInt64": 2**64 - 1}


def utf16(text: str) -> str:
    """Converts a Python string to UTF-16 code units."""
    if text.isascii() or not _SUPPLEMENTARY.search(text):
        return text
    return "".join(
        c if c <= "\uffff" else chr(0xD7C0 + (ord(c) >> 10)) + chr(0xDC00 + (ord(c) & 0x3FF)) for c in text
    )


def unescape(text: str, at: int) -> str:
    """The value of a regular string literal's content."""
    if "\\" not in text:
        return utf16(text)

    def value(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code is not None:
            number = int(code, 16)
            if number > sys.maxunicode:
                raise CompileError(f"\\U{code} is not a character", at, "CS1009")
            return utf16(chr(number))
        if match[4] not in _SIMPLE:
            raise CompileError(f"\\{match[4] or ''} is not an escape sequence", at, "CS1009")
        return _SIMPLE[match[4]]

    return utf16(_ESCAPE.sub(value, text))


def string_literal(text: str, at: int) -> Literal:
    """A regular or verbatim string, including its quotes."""
    if text.startswith("@"):
        return Literal(at, "String", utf16(text[2:-1].replace('""', '"')))
    return Literal(at, "String", unescape(text[1:-1], at))


def char_literal(text: str, at: int) -> Literal:
    """A character literal, including its quotes; the value is its code."""
    value = unescape(text[1:-1], at)
    if len(value) != 1:
        raise CompileError("a character literal must have exactly one character", at, "CS1012")
    return Literal(at, "Char", ord(value))


def number_literal(text: str, at: int) -> Literal:
    """A numeric literal, whose type depends on its suffix and size."""
    plain = text.replace("_", "").lower()
    if plain.startswith(("0x", "0b")):
        digits = plain.rstrip("ul")
        return _integer(int(digits, 16 if plain[1] == "x" else 2), plain[len(digits) :], at)
    if plain[-1] == "m":
        return Literal(at, "Decimal", _decimal(plain[:-1], at))
    if plain[-1] == "f":
        raise CompileError("the twin does not evaluate float literals; use double or decimal", at, "float")
    if plain[-1] == "d" or "." in plain or "e" in plain:
        value = float(plain.rstrip("d"))
        if value == float("inf"):
            raise CompileError("this number is too large for a double", at, "CS0594")
        return Literal(at, "Double", value)
    digits = plain.rstrip("ul")
    return _integer(int(digits), plain[len(digits) :], at)


def _integer(value: int, suffix: str, at: int) -> Literal:
    types = _INTEGER_TYPES.get("ul" if suffix == "lu" else suffix)
    if types is None:
        raise CompileError(f"{suffix} is not a suffix of a number", at, "CS1013")
    for name in types:
        if value <= _LARGEST[name]:
            return Literal(at, name, value)
    raise CompileError("this integer is too large for any type", at, "CS1021")


def _decimal(text: str, at: int) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise CompileError("this is not a decimal number", at, "CS1013") from None
    try:
        return checked_decimal(value)
    except DotNetException:
        raise CompileError("this constant is outside the range of a decimal", at, "CS0594") from None
