"""Newtonsoft's conversions between tokens and .NET values: casts, Value<T>, ToObject<T>, FromObject."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apim.csharp.dotnet.collections import AnonymousObject, Dictionary, HashSet, List, Tuple
from apim.csharp.dotnet.convert import change_type
from apim.csharp.dotnet.date_times import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.key_value_pair import KeyValuePair
from apim.csharp.dotnet.text.values import full_name, to_string
from apim.csharp.dotnet.types import BYTE, ClrType, clr, is_reference_type
from apim.csharp.dotnet.uri import Uri
from apim.csharp.dotnet.values import Array, Char, EnumValue, Long, type_of
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null
from apim.csharp.json.casts import cast_value, is_castable
from apim.csharp.json.plain import BigInteger
from apim.csharp.json.tokens import JArray, JConstructor, JObject, JProperty, JToken, JValue


def cast_token(token: JToken | None, target: str, *, nullable: bool) -> Any:
    """`(T)token`: `target` is the name of T without its `?`.

    Raises:
        DotNetException: ArgumentNullException, ArgumentException, FormatException, OverflowException.
    """
    if token is None:
        if nullable:
            return None
        raise argument_null("value")
    found = token.value if isinstance(token, JProperty) else token
    # A token that is not a value has a kind that no cast allows, so its value is not used.
    plain = found.value if isinstance(found, JValue) else None
    return cast_value(found.kind, plain, target, nullable=nullable)


def converter_to(of: ClrType) -> Callable[[JToken | None], Any]:  # noqa: C901 -- one case per kind
    """Value<T>(), as `Newtonsoft.Json.Linq.Extensions.Convert` implements it."""
    plain = of.args[0] if of.name == "Nullable" else of
    is_token = plain.name in _TOKENS
    missing = default_of(of)

    def convert(token: JToken | None) -> Any:  # noqa: C901, PLR0911 -- one case per kind
        if token is None:
            return missing
        if plain.name == "Object":
            return token
        if is_token:
            if isinstance(token, _TOKENS[plain.name]):
                return token
            if isinstance(token, JValue) and token.value is None:
                return None
            raise _cannot_cast(token, of)
        if not isinstance(token, JValue):
            raise _cannot_cast(token, of)
        value = token.value
        if value is not None and type_of(value) is plain:
            return value
        if isinstance(value, BigInteger):
            raise DotNetException("InvalidCastException", "Object must implement IConvertible.")
        if value is None:
            if of.name == "Nullable" or is_reference_type(of):
                return None
            raise DotNetException("InvalidCastException", "Null object cannot be converted to a value type.")
        return change_type(value, plain.name)

    return convert


_TOKENS: Final[dict[str, type[JToken] | tuple[type[JToken], ...]]] = {
    "JToken": JToken,
    "JObject": JObject,
    "JArray": JArray,
    "JValue": JValue,
    "JProperty": JProperty,
    "JConstructor": JConstructor,
    "JContainer": (JObject, JArray, JProperty, JConstructor),
}


def _cannot_cast(token: JToken, of: ClrType) -> DotNetException:
    return DotNetException("InvalidCastException", f"Cannot cast {token.clr_type} to {of}.")


def to_object(of: ClrType) -> Callable[[JToken], Any]:
    """ToObject<T>(), and DeserializeObject<T>() after parsing.

    Raises:
        UnsupportedError: this T is not supported.
    """
    if of.name in _TOKENS:
        return lambda token: _as_token(token, of)
    if of.name in {"Object", "dynamic"}:
        return lambda token: token.value if isinstance(token, JValue) else token
    if of.name in {"List", "IList", "IEnumerable", "ICollection", "[]", "HashSet"}:
        inner = read_item(of.args[0])
        element = of.args[0]
        make = {"[]": Array.of, "HashSet": HashSet}.get(of.name, List)
        return lambda token: _built(
            token, JArray, lambda found: make(element, [inner(item) for item in found.items])
        )
    if of.name in {"Dictionary", "IDictionary"} and of.args[0] is clr("String"):
        inner, value_type = read_item(of.args[1]), of.args[1]
        return lambda token: _built(token, JObject, lambda found: _dictionary(found, value_type, inner))
    plain = of.args[0] if of.name == "Nullable" else of
    if not is_castable(plain.name) or plain.name == "Byte[]":
        raise UnsupportedError(f"building a {of} from JSON")
    nullable = of.name == "Nullable" or plain.name in {"String", "Uri"}
    return lambda token: cast_token(token, plain.name, nullable=nullable)


def read_item(of: ClrType) -> Callable[[JToken], Any]:
    """A function that converts an item or a value to T within ToObject<T>() of a collection.

    The function raises a JsonReaderException for a string that it cannot convert.

    Raises:
        UnsupportedError: this T is not supported.
    """
    build = to_object(of)
    is_plain = of.name == "Nullable" or is_castable(of.name)

    def read(token: JToken) -> Any:
        if is_plain and not isinstance(token, JValue):
            raise UnsupportedError("an object or an array of JSON as a plain value")
        if of.name == "String" and token.kind in {"Float", "Boolean", "Date"}:
            raise UnsupportedError("a number, bool or date of JSON as a string")
        try:
            return build(token)
        except UnsupportedError:
            raise
        except DotNetException as error:
            if error.type_name in {"FormatException", "OverflowException"}:
                raise DotNetException("JsonReaderException", f"Could not convert: {error.message}") from None
            if error.type_name == "ArgumentException":
                raise UnsupportedError("a JSON value that has another type than the target") from None
            raise

    return read


def _as_token(token: JToken, of: ClrType) -> Any:
    if isinstance(token, _TOKENS[of.name]):
        return token
    if isinstance(token, JValue) and token.value is None and of.name != "JToken":
        return None
    raise DotNetException(
        "JsonSerializationException",
        f"Deserialized JSON type '{full_name(token.clr_type)}' is not compatible with expected type "
        f"'{full_name(of)}'.",
    )


def _built(token: JToken, kind: type[Any], make: Callable[[Any], Any]) -> Any:
    if isinstance(token, JValue) and token.value is None:
        return None
    if not isinstance(token, kind):
        raise DotNetException(
            "JsonSerializationException", "Cannot deserialize the current JSON value into this type."
        )
    return make(token)


def _dictionary(found: JObject, value_type: ClrType, inner: Callable[[JToken], Any]) -> Dictionary:
    made = Dictionary(clr("String"), value_type)
    for name, item in found.properties.items():
        made.set(name, inner(item.value))
    return made


def from_object(value: Any) -> JToken:  # noqa: C901, PLR0911, PLR0912 -- one case per kind
    """JToken.FromObject, also used by JsonConvert.SerializeObject.

    Raises:
        UnsupportedError: this object is not supported.
    """
    match value:
        case (
            None | bool() | str() | float() | Decimal() | DateTime() | DateTimeOffset() | TimeSpan() | UUID()
        ):
            return JValue(value)
        case Char():
            return JValue(chr(value))
        case int():
            return JValue(value)
        case EnumValue():
            return JValue(Long(value.number))
        case JToken():
            return value
        case Uri():
            return JValue(value.original)
        case Dictionary():
            made = JObject()
            for key, item in value.rows():
                made.set(to_string(key), from_object(item).clone())
            return made
        case Tuple():
            return JObject(
                [JProperty(f"Item{index}", from_object(item)) for index, item in enumerate(value.items, 1)]
            )
        case AnonymousObject():
            return JObject([JProperty(name, from_object(item)) for name, item in value.members.items()])
        case KeyValuePair():
            return JObject(
                [JProperty("Key", from_object(value.key)), JProperty("Value", from_object(value.value))]
            )
        case Array() if value.clr_type.args[0] is BYTE:
            return JValue(value)
    if hasattr(value, "__iter__"):
        return JArray([from_object(item) for item in value])
    raise UnsupportedError(f"writing {type_of(value)} as JSON")
