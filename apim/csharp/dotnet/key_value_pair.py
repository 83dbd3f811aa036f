"""KeyValuePair<TKey, TValue>."""

from typing import Any

from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import clr
from apim.csharp.dotnet.values import equals


class KeyValuePair:
    """KeyValuePair<TKey, TValue>."""

    __slots__ = ("clr_type", "key", "value")

    def __init__(self, key: Any, value: Any, key_type: Any, value_type: Any) -> None:
        self.key = key
        self.value = value
        self.clr_type = clr("KeyValuePair", key_type, value_type)

    def clr_text(self) -> str:
        """`[key, value]`."""
        return f"[{to_string(self.key)}, {to_string(self.value)}]"

    def clr_equals(self, other: Any) -> bool:
        """Equals, member by member."""
        return (
            isinstance(other, KeyValuePair)
            and equals(self.key, other.key)
            and equals(self.value, other.value)
        )
