"""The Parse methods of booleans, numbers and Guids."""

import math
import re
import struct
from decimal import Decimal
from typing import Final
from uuid import UUID

from apim.csharp.dotnet.types import INTEGERS
from apim.csharp.dotnet.values import INTEGER_CLASSES
from apim.csharp.errors import DotNetException, argument_null, integer_overflow
from apim.csharp.language.decimals import checked_decimal


def parse_bool(text: str | None) -> bool:
    """bool.Parse."""
    if text is None:
        raise argument_null("value")
    found = read_bool(text)
    if found is None:
        raise DotNetException("FormatException", f"String '{text}' was not recognized as a valid Boolean.")
    return found


def read_bool(text: str | None) -> bool | None:
    """The bool that a string represents; None if it represents no bool."""
    return {"true": True, "false": False}.get((text or "").strip(" \t\n\v\f\r\x85\xa0\0").lower())


_SPACE: Final = " \t\n\v\f\r"
_INTEGER = re.compile(r"[+-]?\d+\0*", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\0*", re.ASCII)
_DECIMAL = re.compile(r"(?P<sign>[+-])?(?P<number>\d[\d,]*(?:\.\d*)?|\.\d+)(?P<after>[+-])?\0*", re.ASCII)
_SPECIAL: Final = {
    "nan": math.nan,
    "infinity": math.inf,
    "-infinity": -math.inf,
}


def bad_format(text: str) -> DotNetException:
    """The exception for a string that is not a number."""
    return DotNetException("FormatException", f"The input string '{text}' was not in a correct format.")


def parse_integer(type_name: str, text: str | None) -> int:
    """int.Parse and the Parse methods of the other integral types."""
    if text is None:
        raise argument_null("s")
    stripped = text.strip(_SPACE)
    if not _INTEGER.fullmatch(stripped):
        raise bad_format(text)
    value = int(stripped.rstrip("\0"))
    low, high = INTEGERS[type_name]
    if not low <= value <= high:
        raise integer_overflow(type_name)
    return INTEGER_CLASSES[type_name](value)


def parse_double(text: str | None) -> float:
    """double.Parse."""
    if text is None:
        raise argument_null("s")
    stripped = text.strip(_SPACE)
    if stripped.lower() in _SPECIAL:
        return _SPECIAL[stripped.lower()]
    if not _FLOAT.fullmatch(stripped):
        raise bad_format(text)
    return float(stripped.rstrip("\0").replace(",", ""))


def parse_decimal(text: str | None) -> Decimal:
    """decimal.Parse."""
    if text is None:
        raise argument_null("s")
    stripped = text.strip(_SPACE)
    match = _DECIMAL.fullmatch(stripped)
    if match is None or (match["sign"] and match["after"]):
        raise bad_format(text)
    value = checked_decimal(Decimal(match["number"].replace(",", "").rstrip(".")))
    return -value if value and "-" in {match["sign"], match["after"]} else value


_FORMS = re.compile(
    r"(?:(?P<n>[0-9a-f]{32})|(?P<open>[{(]?)(?P<d>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?P<close>[})]?))$",
    re.IGNORECASE,
)
_HEX = re.compile(
    r"\{0x[0-9a-f]{1,8},0x[0-9a-f]{1,4},0x[0-9a-f]{1,4},\{0x[0-9a-f]{1,2}(?:,0x[0-9a-f]{1,2}){7}\}\}",
    re.IGNORECASE,
)
_CLOSING = {"": "", "{": "}", "(": ")"}


def parse_guid(text: str | None) -> UUID:
    """Guid.Parse."""
    if text is None:
        raise argument_null("input")
    if _HEX.fullmatch(compact := re.sub(r"\s", "", text)):
        parts = [int(part, 16) for part in re.findall("0x([0-9a-f]+)", compact, re.IGNORECASE)]
        return UUID(bytes=struct.pack(">IHH8B", *parts))
    match = _FORMS.match(text.strip())
    if match is None or (match["d"] and _CLOSING[match["open"]] != match["close"]):
        raise DotNetException("FormatException", "Unrecognized Guid format.")
    return UUID(match["n"] or match["d"])
