"""Uri values."""

from typing import Any

from apim.csharp.dotnet.types import clr
from apim.csharp.dotnet.uri_parsing import (
    DEFAULT_PORTS,
    ParsedUri,
    display,
    parse_uri,
)
from apim.csharp.errors import argument_null

_FROM_AUTHORITY, _FROM_PATH, _FROM_QUERY = 1, 2, 3


class Uri:
    """An absolute URI."""

    __slots__ = ("parts",)
    clr_type = clr("Uri")

    def __init__(self, parts: ParsedUri) -> None:
        self.parts = parts

    @property
    def original(self) -> str:
        """The original string, which is also its JSON form."""
        return self.parts.original

    @property
    def authority(self) -> str:
        """The host, and the port unless it is the scheme's default port."""
        parts = self.parts
        return (
            parts.host if parts.port == DEFAULT_PORTS.get(parts.scheme, -1) else f"{parts.host}:{parts.port}"
        )

    def left(self, until: int) -> str:
        """GetLeftPart; `until` is the number of the UriPartial."""
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
        """ToString(), with safe characters unescaped."""
        return display(self.absolute)

    def clr_equals(self, other: Any) -> bool:
        """Equals, which ignores user information and fragment."""
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
