"""The supported types of Newtonsoft.Json.Linq: JToken, JObject, JArray, JConstructor, JProperty, JValue."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from apim.csharp.dotnet.comparison import folded
from apim.csharp.dotnet.conversions import is_instance
from apim.csharp.dotnet.signature import Settable, Typed, define
from apim.csharp.dotnet.types import BYTE, ClrType, clr
from apim.csharp.dotnet.values import Array, EnumValue, Sequence
from apim.csharp.errors import DotNetException, argument_null
from apim.csharp.json.conversion import cast_token, converter_to, from_object, to_object
from apim.csharp.json.dynamic import set_token_at, token_at
from apim.csharp.json.path import descendants, path_of, select, select_one
from apim.csharp.json.plain import TOKEN_TYPES, kind_of
from apim.csharp.json.query import compare
from apim.csharp.json.reader import parse, parse_any, reader_error
from apim.csharp.json.tokens import (
    JArray,
    JObject,
    JProperty,
    JToken,
    JValue,
    deep_equals,
    to_token,
    token_of_primitive,
)
from apim.csharp.language.keywords import PREDEFINED

_LINQ: Final = "Newtonsoft.Json.Linq"
_TOKEN_TYPE = clr("JTokenType")
_KINDS: Final = {
    **{word: name for word, name in PREDEFINED.items() if word not in {"float", "string", "object"}},
    "DateTime": "DateTime",
    "DateTimeOffset": "DateTimeOffset",
    "Guid": "Guid",
    "TimeSpan": "TimeSpan",
}
_REFERENCES: Final = {"string": "String", "byte[]": "Byte[]", "Uri": "Uri"}


def _kind(token: JToken) -> EnumValue:
    return EnumValue(_TOKEN_TYPE, TOKEN_TYPES[token.kind])


def _cast(name: str, *, nullable: bool) -> Callable[[Any], Any]:
    def cast(token: Any) -> Any:
        return cast_token(token, name, nullable=nullable)

    def cast_text(token: Any) -> Any:
        """`cast` for string, which is faster for the usual case, a token that is a string."""
        if type(token) is JValue and token.kind == "String":
            return token.value
        return cast_token(token, "String", nullable=nullable)

    return cast_text if name == "String" else cast


def _conversions() -> dict[str, Any]:
    """JToken's implicit conversions from plain values and explicit conversions to plain values."""
    table: dict[str, Any] = {}
    for word, name in _KINDS.items():
        table[f"explicit {word}(JToken)"] = _cast(name, nullable=False)
        table[f"explicit {word}?(JToken)"] = _cast(name, nullable=True)
        if word != "char":
            table[f"implicit JToken({word})"] = token_of_primitive
            table[f"implicit JToken({word}?)"] = lambda value: (
                JValue(None) if value is None else token_of_primitive(value)
            )
    for word, name in _REFERENCES.items():
        table[f"explicit {word}(JToken)"] = _cast(name, nullable=True)
        table[f"implicit JToken({word})"] = token_of_primitive
    # A null string becomes a token of type String whose value is null.
    table["implicit JToken(string)"] = lambda text: JValue(text, "String")
    return table


def _formatted(token: JToken, formatting: Any, *_converters: Any) -> str:
    return token.json(indented=formatting.number == 1)


def _root(token: JToken) -> JToken:
    while token.parent is not None:
        token = token.parent
    return token


def _siblings(token: JToken) -> list[JToken]:
    return token.parent.children() if token.parent is not None else [token]


def _sibling(token: JToken, step: int) -> JToken | None:
    siblings = _siblings(token)
    index = next(i for i, sibling in enumerate(siblings) if sibling is token) + step
    return siblings[index] if 0 <= index < len(siblings) else None


def _child(token: JToken, index: int) -> JToken | None:
    if isinstance(token, JValue):
        raise DotNetException(
            "InvalidOperationException", "Cannot access child value on Newtonsoft.Json.Linq.JValue."
        )
    children = token.children()
    return children[index] if children else None


def _ancestors(token: JToken | None) -> list[JToken]:
    found: list[JToken] = []
    while token is not None:
        found.append(token)
        token = token.parent
    return found


def _add_sibling(token: JToken, content: Any, step: int) -> None:
    if token.parent is None:
        raise DotNetException("InvalidOperationException", "The parent is missing.")
    if isinstance(token.parent, JProperty):
        raise DotNetException("JsonException", "Newtonsoft.Json.Linq.JProperty cannot have multiple values.")
    index = next(i for i, sibling in enumerate(_siblings(token)) if sibling is token)
    _append(token.parent, content, index + step)


