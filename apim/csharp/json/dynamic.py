"""Access to tokens by keys that are known only at run time, and `dynamic` values."""

from typing import Any, Final

from apim.csharp.errors import DotNetException, UnsupportedError
from apim.csharp.json.tokens import JArray, JConstructor, JObject, JToken, JValue


def token_at(token: JToken, key: Any) -> JToken | None:
    """`token[key]` with a key of static type object.

    Raises:
        DotNetException: InvalidOperationException if the token is a value, ArgumentException for a wrong
            key type.
    """
    if isinstance(token, JObject):
        if not isinstance(key, str):
            raise _wrong_key("JObject", key, "Object property name expected.")
        return token.get(key)
    if isinstance(token, JArray):
        if type(key) is not int:
            raise _wrong_key("JArray", key, "Int32 array index expected.")
        return token.at(key)
    if isinstance(token, JConstructor):
        raise UnsupportedError("an item of a JConstructor")
    name = "JValue" if isinstance(token, JValue) else "JProperty"
    raise DotNetException(
        "InvalidOperationException", f"Cannot access child value on Newtonsoft.Json.Linq.{name}."
    )


def _wrong_key(owner: str, key: Any, expected: str) -> DotNetException:
    shown = "null" if key is None else f'"{key}"' if isinstance(key, str) else str(key)
    return DotNetException(
        "ArgumentException", f"Accessed {owner} values with invalid key value: {shown}. {expected}"
    )


def set_token_at(token: JToken, key: Any, value: Any) -> None:
    """`token[key] = value` with a key of static type object."""
    if isinstance(token, JObject):
        if not isinstance(key, str):
            raise _wrong_key("JObject", key, "Object property name expected.")
        token.set(key, value)
    elif isinstance(token, JArray):
        if type(key) is not int:
            raise _wrong_key("JArray", key, "Int32 array index expected.")
        token.set(key, value)
    else:
        name = "JValue" if isinstance(token, JValue) else "JProperty"
        raise DotNetException(
            "InvalidOperationException", f"Cannot set child value on Newtonsoft.Json.Linq.{name}."
        )


def dynamic_is_null(value: Any) -> bool:
    """`d == null`: null, or a token of null."""
    return value is None or (isinstance(value, JValue) and value.value is None)


_MEMBERS_OF_VALUES: Final = frozenset(
    {"Value", "Type", "Parent", "Root", "Path", "First", "Last", "Next", "Previous", "HasValues"}
)


def dynamic_member(value: Any, name: str) -> Any:
    """`d.name` of a dynamic value: a property of a JObject."""
    if value is None:
        raise DotNetException("RuntimeBinderException", "Cannot perform runtime binding on a null reference")
    if isinstance(value, JObject):
        return value.get(name)
    if isinstance(value, JValue) and name not in _MEMBERS_OF_VALUES:
        raise DotNetException(
            "RuntimeBinderException",
            f"'Newtonsoft.Json.Linq.JValue' does not contain a definition for '{name}'",
        )
    raise UnsupportedError(f"the member {name} of a dynamic value that is not a JObject")


def dynamic_index(value: Any, key: Any) -> Any:
    """`d[key]` of a dynamic value."""
    if value is None:
        raise DotNetException("RuntimeBinderException", "Cannot perform runtime binding on a null reference")
    if isinstance(value, JToken):
        return token_at(value, key)
    raise UnsupportedError("an index of a dynamic value that is not JSON")


def dynamic_to_string(value: Any) -> str:
    """`d.ToString()` of a dynamic value."""
    if value is None:
        raise DotNetException("RuntimeBinderException", "Cannot perform runtime binding on a null reference")
    if isinstance(value, JToken):
        return value.clr_text()
    raise UnsupportedError("a method of a dynamic value that is not JSON")
