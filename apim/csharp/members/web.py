"""WebUtility."""

import re
from html.entities import name2codepoint

from apim.csharp.dotnet.signature import define
from apim.csharp.dotnet.uri_parsing import percent
from apim.csharp.dotnet.values import to_python
from apim.csharp.language.literals import utf16

_KEPT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!*()")
_ENTITIES = {**name2codepoint, "apos": 0x27}
_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&#39;"}


def url_encode(text: str | None) -> str | None:
    """UrlEncode, which replaces spaces by `+`."""
    return None if text is None else percent(text, _KEPT | {" "}).replace(" ", "+")


def url_decode(text: str | None) -> str | None:
    """UrlDecode, which replaces `+` by a space and bytes that are not UTF-8 by U+FFFD."""
    if text is None:
        return None

    def decode(match: re.Match[str]) -> str:
        return utf16(bytes.fromhex(match[0].replace("%", "")).decode(errors="replace"))

    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", decode, text.replace("+", " "))


def html_encode(text: str | None) -> str | None:
    """HtmlEncode, which encodes markup characters, U+00A0 to U+00FF and characters beyond U+FFFF."""
    if text is None:
        return None

    def encode(character: str) -> str:
        code = ord(character)
        if character in _NAMED:
            return _NAMED[character]
        return f"&#{code};" if 160 <= code < 256 or code > 0xFFFF else character  # noqa: PLR2004 -- Latin-1

    return "".join(map(encode, to_python(text)))


def html_decode(text: str | None) -> str | None:
    """HtmlDecode, which decodes entities that end with a semicolon; unknown entities are not changed."""
    if text is None:
        return None

    def decode(match: re.Match[str]) -> str:
        name = match[1]
        if name[0] != "#":
            code = _ENTITIES.get(name)
        elif re.fullmatch(r"#[xX][0-9a-fA-F]+", name):
            code = int(name.removeprefix("#")[1:], 16)
        elif re.fullmatch(r"#[0-9]+", name):
            code = int(name[1:])
        else:
            code = None
        if code is None or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 -- not Unicode scalar values
            return match[0]
        return utf16(chr(code))

    return re.sub(r"&([^;&]+);", decode, text)


define(
    "static System.Net.WebUtility",
    {
        "static string UrlEncode(string value)": url_encode,
        "static string UrlDecode(string encodedValue)": url_decode,
        "static string HtmlEncode(string value)": html_encode,
        "static string HtmlDecode(string value)": html_decode,
    },
)