def _remove_self(token: JToken) -> None:
    parent = token.parent
    if isinstance(parent, JObject) and isinstance(token, JProperty):
        parent.remove(token.name)
    elif isinstance(parent, JArray):
        parent.remove(token)
    elif isinstance(parent, JProperty):
        raise DotNetException(
            "JsonException", "Cannot add or remove items from Newtonsoft.Json.Linq.JProperty."
        )
    else:
        raise DotNetException("InvalidOperationException", "The parent is missing.")


def _replace(token: JToken, value: Any) -> None:
    parent = token.parent
    if isinstance(parent, JProperty):
        parent.set_value(value)
    elif isinstance(parent, JArray):
        parent.set(next(i for i, item in enumerate(parent.items) if item is token), value)
    elif parent is None:
        raise DotNetException("InvalidOperationException", "The parent is missing.")
    else:
        raise DotNetException("ArgumentException", "Can not replace a property by this token.")


def _value_of(of: ClrType) -> Callable[[JToken, Any], Any]:
    convert = converter_to(of)
    return lambda token, key: convert(token_at(token, key))


def _children_as(of: ClrType) -> Callable[[JToken], Iterator[Any]]:
    def children(token: JToken) -> Iterator[Any]:
        for child in token.children():
            if is_instance(child, of):
                yield child

    return children


def _values_as(of: ClrType) -> Callable[[JToken], Iterator[Any]]:
    convert = converter_to(of)

    def values(token: JToken) -> Iterator[Any]:
        if isinstance(token, JValue):
            raise DotNetException(
                "InvalidOperationException", "Cannot access child value on Newtonsoft.Json.Linq.JValue."
            )
        for child in token.children():
            yield convert(child.value if isinstance(child, JProperty) else child)

    return values


def _parse(text: str | None) -> JToken:
    if text is None:
        raise argument_null("s")
    return parse(text)


def _parse_any(text: str | None) -> JToken:
    if text is None:
        raise argument_null("s")
    return parse_any(text)


def parse_object(text: str | None) -> JObject:
    """JObject.Parse."""
    token = _parse(text)
    if not isinstance(token, JObject):
        raise reader_error("Error reading JObject from JsonReader. Current JsonReader item is not an object.")
    return token


def parse_array(text: str | None) -> JArray:
    """JArray.Parse."""
    token = _parse(text)
    if not isinstance(token, JArray):
        raise reader_error("Error reading JArray from JsonReader. Current JsonReader item is not an array.")
    return token


def _from(kind: type[JToken], name: str) -> Callable[[Any], JToken]:
    def make(value: Any) -> JToken:
        if value is None:
            raise argument_null("o")
        token = from_object(value)
        if not isinstance(token, kind):
            raise DotNetException(
                "ArgumentException", f"Object serialized to {token.kind}. {name} instance expected."
            )
        return token

    return make


def _given(value: Any, name: str) -> Any:
    if value is None:
        raise argument_null(name)
    return value


define(
    f"class {_LINQ}.JToken : IEnumerable<JToken>",
    {
        "JToken this[object key]": Settable(token_at, set_token_at),
        "JTokenType Type": _kind,
        "bool HasValues": lambda token: bool(token.children()),
        "JContainer Parent": lambda token: token.parent,
        "JToken Root": _root,
        "JToken First": lambda token: _child(token, 0),
        "JToken Last": lambda token: _child(token, -1),
        "JToken Next": lambda token: _sibling(token, 1),
        "JToken Previous": lambda token: _sibling(token, -1),
        "string Path": path_of,
        "T Value<T>(object key)": Typed(_value_of),
        "IEnumerable<T> Values<T>()": Typed(_values_as),
        "IEnumerable<JToken> Children()": lambda token: Sequence(clr("JToken"), token.children),
        "IEnumerable<T> Children<T>()": Typed(_children_as),
        "JToken SelectToken(string path)": select_one,
        "JToken SelectToken(string path, bool errorWhenNoMatch)": select_one,
        "IEnumerable<JToken> SelectTokens(string path)": select,
        "IEnumerable<JToken> SelectTokens(string path, bool errorWhenNoMatch)": select,
        "JToken DeepClone()": lambda token: token.clone(),
        "T ToObject<T>()": Typed(to_object),
        "IEnumerable<JToken> Ancestors()": lambda token: _ancestors(token)[1:],
        "IEnumerable<JToken> AncestorsAndSelf()": _ancestors,
        "void AddAfterSelf(object content)": lambda token, content: _add_sibling(token, content, 1),
        "void AddBeforeSelf(object content)": lambda token, content: _add_sibling(token, content, 0),
        "void Remove()": _remove_self,
        "void Replace(JToken value)": _replace,
        "string ToString()": lambda token: token.clr_text(),
        "string ToString(Formatting formatting)": _formatted,
        "static JToken Parse(string json)": _parse_any,
        "static JToken FromObject(object o)": _from(JToken, "JToken"),
        "static bool DeepEquals(JToken t1, JToken t2)": deep_equals,
        **_conversions(),
    },
)


