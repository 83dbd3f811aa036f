"""JsonConvert: SerializeObject and DeserializeObject are allowed."""

from collections.abc import Callable
from typing import Any

from twin.apim.csharp.errors import argument_null
from twin.apim.csharp.json_conversion import from_object, read_item
from twin.apim.csharp.json_text import parse, write
from twin.apim.csharp.json_values import JToken
from twin.apim.csharp.signature import Typed, define
from twin.apim.csharp.types import ClrType


def _serialize(value: Any, formatting: Any = None) -> str:
    return write(from_object(value), indented=formatting is not None and formatting.number == 1)


def _read(text: str | None) -> JToken | None:
    if text is None:
        raise argument_null("value")
    return parse(text) if text.strip() else None


def _deserialize(of: ClrType) -> Callable[[str | None], Any]:
    build = read_item(of)

    def read(text: str | None) -> Any:
        token = _read(text)
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
