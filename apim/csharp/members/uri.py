"""Uri."""

from typing import Any

from apim.csharp.errors import argument_null
from apim.csharp.signature import define
from apim.csharp.types import clr
from apim.csharp.uri_parsing import (
    DEFAULT_PORTS,
    ParsedUri,
    display,
    escape_data,
    escape_uri,
    is_loopback,
    join_uri,
    parse_uri,
    unescape_data,
)

_FROM_AUTHORITY, _FROM_PATH, _FROM_QUERY = 1, 2, 3


class Uri:
    """An absolute URI."""

    __slots__ = ("parts",)
    clr_type = clr("Uri")

    def __init__(self, parts: ParsedUri) -> None:
        self.parts = parts

    @property
    def original(self) -> str:
        """As it was given, which is also how JSON writes it."""
        return self.parts.original

    @property
    def authority(self) -> str:
        """Host, and the port when it is not the scheme's."""
        parts = self.parts
        return (
            parts.host if parts.port == DEFAULT_PORTS.get(parts.scheme, -1) else f"{parts.host}:{parts.port}"
        )

    def left(self, until: int) -> str:
        """GetLeftPart."""
        parts = self.parts
        user = f"{parts.user}@" if parts.user else ""
        text = f"{parts.scheme}://" if parts.authority else f"{parts.scheme}:"
        if until == _FROM_AUTHORITY and not parts.authority:
            return ""
        if until >= _FROM_AUTHORITY:
            text += user + self.authority
        if until >= _FROM_PATH:
            text += parts.path
        return text + parts.query if until >= _FROM_QUERY else text

    @property
    def absolute(self) -> str:
        """AbsoluteUri."""
        return self.left(_FROM_QUERY) + self.parts.fragment

    def clr_text(self) -> str:
        """ToString(): unescaped where that is safe."""
        return display(self.absolute)

    def clr_equals(self, other: Any) -> bool:
        """Equals: user information and fragment do not count."""
        if not isinstance(other, Uri):
            return False
        ours, theirs = self.parts, other.parts
        return (ours.scheme, ours.host, ours.port, ours.path, ours.query) == (
            theirs.scheme,
            theirs.host,
            theirs.port,
            theirs.path,
            theirs.query,
        )


def make_uri(text: str | None) -> Uri:
    """`new Uri(text)`."""
    if text is None:
        raise argument_null("uriString")
    return Uri(parse_uri(text))


def _join(base: Uri | None, relative: str | None) -> Uri:
    if base is None:
        raise argument_null("baseUri")
    return Uri(join_uri(base.parts, base.absolute, relative or ""))


def _segments(uri: Uri) -> list[str]:
    pieces = uri.parts.path.split("/")
    return [piece + "/" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _text(text: str | None, name: str) -> str:
    if text is None:
        raise argument_null(name)
    return text


define(
    "class System.Uri",
    {
        "new(string uriString)": make_uri,
        "new(Uri baseUri, string relativeUri)": _join,
        "string AbsoluteUri": lambda uri: uri.absolute,
        "string AbsolutePath": lambda uri: uri.parts.path,
        "string LocalPath": lambda uri: unescape_data(uri.parts.path),
        "string Scheme": lambda uri: uri.parts.scheme,
        "string Host": lambda uri: uri.parts.host,
        "string DnsSafeHost": lambda uri: uri.parts.host.strip("[]"),
        "string IdnHost": lambda uri: uri.parts.host.strip("[]"),
        "int Port": lambda uri: uri.parts.port,
        "string Authority": lambda uri: uri.authority,
        "string Query": lambda uri: uri.parts.query,
        "string Fragment": lambda uri: uri.parts.fragment,
        "string PathAndQuery": lambda uri: uri.parts.path + uri.parts.query,
        "string UserInfo": lambda uri: uri.parts.user,
        "string OriginalString": lambda uri: uri.original,
        "string[] Segments": _segments,
        "bool IsAbsoluteUri": lambda _uri: True,
        "bool IsDefaultPort": lambda uri: uri.parts.port == DEFAULT_PORTS.get(uri.parts.scheme, -1),
        "bool IsLoopback": lambda uri: is_loopback(uri.parts.host),
        "bool IsFile": lambda _uri: False,
        "bool IsUnc": lambda _uri: False,
        "string GetLeftPart(UriPartial part)": lambda uri, part: uri.left(part.number),
        "string ToString()": Uri.clr_text,
        "bool op_Equality(Uri other)": Uri.clr_equals,
        "static string EscapeDataString(string stringToEscape)": lambda text: escape_data(
            _text(text, "stringToEscape")
        ),
        "static string EscapeUriString(string stringToEscape)": lambda text: escape_uri(
            _text(text, "stringToEscape")
        ),
        "static string UnescapeDataString(string stringToUnescape)": lambda text: unescape_data(
            _text(text, "stringToUnescape")
        ),
        "static string UriSchemeHttp": "http",
        "static string UriSchemeHttps": "https",
        "static string SchemeDelimiter": "://",
    },
)
