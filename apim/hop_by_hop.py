"""Headers that concern one connection, not the message."""

from typing import Final

# RFC 9110, sections 7.6.1 and 10.1.1.
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)


def end_to_end(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers that a proxy forwards: all but hop-by-hop headers and those that Connection names."""
    dropped = _HOP_BY_HOP
    for name, value in headers:
        if name.lower() == "connection":
            dropped = dropped | {token.strip().lower() for token in value.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in dropped]
