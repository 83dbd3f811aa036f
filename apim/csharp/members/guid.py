"""Guid."""

import re
import struct
from typing import Any
from uuid import UUID, uuid4

from apim.csharp.errors import DotNetException, argument_null
from apim.csharp.signature import Checked, define
from apim.csharp.text import guid_text

_FORMS = re.compile(
    r"(?:(?P<n>[0-9a-f]{32})|(?P<open>[{(]?)(?P<d>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?P<close>[})]?))$",
    re.IGNORECASE,
)
_HEX = re.compile(
    r"\{0x[0-9a-f]{1,8},0x[0-9a-f]{1,4},0x[0-9a-f]{1,4},\{0x[0-9a-f]{1,2}(?:,0x[0-9a-f]{1,2}){7}\}\}",
    re.IGNORECASE,
)
_PAIRS = {"": "", "{": "}", "(": ")"}


def parse_guid(text: str | None) -> UUID:
    """Guid.Parse."""
    if text is None:
        raise argument_null("input")
    if _HEX.fullmatch(compact := re.sub(r"\s", "", text)):
        parts = [int(part, 16) for part in re.findall("0x([0-9a-f]+)", compact, re.IGNORECASE)]
        return UUID(bytes=struct.pack(">IHH8B", *parts))
    match = _FORMS.match(text.strip())
    if match is None or (match["d"] and _PAIRS[match["open"]] != match["close"]):
        raise DotNetException("FormatException", "Unrecognized Guid format.")
    return UUID(match["n"] or match["d"])


def _try_parse(text: str | None) -> tuple[bool, UUID]:
    try:
        return True, parse_guid(text)
    except DotNetException:
        return False, UUID(int=0)


def _from_bytes(data: Any) -> UUID:
    if data is None:
        raise argument_null("b")
    if len(data) != 16:  # noqa: PLR2004 -- a Guid
        raise DotNetException(
            "ArgumentException", "Byte array for Guid must be exactly 16 bytes long. (Parameter 'b')"
        )
    return UUID(bytes_le=bytes(data))


def _check(pattern: Any) -> None:
    if isinstance(pattern, str):
        guid_text(UUID(int=0), pattern)


define(
    "struct System.Guid : IComparable",
    {
        "new(string g)": parse_guid,
        "new(byte[] b)": _from_bytes,
        "static Guid NewGuid()": uuid4,
        "static Guid Empty": UUID(int=0),
        "static Guid Parse(string input)": parse_guid,
        "static bool TryParse(string input, out Guid result)": _try_parse,
        "string ToString()": guid_text,
        "string ToString(string format)": Checked(
            lambda value, pattern: guid_text(value, pattern or "D"), _check
        ),
        "byte[] ToByteArray()": lambda value: value.bytes_le,
        "int CompareTo(Guid value)": lambda left, right: (left > right) - (left < right),
        "bool Equals(Guid g)": lambda left, right: left == right,
    },
)
