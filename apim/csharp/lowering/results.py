"""Converts plain Python results of a member's function to the class of their .NET type."""

from collections.abc import Callable
from typing import Any

from apim.csharp.dotnet.types import ClrType
from apim.csharp.dotnet.values import INTEGER_CLASSES, Array, Sequence


def wrapper(returns: ClrType) -> Callable[[Any], Any] | None:
    """The function that converts a result to a value of a type; None if none is needed."""
    if returns.name in INTEGER_CLASSES and returns.name != "Int32":
        return INTEGER_CLASSES[returns.name]
    if returns.name == "[]":
        element = returns.args[0]
        kinds = frozenset({list, tuple, bytes, bytearray})
        return lambda value: Array.of(element, value) if type(value) in kinds else value
    if returns.name == "Nullable" and (inner := wrapper(returns.args[0])) is not None:
        return lambda value: None if value is None else inner(value)
    if returns.name == "IEnumerable":
        element = returns.args[0]
        return lambda value: Sequence(element, lambda: value) if isinstance(value, (list, tuple)) else value
    return None