# JContainer, JArray


def is_multiple(content: Any) -> bool:
    """Whether the content is several tokens: an enumerable other than a string, a byte[] or a token."""
    if content is None or isinstance(content, (str, JToken)) or not hasattr(content, "__iter__"):
        return False
    return not (isinstance(content, Array) and content.clr_type.args[0] is BYTE)


def _append(container: Any, content: Any, index: int | None = None) -> None:
    """Appends or inserts content; several tokens are inserted at consecutive indexes, as in Newtonsoft."""
    place = len(container.children()) if index is None else index
    if is_multiple(content):
        for count, item in enumerate(content):
            _append(container, item, place + count)
    elif isinstance(container, JArray):
        container.insert(place, content)
    elif isinstance(content, JProperty):
        container.insert_property(place, content)
    else:
        kind = to_token(content).clr_type
        raise DotNetException("ArgumentException", f"Can not add {_LINQ}.{kind} to {_LINQ}.JObject.")


def _merge_all(target: Any, source: Any) -> None:
    if source is None:
        return
    if isinstance(target, JObject) and isinstance(source, JObject):
        for name, item in source.properties.items():
            existing = target.get(name)
            value = item.value
            if existing is None:
                target.set(name, value.clone())
            elif isinstance(existing, (JObject, JArray)) and type(existing) is type(value):
                _merge_all(existing, value)
            elif not (isinstance(value, JValue) and value.kind == "Null"):
                target.set(name, value.clone())
    elif isinstance(target, JArray) and hasattr(source, "__iter__"):
        for item in source:
            target.add(item.clone() if isinstance(item, JToken) else item)


def _filled(container: Any) -> Callable[..., Any]:
    def make(content: Any = None) -> Any:
        made = container()
        _append(made, content)
        return made

    return make


def _clear(token: Any) -> None:
    for child in token.children():
        child.parent = None
    if isinstance(token, JObject):
        token.properties.clear()
    elif isinstance(token, JArray):
        token.items.clear()


define(
    f"class {_LINQ}.JContainer : JToken",
    {
        "int Count": lambda token: len(token.children()),
        "void Add(object content)": _append,
        "void AddFirst(object content)": lambda container, content: _append(container, content, 0),
        "void RemoveAll()": _clear,
        "IEnumerable<JToken> Descendants()": lambda token: descendants(token)[1:],
        "IEnumerable<JToken> DescendantsAndSelf()": descendants,
        "void Merge(object content)": _merge_all,
    },
)


def _position(array: JArray, wanted: JToken | None) -> int:
    return next((index for index, item in enumerate(array.items) if item is wanted), -1)


define(
    f"class {_LINQ}.JArray : JContainer, IList<JToken>",
    {
        "new()": JArray,
        "new(JArray other)": lambda other: _given(other, "other").clone(),
        "new(params object[] content)": _filled(JArray),
        "new(object content)": _filled(JArray),
        "JToken this[int index]": Settable(JArray.at, JArray.set),
        "JToken this[object key]": Settable(token_at, set_token_at),
        "int Count": lambda array: len(array.items),
        "void Add(JToken item)": JArray.add,
        "void Insert(int index, JToken item)": JArray.insert,
        "bool Remove(JToken item)": JArray.remove,
        "void RemoveAt(int index)": JArray.remove_at,
        "bool Contains(JToken item)": lambda array, item: _position(array, item) >= 0,
        "int IndexOf(JToken item)": _position,
        "void Clear()": _clear,
        "static JArray Parse(string json)": parse_array,
        "static JArray FromObject(object o)": _from(JArray, "JArray"),
    },
)


# JObject, JProperty


def _new_object(content: Any) -> JObject:
    made = JObject()
    _append(made, content)
    return made


def _property_as(target: JObject, name: str | None, comparison: Any) -> JProperty | None:
    if name is None:
        return None
    exact = target.properties.get(name)
    if exact is not None or comparison.number not in {1, 3, 5}:
        return exact
    wanted = folded(name)
    return next((item for key, item in target.properties.items() if folded(key) == wanted), None)


def _get(target: JObject, name: str | None) -> JToken | None:
    return None if name is None else target.get(name)


def _get_as(target: JObject, name: str | None, comparison: Any) -> JToken | None:
    found = _property_as(target, name, comparison)
    return None if found is None else found.value


def _try_get(target: JObject, name: str | None) -> tuple[bool, JToken | None]:
    found = _get(target, name)
    return found is not None, found


