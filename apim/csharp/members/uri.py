"""Uri."""

from apim.csharp.dotnet.signature import define
from apim.csharp.dotnet.uri import Uri, make_uri
from apim.csharp.dotnet.uri_parsing import (
    DEFAULT_PORTS,
    escape_data,
    escape_uri,
    is_loopback,
    join_uri,
    unescape_data,
)
from apim.csharp.errors import argument_null


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
