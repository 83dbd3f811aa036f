"""JsonConvert: SerializeObject and DeserializeObject, the members that API Management allows."""

from collections.abc import Callable
from typing import Any

from apim.csharp.dotnet.conversions import is_subtype
from apim.csharp.dotnet.signature import Typed, define
from apim.csharp.dotnet.text.values import full_name
from apim.csharp.dotnet.types import JTOKEN, OBJECT, ClrType, is_value_type
from apim.csharp.errors import DotNetException, argument_null
from apim.csharp.json.conversion import from_object, read_item
from apim.csharp.json.reader import parse
from apim.csharp.json.tokens import JToken


def _serialize(value: Any, formatting: Any = None) -> str:
    return from_object(value).json(indented=formatting is not None and formatting.number == 1)


def _read(text: str | None, of: ClrType = OBJECT) -> JToken | None:
    if text is None:
        raise argument_null("value")
    if not text.strip():
        return None
    try:
        return parse(text, may_end=True) if _as_token(text, of) else parse(text, may_end=False)
    except DotNetException as error:
        reads_items = bool(of.args) or of.name in {"Object", "dynamic"}
        if (
            error.type_name == "JsonReaderException"
            and reads_items
            and not _as_token(text, of)
            and _ends_early(text)
        ):
            raise DotNetException(
                "JsonSerializationException", "Unexpected end when deserializing object."
            ) from None
        raise


def _as_token(text: str, of: ClrType) -> bool:
    """Whether the JSON is deserialized to tokens, and not to a .NET object."""
    return is_subtype(of, JTOKEN) or (of.name in {"Object", "dynamic"} and text.lstrip()[0] == "[")


def _ends_early(text: str) -> bool:
    try:
        parse(text, may_end=True)
    except DotNetException as error:
        return error.type_name == "JsonWriterException"
    return True


def _deserialize(of: ClrType) -> Callable[[str | None], Any]:
    build = read_item(of)

    def read(text: str | None) -> Any:
        token = _read(text, of)
        if token is None and is_value_type(of):
            raise DotNetException(
                "JsonSerializationException",
                f"No JSON content found and type '{full_name(of)}' is not nullable. "
                "Path '', line 0, position 0.",
            )
        return None if token is None else build(token)

    return read


def _deserialize_any(text: str | None) -> Any:
    token = _read(text)
    return getattr(token, "value", token)


define(
    "static Newtonsoft.Json.JsonConvert",
    {
        "static string SerializeObject(object value)": _serialize,
        "static string SerializeObject(object value, Formatting formatting)": _serialize,
        "static object DeserializeObject(string value)": _deserialize_any,
        "static T DeserializeObject<T>(string value)": Typed(_deserialize),
    },
)
