"""Headers that concern one connection, not the message that goes over it."""

from typing import Final

# RFC 9110, sections 7.6.1 and 10.1.1: these concern one connection, not the message.
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
    """The headers that may pass a proxy: hop-by-hop ones and those that Connection names are left out."""
    dropped = _HOP_BY_HOP
    for name, value in headers:
        if name.lower() == "connection":
            dropped = dropped | {token.strip().lower() for token in value.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in dropped]
