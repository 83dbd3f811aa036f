"""Parses absolute URIs as System.Uri does; forms that depend on platform or version are rejected."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import urljoin

from apim.csharp.dotnet.values import to_python
from apim.csharp.errors import DotNetException, UnsupportedError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62})$")
_IPV4 = re.compile(r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$")
_ODD_IPV4 = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*\.?$")
DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}
_REFUSED: Final = frozenset(
    {"file", "mailto", "news", "nntp", "gopher", "telnet", "ldap", "net.tcp", "net.pipe", "uuid", "vsmacros"}
)
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_RESERVED: Final = frozenset(";/?:@&=+$,#[]!'()*")
_MOST: Final = 65519
_HEX = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class ParsedUri:
    """The parts of an absolute URI, percent-encoded.

    Attributes:
        original: the string that was parsed.
        host: empty if there is no authority.
        port: the scheme's default port if none is written; -1 if the scheme has none.
        query: empty, or starts with `?`.
        fragment: empty, or starts with `#`.
        authority: whether `//` follows the scheme.
    """

    original: str
    scheme: str
    user: str
    host: str
    port: int
    path: str
    query: str
    fragment: str
    authority: bool


def uri_error(message: str) -> DotNetException:
    """The exception for a string that is not an absolute URI."""
    return DotNetException("UriFormatException", f"Invalid URI: {message}")


def parse_uri(text: str) -> ParsedUri:  # noqa: C901 -- one case per kind
    """Parses an absolute URI.

    Raises:
        DotNetException: UriFormatException.
        UnsupportedError: a form that the twin does not support.
    """
    trimmed = text.strip(" \t\r\n\f\v")
    if not trimmed:
        raise uri_error("The URI is empty.")
    if len(trimmed) > _MOST:
        raise uri_error("The Uri string is too long.")
    if trimmed[0] in "/\\" or re.match(r"[A-Za-z][:|][/\\]", trimmed):
        raise UnsupportedError("a file path as a Uri, whose meaning depends on the platform")
    match = _SCHEME.match(trimmed)
    if match is None:
        raise uri_error("The format of the URI could not be determined.")
    scheme = match[1].lower()
    if scheme in _REFUSED or len(scheme) == 1:
        raise UnsupportedError(f"URIs of the scheme {scheme}")
    rest = trimmed[match.end() :]
    before_query = re.split(r"[?#]", rest, maxsplit=1)[0]
    if any(c < " " or c == "\x7f" for c in rest):
        raise UnsupportedError("a Uri with control characters")
    if "\\" in before_query:
        raise UnsupportedError("a Uri with backslashes")
    special = scheme in DEFAULT_PORTS
    if not rest.startswith("//"):
        if special:
            raise uri_error("The Authority/Host could not be parsed.")
        return _without_authority(text, scheme, rest)
    boundary = re.search(r"[/?#]", rest[2:])
    end = 2 + boundary.start() if boundary else len(rest)
    user, host, port = _authority(rest[2:end], scheme, special=special)
    path, query, fragment = _tail(rest[end:])
    path = _escaped(path)
    if special:
        path = _without_dots(path) or "/"
    elif re.search(r"(?:^|/)\.{1,2}(?:/|$)", path):
        raise UnsupportedError("dot segments in a Uri of this scheme")
    elif not path:
        path = "/"
    return ParsedUri(
        text, scheme, user, host, port, path, _escaped(query), _escaped(fragment), authority=True
    )


def _without_authority(text: str, scheme: str, rest: str) -> ParsedUri:
    path, query, fragment = _tail(rest)
    if re.search(r"(?:^|/)\.{1,2}(?:/|$)", path):
        raise UnsupportedError("dot segments in a Uri of this scheme")
    if not rest:
        raise UnsupportedError("a Uri that is only a scheme")
    return ParsedUri(
        text, scheme, "", "", -1, _escaped(path), _escaped(query), _escaped(fragment), authority=False
    )


def _tail(rest: str) -> tuple[str, str, str]:
    rest, mark, fragment = rest.partition("#")
    path, question, query = rest.partition("?")
    return path, question + query if query else question, mark + fragment if mark else ""


def _authority(text: str, scheme: str, *, special: bool) -> tuple[str, str, int]:
    user, mark, host_port = text.rpartition("@")
    if "@" in user:
        raise UnsupportedError("a Uri with more than one @ before the host")
    if mark and _escaped(user) != user:
        raise UnsupportedError("a Uri whose user information needs escaping")
    if host_port.startswith("["):
        host, closing, after = host_port.partition("]")
        host += closing
    else:
        host, colon, after = host_port.partition(":")
        after = colon + after
    if not host:
        if special or host_port or mark:
            raise uri_error("The hostname could not be parsed.")
        raise UnsupportedError("a Uri with an empty host")
    return user, _host(host, special=special), _port(after, scheme)


def _port(text: str, scheme: str) -> int:
    default = DEFAULT_PORTS.get(scheme, -1)
    if text in {"", ":"}:
        return default
    if not re.fullmatch(r":[0-9]+", text) or int(text[1:]) > 65535:  # noqa: PLR2004 -- the largest port
        raise uri_error("Invalid port specified.")
    return int(text[1:])


def _host(text: str, *, special: bool) -> str:
    if text.startswith("["):
        return _ipv6(text)
    if not text.isascii() or "%" in text:
        raise UnsupportedError("a Uri whose host is not in ASCII")
    lowered = text.lower()
    if _IPV4.match(lowered):
        return lowered
    if _ODD_IPV4.match(lowered):
        raise UnsupportedError("a Uri with an unusual IPv4 address")
    labels = lowered.removesuffix(".").split(".")
    if all(map(_LABEL.match, labels)) and len(lowered) <= 255:  # noqa: PLR2004 -- RFC 1035
        return lowered
    if special and re.search(r"[^a-z0-9._-]", lowered):
        raise uri_error("The hostname could not be parsed.")
    if special and "" in labels:
        raise uri_error("The hostname could not be parsed.")
    raise UnsupportedError("a Uri with an unusual host")


def _ipv6(text: str) -> str:
    if not text.endswith("]"):
        raise uri_error("The hostname could not be parsed.")
    inner = text[1:-1]
    if "%" in inner or "." in inner:
        raise UnsupportedError("a Uri with an unusual IPv6 address")
    try:
        return f"[{IPv6Address(inner).compressed}]"
    except ValueError:
        raise uri_error("The hostname could not be parsed.") from None


def is_loopback(host: str) -> bool:
    """Uri.IsLoopback."""
    if host in {"localhost", "loopback", "[::1]"}:
        return True
    return bool(_IPV4.match(host)) and IPv4Address(host).is_loopback


def _escaped(text: str) -> str:
    """Escapes characters that are not allowed in a URI, and unescapes unreserved characters."""
    if not text:
        return text
    if re.search(r"%2[eE]", text):
        raise UnsupportedError("an escaped dot in a Uri")
    pieces: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        match = _HEX.match(text, position) if character == "%" else None
        if match is not None:
            code = chr(int(match[1], 16))
            pieces.append(code if code in _UNRESERVED else match[0])
            position = match.end()
            continue
        if character in _UNRESERVED or character in _RESERVED:
            pieces.append(character)
            position += 1
            continue
        run = re.compile(r"[^%A-Za-z0-9\-._~;/?:@&=+$,#\[\]!'()*]+|%").match(text, position)
        found = run[0] if run else character
        pieces.append(percent(found))
        position += len(found)
    return "".join(pieces)


def percent(text: str, keep: frozenset[str] = frozenset()) -> str:
    """The percent-encoded UTF-8 of a string, without the characters in `keep`; lone surrogates are U+FFFD."""
    return "".join(
        c if c in keep else "".join(f"%{byte:02X}" for byte in c.encode()) for c in to_python(text)
    )


def escape_data(text: str) -> str:
    """Uri.EscapeDataString, which keeps only unreserved characters (RFC 3986, section 2.3)."""
    return percent(text, _UNRESERVED)


def escape_uri(text: str) -> str:
    """Uri.EscapeUriString, which also keeps reserved characters."""
    return percent(text, _UNRESERVED | _RESERVED)


def unescape_data(text: str) -> str:
    """Uri.UnescapeDataString, which keeps escapes that are not UTF-8."""

    def decode(match: re.Match[str]) -> str:
        data = bytes.fromhex(match[0].replace("%", ""))
        pieces: list[str] = []
        while data:
            try:
                pieces.append(data.decode())
                break
            except UnicodeDecodeError as error:
                pieces.append(data[: error.start].decode())
                end = max(error.end, error.start + 1)
                pieces.append(
                    "".join(
                        match[0][3 * (len(match[0]) // 3 - len(data) + i) :][:3]
                        for i in range(error.start, end)
                    )
                )
                data = data[end:]
        return "".join(pieces)

    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", decode, text)


def _without_dots(path: str) -> str:
    """Removes dot segments (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    out: list[str] = []
    segments = path.split("/")
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "..":
            if len(out) > 1:
                out.pop()
            if last:
                out.append("")
        elif segment == ".":
            if last:
                out.append("")
        else:
            out.append(segment)
    return "/".join(out)


def join_uri(base: ParsedUri, base_text: str, relative: str) -> ParsedUri:
    """`new Uri(base, relative)`."""
    if _SCHEME.match(relative):
        return parse_uri(relative)
    if base.scheme not in {"http", "https"} or "\\" in relative:
        raise UnsupportedError("a relative Uri on this base")
    return parse_uri(urljoin(base_text, relative))


def display(text: str) -> str:
    """ToString(): the URI with safe characters unescaped."""

    def decode(match: re.Match[str]) -> str:
        shown = unescape_data(match[0])
        if any(c in _RESERVED or c in "%\\" or c < " " or c == "\x7f" for c in shown):
            if len(match[0]) == 3 and shown in "%#?/:@&=+$,;\\":  # noqa: PLR2004 -- one escaped delimiter
                return match[0]
            raise UnsupportedError("ToString() of a Uri with these escapes; use AbsoluteUri")
        if not shown.isascii():
            raise UnsupportedError(
                "ToString() of a Uri with escaped characters beyond ASCII; use AbsoluteUri"
            )
        return shown

    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", decode, text)
