"""Guid."""

from typing import Any
from uuid import UUID, uuid4

from apim.csharp.dotnet.signature import Checked, define
from apim.csharp.dotnet.text.parsing import parse_guid
from apim.csharp.dotnet.text.values import guid_text
from apim.csharp.errors import DotNetException, argument_null


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
