"""`context` and the types of its members.

https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#ContextVariables
"""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote_plus

from apim.csharp import context as own
from apim.csharp.dotnet.collections import Dictionary, List, missing_key
from apim.csharp.dotnet.conversions import explicit
from apim.csharp.dotnet.date_times import UTC_KIND, DateTime, TimeSpan, from_posix
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.key_value_pair import KeyValuePair
from apim.csharp.dotnet.signature import Attribute, Contextual, Typed, define
from apim.csharp.dotnet.types import BYTE, OBJECT, STRING, ClrType, array_of, clr
from apim.csharp.dotnet.values import Array, Sequence, from_python
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null
from apim.csharp.json.reader import parse
from apim.csharp.language.literals import utf16
from apim.csharp.members.json import parse_array, parse_object

_SPACE: Final = "ApiManagement"
_STRINGS: Final = array_of(STRING)


class View:
    """A read-only dictionary over an object with `get` and `items`."""

    __slots__ = ("clr_type", "source")

    def __init__(self, clr_type: ClrType, source: Any) -> None:
        self.clr_type = clr_type
        self.source = source

    def has(self, key: str | None) -> bool:
        """Whether there is an entry with this key."""
        if key is None:
            raise argument_null("key")
        return key in self.source

    def entry(self, key: str | None) -> tuple[str, Any] | None:
        """The entry of a key, which is the key and the value; None if the key is absent."""
        if key is None:
            raise argument_null("key")
        value = self.source.get(key, _MISSING)
        return None if value is _MISSING else (key, from_python(value))

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The keys with their values."""
        for key, value in self.source.items():
            yield utf16(key), from_python(value)

    def __iter__(self) -> Iterator[KeyValuePair]:
        value_type = _VALUE_TYPES[self.clr_type.name]
        for key, value in self.rows():
            yield KeyValuePair(key, value, STRING, value_type)

    def __len__(self) -> int:
        return len(self.source)


class Lists(View):
    """A read-only dictionary with several values for each key: headers, a query or claims."""

    __slots__ = ()

    def __init__(self, source: own.Headers | dict[str, list[str]]) -> None:
        self.clr_type = _HEADERS
        self.source = source

    def entry(self, key: str | None) -> tuple[str, Any] | None:
        """The entry of a key, which is the key and the value; None if the key is absent."""
        values = self.values(key)
        return None if values is None else (key or "", _array(values))

    def values(self, key: str | None) -> list[str] | None:
        """The values of a key, as Python strings; None if the key is absent."""
        if key is None:
            raise argument_null("key")
        return self.source.get(key)

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The keys with their values."""
        for key, values in self.source.items():
            yield utf16(key), _array(values)

    def __iter__(self) -> Iterator[KeyValuePair]:
        for key, values in self.source.items():
            yield _Row(key if key.isascii() else utf16(key), values)


class _Row(KeyValuePair):
    """A name with its values, which are converted when they are read, because many expressions read names."""

    __slots__ = ("_values",)
    clr_type = clr("KeyValuePair", STRING, array_of(STRING))

    def __init__(self, key: str, values: list[str]) -> None:
        self.key = key
        self._values = list(values)

    def __getattr__(self, name: str) -> Any:
        if name != "value":
            raise AttributeError(name)
        self.value = _array(self._values)
        return self.value


_MISSING: Final = object()
_HEADERS: Final = clr("IHeaders")
_VALUE_TYPES: Final = {"IVariables": OBJECT, "IHeaders": _STRINGS, "IParameters": STRING}


def _array(values: list[str]) -> Array:
    return Array(STRING, [utf16(value) for value in values])


def _variables(context: own.Context) -> View:
    return View(clr("IVariables"), context.variables)


def _parameters(request: own.Request) -> View:
    return View(clr("IParameters"), request.matched_parameters)


def _keys(view: View) -> List:
    return List(STRING, [key for key, _value in view.rows()])


def _values(view: View) -> List:
    return List(_VALUE_TYPES[view.clr_type.name], [value for _key, value in view.rows()])


def _at(view: View, key: str | None) -> Any:
    found = view.entry(key)
    if found is None:
        raise missing_key(key)
    return found[1]


def _try(view: View, key: str | None) -> tuple[bool, Any]:
    found = view.entry(key)
    return (False, None) if found is None else (True, found[1])


def _joined(view: Lists, key: str | None, default: str | None = None) -> str | None:
    """GetValueOrDefault: several values are joined with commas."""
    found = view.values(key)
    return default if found is None else ",".join(map(utf16, found))


