"""The value of default(T)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final
from uuid import UUID

from apim.csharp.dotnet.date_times import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.key_value_pair import KeyValuePair
from apim.csharp.dotnet.types import ClrType, is_enum
from apim.csharp.dotnet.values import INTEGER_CLASSES, EnumValue


def default_of(of: ClrType) -> object:
    """default(T)."""
    if of.name in INTEGER_CLASSES:
        return INTEGER_CLASSES[of.name](0)
    if of.name == "KeyValuePair":
        key, value = of.args
        return KeyValuePair(default_of(key), default_of(value), key, value)
    if of.name in _DEFAULTS:
        return _DEFAULTS[of.name]()
    return EnumValue(of, 0) if is_enum(of) else None


_DEFAULTS: Final[dict[str, Callable[[], object]]] = {
    "Boolean": bool,
    "Double": float,
    "Decimal": Decimal,
    "Guid": lambda: UUID(int=0),
    "DateTime": lambda: DateTime(0),
    "TimeSpan": lambda: TimeSpan(0),
    "DateTimeOffset": lambda: DateTimeOffset(0),
}
