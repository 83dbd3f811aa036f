"""Array. The lowering also handles `array.Length` and elements directly."""

from functools import cmp_to_key
from typing import Any

from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.ordering import compare_values
from apim.csharp.dotnet.signature import Attribute, Typed, define
from apim.csharp.dotnet.types import BYTE
from apim.csharp.dotnet.values import Array
from apim.csharp.errors import DotNetException, argument_null, out_of_range
from apim.csharp.members.collections import copy_to, first_match, index_of, items_of


def _copy(source: Array | None, target: Array | None, length: int) -> None:
    _copy_part(source, 0, target, 0, length)


def _copy_part(source: Array | None, start: int, target: Array | None, to: int, length: int) -> None:
    if source is None or target is None:
        raise argument_null("sourceArray" if source is None else "destinationArray")
    if start < 0 or to < 0 or length < 0:
        raise out_of_range("length")
    if start + length > len(source.items):
        raise DotNetException("ArgumentException", "Source array was not long enough.")
    if to + length > len(target.items):
        raise DotNetException("ArgumentException", "Destination array was not long enough.")
    if source.clr_type is not target.clr_type:
        raise DotNetException(
            "ArrayTypeMismatchException", "Source array type cannot be assigned to destination array type."
        )
    target.items[to : to + length] = source.items[start : start + length]


def _reverse(values: Any) -> None:
    if values is None:
        raise argument_null("array")
    values.items.reverse()


def _sort_array(values: Array | None) -> None:
    if values is None:
        raise argument_null("array")
    values.items[:] = sorted(values, key=cmp_to_key(compare_values))


def _clear_array(values: Array | None, start: int, count: int) -> None:
    if values is None:
        raise argument_null("array")
    if start < 0 or count < 0 or start + count > len(values.items):
        raise DotNetException("IndexOutOfRangeException", "Index was outside the bounds of the array.")
    default = default_of(values.clr_type.args[0])
    values.items[start : start + count] = (
        bytes(count) if values.clr_type.args[0] is BYTE else [default] * count
    )


define(
    "class System.Array",
    {
        "int Length": Attribute("items", len),
        "long LongLength": len,
        "int Rank": lambda _values: 1,
        "object Clone()": lambda values: Array.of(values.clr_type.args[0], values.items[:]),
        "static void Copy(Array sourceArray, Array destinationArray, int length)": _copy,
        "static void Copy(Array sourceArray, int sourceIndex, "
        "Array destinationArray, int destinationIndex, int length)": _copy_part,
        "static void Reverse(Array array)": _reverse,
        "static void Reverse<T>(T[] array)": Typed(lambda _element: _reverse),
        "static void Sort(Array array)": _sort_array,
        "static void Sort<T>(T[] array)": Typed(lambda _element: _sort_array),
        "static void Clear(Array array, int index, int length)": _clear_array,
        "static T[] Empty<T>()": Typed(lambda element: lambda: Array.of(element, [])),
        "static int IndexOf(Array array, object value)": lambda values, wanted: index_of(
            items_of(values, "array"), wanted
        ),
        "static int IndexOf<T>(T[] array, T value)": Typed(
            lambda _element: lambda values, wanted: index_of(items_of(values, "array"), wanted)
        ),
        "static bool Exists<T>(T[] array, Predicate<T> match)": Typed(
            lambda _element: lambda values, test: any(test(value) for value in items_of(values, "array"))
        ),
        "static T Find<T>(T[] array, Predicate<T> match)": Typed(
            lambda element: lambda values, test: first_match(values, test, default_of(element))
        ),
        "static T[] FindAll<T>(T[] array, Predicate<T> match)": Typed(
            lambda _element: (
                lambda values, test: [value for value in items_of(values, "array") if test(value)]
            )
        ),
        "static int FindIndex<T>(T[] array, Predicate<T> match)": Typed(
            lambda _element: (
                lambda values, test: next(
                    (index for index, value in enumerate(items_of(values, "array")) if test(value)), -1
                )
            )
        ),
        "static R[] ConvertAll<T, R>(T[] array, Converter<T, R> converter)": Typed(
            lambda _element, _result: (
                lambda values, convert: [convert(value) for value in items_of(values, "array")]
            )
        ),
        "static void ForEach<T>(T[] array, Action<T> action)": Typed(
            lambda _element: lambda values, act: [act(value) for value in items_of(values, "array")] and None
        ),
        "void CopyTo(Array array, int index)": copy_to,
    },
)