def _typed_value(of: ClrType) -> Callable[..., Any]:
    """GetValueOrDefault<T>: the variable cast to T."""
    cast = explicit(OBJECT, of)
    default_value = default_of(of)

    def read(view: View, key: str | None, default: Any = default_value) -> Any:
        if key is None:
            raise argument_null("key")
        found = view.source.get(key, _MISSING)
        if found is _MISSING:
            return default
        found = from_python(found)
        return found if cast is None else cast(found)

    return read


def _dictionary_members(value: str) -> dict[str, Any]:
    return {
        f"{value} this[string key]": _at,
        "bool ContainsKey(string key)": View.has,
        f"bool TryGetValue(string key, out {value} value)": _try,
        "IEnumerable<string> Keys": _keys,
        f"IEnumerable<{value}> Values": _values,
        "int Count": len,
    }


define(
    "interface IVariables : IReadOnlyDictionary<string, object>",
    {
        **_dictionary_members("object"),
        "object GetValueOrDefault(string variableName)": _typed_value(OBJECT),
        "T GetValueOrDefault<T>(string variableName)": Typed(_typed_value),
        "T GetValueOrDefault<T>(string variableName, T defaultValue)": Typed(_typed_value),
    },
)
define(
    "interface IHeaders : IReadOnlyDictionary<string, string[]>",
    {
        **_dictionary_members("string[]"),
        "string GetValueOrDefault(string headerName)": _joined,
        "string GetValueOrDefault(string headerName, string defaultValue)": _joined,
        "string[] GetValueOrDefault(string headerName, string[] defaultValue)": lambda view, key, default: (
            default if (found := view.entry(key)) is None else found[1]
        ),
    },
)
define(
    "interface IParameters : IReadOnlyDictionary<string, string>",
    {
        **_dictionary_members("string"),
        "string GetValueOrDefault(string name)": _typed_value(STRING),
        "string GetValueOrDefault(string name, string defaultValue)": _typed_value(STRING),
    },
)


# The body


def _take(body: own.Body, *, keep: bool) -> bytes:
    if body.consumed:
        raise DotNetException(
            "InvalidOperationException",
            "The message body has already been read. Pass preserveContent: true to all reads but the last.",
        )
    body.consumed = not keep
    return body.content


def _decoded(content: bytes) -> str:
    return utf16(content.removeprefix(b"\xef\xbb\xbf").decode(errors="replace"))


def _body_as(of: ClrType) -> Callable[..., Any]:
    read = {
        STRING: _decoded,
        array_of(BYTE): lambda content: Array(BYTE, content),
        clr("JObject"): lambda content: parse_object(_decoded(content)),
        clr("JArray"): lambda content: parse_array(_decoded(content)),
        clr("JToken"): lambda content: parse(_decoded(content)),
    }.get(of)
    if read is None:
        raise UnsupportedError(f"As<{of}>; the twin supports string, byte[], JObject, JArray and JToken")
    return lambda body, keep=False: read(_take(body, keep=keep))


def _form(body: own.Body, keep: bool = False) -> Dictionary:
    """AsFormUrlEncodedContent: decoded names and values, in order."""
    made = Dictionary(STRING, clr("IList", STRING))
    for pair in _decoded(_take(body, keep=keep)).split("&"):
        if not pair:
            continue
        name, _equals, value = pair.partition("=")
        key = utf16(unquote_plus(name, errors="replace"))
        if made.entry(key) is None:
            made.set(key, List(STRING))
        made.at(key).items.append(utf16(unquote_plus(value, errors="replace")))
    return made


define(
    f"interface {_SPACE}.IMessageBody",
    {
        "T As<T>(bool preserveContent = false)": Typed(_body_as),
        "IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent = false)": _form,
    },
)


# Request, response, URL


def _text(name: str) -> Attribute:
    return Attribute(name, from_python)


def _moment(name: str) -> Callable[[Any], Any]:
    def read(value: Any) -> DateTime | None:
        seconds = getattr(value, name)
        return None if seconds is None else DateTime(from_posix(seconds), UTC_KIND)

    return read


def _sequence(name: str, element: str) -> Callable[[Any], Any]:
    return lambda value: Sequence(clr(element), lambda: getattr(value, name))


def _url_text(url: own.Url) -> str:
    default = {"http": 80, "https": 443}.get(url.scheme)
    port = "" if url.port == default else f":{url.port}"
    return utf16(f"{url.scheme}://{url.host}{port}{url.path}{url.query_string}")


