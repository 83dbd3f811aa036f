"""The order of values: Comparer<T>.Default."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from apim.csharp.dotnet.date_times import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.values import EnumValue
from apim.csharp.errors import DotNetException, UnsupportedError


def compare_values(left: Any, right: Any) -> int:
    """Compares two values of the same type; null comes first.

    Raises:
        DotNetException: InvalidOperationException, if the type has no order.
    """
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, EnumValue) and isinstance(right, EnumValue):
        left, right = left.number, right.number
    if isinstance(left, float) or isinstance(right, float):
        return _doubles(left, right)
    if isinstance(left, UUID):
        raise UnsupportedError("the order of Guids")
    if isinstance(left, (int, Decimal, DateTime, DateTimeOffset, TimeSpan)) and type(left) is type(right):
        return -1 if left < right else 0 if left == right else 1
    own = getattr(left, "clr_compare", None)
    if own is not None:
        return own(right)
    raise DotNetException("InvalidOperationException", "Failed to compare two elements in the array.")


def _doubles(left: float, right: float) -> int:
    if left != left or right != right:  # noqa: PLR0124 -- NaN comes first
        return (left == left) - (right == right)  # noqa: PLR0124 -- as above
    return (left > right) - (left < right)
