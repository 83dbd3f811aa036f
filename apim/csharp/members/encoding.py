"""Encoding."""

from typing import Any

from apim.csharp.dotnet.signature import Checked, define
from apim.csharp.dotnet.types import clr
from apim.csharp.dotnet.values import Char, to_python
from apim.csharp.errors import UnsupportedError, argument_null, out_of_range
from apim.csharp.language.literals import utf16


class Encoding:
    """An encoding of text."""

    __slots__ = ("codec", "web_name")
    clr_type = clr("Encoding")

    def __init__(self, codec: str, web_name: str) -> None:
        self.codec = codec
        self.web_name = web_name

    def encode(self, text: str | None) -> bytes:
        """GetBytes, which replaces characters outside the encoding by `?`, lone surrogates by U+FFFD."""
        if text is None:
            raise argument_null("s")
        if text.isascii() and self.codec in {"ascii", "utf-8", "latin-1"}:
            return text.encode("ascii")
        if self.codec == "ascii":
            return bytes(ord(c) if c < "\x80" else 0x3F for c in text)
        if self.codec == "latin-1":
            return "".join(c if c <= "\xff" else "?" for c in text).encode("latin-1")
        return to_python(text).encode(self.codec)

    def decode(self, data: Any) -> str:
        """GetString, which replaces invalid bytes by U+FFFD, and in ASCII by `?`."""
        if data is None:
            raise argument_null("bytes")
        if self.codec == "ascii":
            return "".join(chr(byte) if byte < 0x80 else "?" for byte in bytes(data))  # noqa: PLR2004 -- ASCII
        return utf16(bytes(data).decode(self.codec, errors="replace"))


_ENCODINGS = {
    "UTF8": Encoding("utf-8", "utf-8"),
    "ASCII": Encoding("ascii", "us-ascii"),
    "Unicode": Encoding("utf-16-le", "utf-16"),
    "BigEndianUnicode": Encoding("utf-16-be", "utf-16BE"),
    "UTF32": Encoding("utf-32-le", "utf-32"),
}
_BY_NAME = {
    "utf-8": _ENCODINGS["UTF8"],
    "us-ascii": _ENCODINGS["ASCII"],
    "ascii": _ENCODINGS["ASCII"],
    "utf-16": _ENCODINGS["Unicode"],
    "iso-8859-1": Encoding("latin-1", "iso-8859-1"),
}


def _get(name: str | None) -> Encoding:
    if name is None:
        raise argument_null("name")
    found = _BY_NAME.get(name.lower())
    if found is None:
        raise UnsupportedError(f"the encoding {name}")
    return found


def _check(name: Any) -> None:
    if isinstance(name, str):
        _get(name)


def _part(encoding: Encoding, data: Any, index: int, count: int) -> str:
    if data is None:
        raise argument_null("bytes")
    if index < 0 or count < 0 or index + count > len(data):
        raise out_of_range("index")
    return encoding.decode(bytes(data)[index : index + count])


def _from_chars(encoding: Encoding, characters: Any) -> bytes:
    if characters is None:
        raise argument_null("chars")
    return encoding.encode("".join(map(chr, characters.items)))


define(
    "class System.Text.Encoding",
    {
        **{f"static Encoding {name}": value for name, value in _ENCODINGS.items()},
        "static Encoding GetEncoding(string name)": Checked(_get, _check),
        "byte[] GetBytes(string s)": Encoding.encode,
        "byte[] GetBytes(char[] chars)": _from_chars,
        "string GetString(byte[] bytes)": Encoding.decode,
        "string GetString(byte[] bytes, int index, int count)": _part,
        "int GetByteCount(string s)": lambda encoding, text: len(encoding.encode(text)),
        "int GetCharCount(byte[] bytes)": lambda encoding, data: len(encoding.decode(data)),
        "char[] GetChars(byte[] bytes)": lambda encoding, data: [Char(ord(c)) for c in encoding.decode(data)],
        "string WebName": lambda encoding: encoding.web_name,
    },
)
