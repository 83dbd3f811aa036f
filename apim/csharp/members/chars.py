"""Char, and the categories of characters by which .NET classifies them."""

import unicodedata
from collections.abc import Callable
from typing import Final

from apim.csharp.dotnet.characters import WHITE_SPACE, lower, upper
from apim.csharp.dotnet.signature import define
from apim.csharp.dotnet.values import Char
from apim.csharp.errors import DotNetException, argument_null

_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo"})


def _category(code: int) -> str:
    return unicodedata.category(chr(code))


def _is(*categories: str) -> Callable[[int], bool]:
    return lambda code: _category(code) in categories


def _at(test: Callable[[int], bool]) -> Callable[[str, int], bool]:
    def check(text: str | None, index: int) -> bool:
        if text is None:
            raise argument_null("s")
        if not 0 <= index < len(text):
            raise DotNetException("ArgumentOutOfRangeException", "Index was out of range.")
        return test(ord(text[index]))

    return check


def _parse(text: str | None) -> int:
    if text is None:
        raise argument_null("s")
    if len(text) != 1:
        raise DotNetException("FormatException", "String must be exactly one character long.")
    return ord(text)


def _is_symbol(code: int) -> bool:
    return _category(code) in {"Sm", "Sc", "Sk", "So"}


_TESTS: Final = {
    "IsDigit": _is("Nd"),
    "IsLetter": lambda code: _category(code) in _LETTERS,
    "IsLetterOrDigit": lambda code: _category(code) in _LETTERS or _category(code) == "Nd",
    "IsUpper": _is("Lu"),
    "IsLower": _is("Ll"),
    "IsWhiteSpace": lambda code: chr(code) in WHITE_SPACE,
    "IsPunctuation": lambda code: _category(code)[0] == "P",
    "IsControl": _is("Cc"),
    "IsNumber": lambda code: _category(code)[0] == "N",
    "IsSymbol": _is_symbol,
    "IsSeparator": lambda code: _category(code)[0] == "Z",
    "IsSurrogate": _is("Cs"),
    "IsHighSurrogate": lambda code: 0xD800 <= code <= 0xDBFF,  # noqa: PLR2004 -- UTF-16
    "IsLowSurrogate": lambda code: 0xDC00 <= code <= 0xDFFF,  # noqa: PLR2004 -- UTF-16
}
define(
    "struct System.Char : IComparable",
    {
        **{f"static bool {name}(char c)": test for name, test in _TESTS.items()},
        **{f"static bool {name}(string s, int index)": _at(test) for name, test in _TESTS.items()},
        "static char ToUpper(char c)": lambda code: Char(ord(upper(chr(code)))),
        "static char ToLower(char c)": lambda code: Char(ord(lower(chr(code)))),
        "static char ToUpperInvariant(char c)": lambda code: Char(ord(upper(chr(code)))),
        "static char ToLowerInvariant(char c)": lambda code: Char(ord(lower(chr(code)))),
        "static string ToString(char c)": chr,
        "static char Parse(string s)": _parse,
        "static bool TryParse(string s, out char result)": lambda text: (
            (True, ord(text)) if text is not None and len(text) == 1 else (False, 0)
        ),
        "static double GetNumericValue(char c)": lambda code: float(unicodedata.numeric(chr(code), -1.0)),
        "static char MinValue": Char(0),
        "static char MaxValue": Char(0xFFFF),
        "string ToString()": chr,
        "bool Equals(char obj)": lambda left, right: left == right,
        "int CompareTo(char value)": lambda left, right: int(left) - int(right),
    },
)