def _try_get_as(target: JObject, name: str | None, comparison: Any) -> tuple[bool, JToken | None]:
    found = _get_as(target, name, comparison)
    return found is not None, found


def _add(target: JObject, name: str | None, value: Any) -> None:
    target.add_property(JProperty(name, value))


define(
    f"class {_LINQ}.JObject : JContainer, IEnumerable<KeyValuePair<string, JToken>>",
    {
        "new()": JObject,
        "new(JObject other)": lambda other: _given(other, "other").clone(),
        "new(params object[] content)": _new_object,
        "new(object content)": _new_object,
        "JToken this[string propertyName]": Settable(JObject.get, JObject.set),
        "JToken this[object key]": Settable(token_at, set_token_at),
        "int Count": lambda target: len(target.properties),
        "void Add(string propertyName, JToken value)": _add,
        "bool Remove(string propertyName)": JObject.remove,
        "bool ContainsKey(string propertyName)": lambda target, name: (
            _given(name, "propertyName") in target.properties
        ),
        "bool TryGetValue(string propertyName, out JToken value)": _try_get,
        "bool TryGetValue(string propertyName, StringComparison comparison, out JToken value)": _try_get_as,
        "JToken GetValue(string propertyName)": _get,
        "JToken GetValue(string propertyName, StringComparison comparison)": _get_as,
        "JProperty Property(string name)": lambda target, name: target.properties.get(name),
        "JProperty Property(string name, StringComparison comparison)": _property_as,
        "IEnumerable<JProperty> Properties()": lambda target: Sequence(clr("JProperty"), lambda: target),
        "IEnumerable<JToken> PropertyValues()": lambda target: [
            item.value for item in target.properties.values()
        ],
        "static JObject Parse(string json)": parse_object,
        "static JObject FromObject(object o)": _from(JObject, "JObject"),
    },
)
define(
    f"class {_LINQ}.JProperty : JContainer",
    {
        "new(string name, object content)": JProperty,
        "string Name": lambda item: item.name,
        "JToken Value": Settable(lambda item: item.value, JProperty.set_value),
    },
)
define(f"class {_LINQ}.JConstructor : JContainer", {"string Name": lambda token: token.name})


# JValue


def _set_value(token: JValue, value: Any) -> None:
    token.value = value
    token.kind = kind_of(value) if value is not None else "Null"


define(
    f"class {_LINQ}.JValue : JToken",
    {
        **{
            f"new({word} value)": token_of_primitive
            for word in (
                "bool",
                "long",
                "ulong",
                "double",
                "decimal",
                "DateTime",
                "DateTimeOffset",
                "Guid",
                "TimeSpan",
                "string",
                "Uri",
            )
        },
        "new(JValue other)": lambda other: _given(other, "other").clone(),
        "new(char value)": lambda code: JValue(chr(code)),
        "new(object value)": JValue,
        "object Value": Settable(lambda token: token.value, _set_value),
        "bool Equals(JValue other)": JValue.clr_equals,
        "static JValue CreateNull()": lambda: JValue(None),
        "static JValue CreateUndefined()": lambda: JValue(None, "Undefined"),
        "int CompareTo(JValue obj)": lambda left, right: 1 if right is None else compare(left, right),
        "static JValue CreateString(string value)": lambda text: JValue(text, "String"),
        "string ToString()": lambda token: token.clr_text(),
        "string ToString(string format)": lambda token, pattern: token.clr_format(pattern),
    },
)


# Newtonsoft.Json.Linq.Extensions


def _value(_source: ClrType, of: ClrType) -> Callable[[Any], Any]:
    convert = converter_to(of)

    def value(source: Any) -> Any:
        if source is None:
            raise argument_null("value")
        if not isinstance(source, JToken):
            raise DotNetException("ArgumentException", "Source value must be a JToken.")
        return convert(source)

    return value


def _values_of(of: ClrType) -> Callable[[Any], Iterator[Any]]:
    convert = converter_to(of)

    def values(source: Any) -> Iterator[Any]:
        for token in source:
            for child in [token] if isinstance(token, JValue) else token.children():
                yield convert(child.value if isinstance(child, JProperty) else child)

    return values


define(
    f"static {_LINQ}.Extensions",
    {
        "static U Value<U>(this IEnumerable<JToken> value)": Typed(lambda of: _value(of, of)),
        "static IEnumerable<JToken> Values(this IEnumerable<JToken> source)": lambda source: [
            child
            for token in source
            for child in ([token] if isinstance(token, JValue) else token.children())
        ],
        "static IEnumerable<U> Values<U>(this IEnumerable<JToken> source)": Typed(_values_of),
    },
)