define(
    f"interface {_SPACE}.IUrl",
    {
        "string Host": _text("host"),
        "string Path": _text("path"),
        "int Port": Attribute("port"),
        "string Scheme": _text("scheme"),
        "string QueryString": _text("query_string"),
        "IHeaders Query": Attribute("query", Lists),
        "string ToString()": _url_text,
    },
)
define(
    f"interface {_SPACE}.IRequest",
    {
        "IMessageBody Body": Attribute("body"),
        "IHeaders Headers": Attribute("headers", Lists),
        "string IpAddress": _text("ip_address"),
        "IParameters MatchedParameters": _parameters,
        "string Method": _text("method"),
        "IUrl OriginalUrl": Attribute("original_url"),
        "IUrl Url": Attribute("url"),
    },
)
define(
    f"interface {_SPACE}.IResponse",
    {
        "IMessageBody Body": Attribute("body"),
        "IHeaders Headers": Attribute("headers", Lists),
        "int StatusCode": Attribute("status_code"),
        "string StatusReason": _text("status_reason"),
    },
)
define(
    f"interface {_SPACE}.ILastError",
    {
        f"string {name}": _text(field)
        for name, field in {
            "Source": "source",
            "Reason": "reason",
            "Message": "message",
            "Scope": "scope",
            "Section": "section",
            "Path": "path",
            "PolicyId": "policy_id",
        }.items()
    },
)
define(
    f"interface {_SPACE}.IApi",
    {
        "string Id": _text("id"),
        "string Name": _text("name"),
        "string Path": _text("path"),
        "string Revision": _text("revision"),
        "string Version": _text("version"),
        "bool IsCurrentRevision": Attribute("is_current_revision"),
        "IUrl ServiceUrl": Attribute("service_url"),
        "IEnumerable<string> Protocols": _sequence("protocols", "String"),
    },
)
define(
    f"interface {_SPACE}.IOperation",
    {
        "string Id": _text("id"),
        "string Name": _text("name"),
        "string Method": _text("method"),
        "string UrlTemplate": _text("url_template"),
    },
)
define(
    f"interface {_SPACE}.IDeployment",
    {
        "string ServiceName": _text("service_name"),
        "string Region": _text("region"),
        "string GatewayId": _text("gateway_id"),
    },
)
define(f"interface {_SPACE}.IGroup", {"string Id": _text("id"), "string Name": _text("name")})
define(f"interface {_SPACE}.IUserIdentity", {"string Id": _text("id"), "string Provider": _text("provider")})
define(
    f"interface {_SPACE}.IProduct",
    {
        "string Id": _text("id"),
        "string Name": _text("name"),
        "bool ApprovalRequired": Attribute("approval_required"),
        "bool SubscriptionRequired": Attribute("subscription_required"),
        "int? SubscriptionLimit": Attribute("subscription_limit"),
        "IEnumerable<IGroup> Groups": _sequence("groups", "IGroup"),
        "IEnumerable<IApi> Apis": _sequence("apis", "IApi"),
    },
)
define(
    f"interface {_SPACE}.ISubscription",
    {
        "string Id": _text("id"),
        "string Name": _text("name"),
        "string Key": _text("key"),
        "string PrimaryKey": _text("primary_key"),
        "string SecondaryKey": _text("secondary_key"),
        "DateTime CreatedDate": _moment("created"),
        "DateTime? StartDate": _moment("start"),
        "DateTime? EndDate": _moment("end"),
    },
)
define(
    f"interface {_SPACE}.IUser",
    {
        "string Id": _text("id"),
        "string Email": _text("email"),
        "string FirstName": _text("first_name"),
        "string LastName": _text("last_name"),
        "string Note": _text("note"),
        "DateTime RegistrationDate": _moment("registered"),
        "IEnumerable<IGroup> Groups": _sequence("groups", "IGroup"),
        "IEnumerable<IUserIdentity> Identities": _sequence("identities", "IUserIdentity"),
    },
)


def _elapsed(context: own.Context) -> TimeSpan:
    return TimeSpan(from_posix(context.now()) - from_posix(context.timestamp))


def _trace(context: own.Context, _receiver: own.Context, message: str | None) -> None:
    context.trace(message or "")


define(
    "interface IProxyRequestContext",
    {
        "IApi Api": Attribute("api"),
        "IDeployment Deployment": Attribute("deployment"),
        "TimeSpan Elapsed": _elapsed,
        "ILastError LastError": Attribute("last_error"),
        "IOperation Operation": Attribute("operation"),
        "IProduct Product": Attribute("product"),
        "IRequest Request": Attribute("request"),
        "Guid RequestId": Attribute("request_id"),
        "IResponse Response": Attribute("response"),
        "ISubscription Subscription": Attribute("subscription"),
        "DateTime Timestamp": _moment("timestamp"),
        "bool Tracing": Attribute("tracing"),
        "IUser User": Attribute("user"),
        "IVariables Variables": _variables,
        "void Trace(string message)": Contextual(_trace),
    },
)
