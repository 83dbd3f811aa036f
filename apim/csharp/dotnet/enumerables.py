"""The operators of System.Linq.Enumerable. Each function implements the operator that its docstring names.

Generator functions implement deferred operators: they run each time their result is enumerated.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cmp_to_key, partial
from typing import Any, Final

from apim.csharp.dotnet.collections import Dictionary, Grouping, key_of
from apim.csharp.dotnet.conversions import is_instance
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.operators import arithmetic
from apim.csharp.dotnet.ordering import compare_values
from apim.csharp.dotnet.types import BYTE, INTEGERS, STRING, ClrType, clr
from apim.csharp.dotnet.values import Array, Sequence, equals, iterate, type_of
from apim.csharp.errors import DotNetException, argument_null
from apim.csharp.language.decimals import checked_decimal

Values = Iterable[Any]
_MISSING: Final = object()
_EMPTY: Final = "Sequence contains no elements"
_NO_MATCH: Final = "Sequence contains no matching element"


def items_of(values: Values | None, name: str = "source") -> Iterator[Any]:
    """The items of a source; `name` is its parameter's name in .NET.

    Raises:
        DotNetException: ArgumentNullException, if the source is null.
    """
    if type(values) is Array and type(values.items) is list:
        return iter(values.items)
    if values is None:
        raise argument_null(name)
    return iterate(values)


def invalid(message: str) -> DotNetException:
    """An InvalidOperationException."""
    return DotNetException("InvalidOperationException", message)


# Deferred operators


def where(source: Values, test: Callable[[Any], bool]) -> Iterator[Any]:
    """Where."""
    yield from filter(test, items_of(source))


def where_indexed(source: Values, test: Callable[[Any, int], bool]) -> Iterator[Any]:
    """Where with a predicate that has the index as its second parameter."""
    for index, item in enumerate(items_of(source)):
        if test(item, index):
            yield item


def select(source: Values, project: Callable[[Any], Any]) -> Iterator[Any]:
    """Select."""
    yield from map(project, items_of(source))


def select_indexed(source: Values, project: Callable[[Any, int], Any]) -> Iterator[Any]:
    """Select with a selector that has the index as its second parameter."""
    for index, item in enumerate(items_of(source)):
        yield project(item, index)


def select_many(source: Values, project: Callable[[Any], Values]) -> Iterator[Any]:
    """SelectMany."""
    for item in items_of(source):
        yield from items_of(project(item))


def select_many_pairs(
    source: Values, project: Callable[[Any], Values], combine: Callable[[Any, Any], Any]
) -> Iterator[Any]:
    """SelectMany with a result selector for each pair."""
    for item in items_of(source):
        for inner in items_of(project(item)):
            yield combine(item, inner)


def take(source: Values, count: int) -> Iterator[Any]:
    """Take."""
    if count > 0:
        yield from itertools.islice(items_of(source), count)


def skip(source: Values, count: int) -> Iterator[Any]:
    """Skip."""
    yield from itertools.islice(items_of(source), max(count, 0), None)


def take_while(source: Values, test: Callable[[Any], bool]) -> Iterator[Any]:
    """TakeWhile."""
    yield from itertools.takewhile(test, items_of(source))


def skip_while(source: Values, test: Callable[[Any], bool]) -> Iterator[Any]:
    """SkipWhile."""
    yield from itertools.dropwhile(test, items_of(source))


def concat(first: Values, second: Values) -> Iterator[Any]:
    """Concat."""
    yield from items_of(first, "first")
    yield from items_of(second, "second")


def append(source: Values, item: Any) -> Iterator[Any]:
    """Append."""
    yield from items_of(source)
    yield item


def prepend(source: Values, item: Any) -> Iterator[Any]:
    """Prepend."""
    yield item
    yield from items_of(source)


def reverse_(source: Values) -> Iterator[Any]:
    """Reverse."""
    yield from reversed(list(items_of(source)))


def key_function(comparer: Any) -> Callable[[Any], Any]:
    """A function whose results are equal for items that a comparer considers equal."""
    if comparer is None:
        return lambda value: value if value is None or type(value) is str else key_of(value)
    return comparer.key


def distinct(source: Values, comparer: Any = None) -> Iterator[Any]:
    """Distinct."""
    seen: set[Any] = set()
    key = key_function(comparer)
    for item in items_of(source):
        if key(item) not in seen:
            seen.add(key(item))
            yield item


def union(first: Values, second: Values, comparer: Any = None) -> Iterator[Any]:
    """Union."""
    yield from distinct(itertools.chain(items_of(first, "first"), items_of(second, "second")), comparer)


def intersect(first: Values, second: Values, comparer: Any = None) -> Iterator[Any]:
    """Intersect."""
    key = key_function(comparer)
    wanted = {key(item) for item in items_of(second, "second")}
    for item in items_of(first, "first"):
        if key(item) in wanted:
            wanted.discard(key(item))
            yield item


def except_(first: Values, second: Values, comparer: Any = None) -> Iterator[Any]:
    """Except."""
    key = key_function(comparer)
    has_text = comparer is None and type(second) is Array and second.clr_type.args[0] is STRING
    seen = set(second.items) if has_text else {key(item) for item in items_of(second, "second")}
    for item in items_of(first, "first"):
        identity = item if has_text else key(item)
        if identity not in seen:
            seen.add(identity)
            yield item


def zip_(first: Values, second: Values, combine: Callable[[Any, Any], Any]) -> Iterator[Any]:
    """Zip; the result is as long as the shorter source."""
    for one, other in zip(items_of(first, "first"), items_of(second, "second"), strict=False):
        yield combine(one, other)


def join(
    outer: Values,
    inner: Values,
    outer_key: Callable[[Any], Any],
    inner_key: Callable[[Any], Any],
    combine: Callable[[Any, Any], Any],
) -> Iterator[Any]:
    """Join: pairs of items whose keys are equal."""
    found: dict[Any, list[Any]] = {}
    for item in items_of(inner, "inner"):
        if (key := inner_key(item)) is not None:
            found.setdefault(key_of(key), []).append(item)
    for item in items_of(outer, "outer"):
        key = outer_key(item)
        for other in found.get(key_of(key), []) if key is not None else []:
            yield combine(item, other)


def default_if_empty(default: Any) -> Callable[[Values], Iterator[Any]]:
    """DefaultIfEmpty."""

    def items(source: Values) -> Iterator[Any]:
        found = list(items_of(source))
        yield from found or [default]

    return items


def of_type(of: ClrType) -> Callable[[Values], Iterator[Any]]:
    """OfType."""

    def items(source: Values) -> Iterator[Any]:
        for item in items_of(source):
            if item is not None and is_instance(item, of):
                yield item

    return items


def cast(of: ClrType) -> Callable[[Values], Iterator[Any]]:
    """Cast."""

    def items(source: Values) -> Iterator[Any]:
        for item in items_of(source):
            if item is not None and not is_instance(item, of):
                raise DotNetException(
                    "InvalidCastException", f"Unable to cast object of type '{type_of(item)}' to type '{of}'."
                )
            yield item

    return items


def range_(start: int, count: int) -> Sequence:
    """Range."""
    if count < 0 or start + count - 1 > 2**31 - 1:
        raise DotNetException(
            "ArgumentOutOfRangeException",
            "Specified argument was out of the range of valid values. (Parameter 'count')",
        )
    return Sequence(clr("Int32"), lambda: range(start, start + count))


def repeat_(of: ClrType) -> Callable[[Any, int], Sequence]:
    """Repeat."""

    def make(item: Any, count: int) -> Sequence:
        if count < 0:
            raise DotNetException(
                "ArgumentOutOfRangeException",
                "Specified argument was out of the range of valid values. (Parameter 'count')",
            )
        return Sequence(of, lambda: itertools.repeat(item, count))

    return make


class Ordered(Sequence):
    """IOrderedEnumerable<T>: a source with its sort keys; sorting is stable."""

    __slots__ = ("keys", "source")

    def __init__(
        self, element: ClrType, source: Values, keys: list[tuple[Callable[[Any], Any], bool, Any]]
    ) -> None:
        super().__init__(element, self._sorted, "IOrderedEnumerable")
        self.source = source
        self.keys = keys

    def _sorted(self) -> list[Any]:
        items = list(items_of(self.source))
        for key, descending, comparer in reversed(self.keys):
            compare = compare_values if comparer is None else comparer.compare
            order = cmp_to_key(lambda a, b, compare=compare: compare(a, b))
            items.sort(key=lambda item, key=key, order=order: order(key(item)), reverse=descending)
        return items


def order(descending: bool) -> Callable[..., Any]:
    """OrderBy and OrderByDescending."""

    def make(element: ClrType, _key_type: ClrType) -> Callable[..., Ordered]:
        def order(source: Values | None, key: Callable[[Any], Any], comparer: Any = None) -> Ordered:
            if source is None:
                raise argument_null("source")
            return Ordered(element, source, [(key, descending, comparer)])

        return order

    return make


def then(descending: bool) -> Callable[..., Any]:
    """ThenBy and ThenByDescending."""

    def make(element: ClrType, _key_type: ClrType) -> Callable[..., Ordered]:
        return lambda source, key, comparer=None: Ordered(
            element, source.source, [*source.keys, (key, descending, comparer)]
        )

    return make


def group_(element: ClrType, key_type: ClrType, result: ClrType | None = None) -> Callable[..., Sequence]:
    """GroupBy: groups in the order of their first items."""

    def make(
        source: Values, key: Callable[[Any], Any], project: Callable[[Any], Any] | None = None
    ) -> Sequence:
        def groups() -> list[Grouping]:
            found: dict[Any, tuple[Any, list[Any]]] = {}
            for item in items_of(source):
                value = key(item)
                found.setdefault(None if value is None else key_of(value), (value, []))[1].append(
                    item if project is None else project(item)
                )
            return [Grouping(value, key_type, result or element, items) for value, items in found.values()]

        return Sequence(clr("IGrouping", key_type, result or element), groups)

    return make


# Immediate operators


def first(source: Values | None, test: Callable[[Any], bool] | None = None) -> Any:
    """First."""
    found = first_or(_MISSING)(source, test)
    if found is not _MISSING:
        return found
    raise invalid(_EMPTY if test is None else _NO_MATCH)


def first_or(default: Any) -> Callable[..., Any]:
    """FirstOrDefault."""

    def first(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
        return next(items_of(source) if test is None else filter(test, items_of(source)), default)

    return first


def last(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
    """Last."""
    found = last_or(_MISSING)(source, test)
    if found is _MISSING:
        raise invalid(_EMPTY if test is None else _NO_MATCH)
    return found


def last_or(default: Any) -> Callable[..., Any]:
    """LastOrDefault."""

    def last(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
        found = default
        for found in items_of(source) if test is None else filter(test, items_of(source)):  # noqa: B007 -- the last
            pass
        return found

    return last


def single(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
    """Single."""
    found = single_or(_MISSING)(source, test)
    if found is _MISSING:
        raise invalid(_EMPTY if test is None else _NO_MATCH)
    return found


def single_or(default: Any) -> Callable[..., Any]:
    """SingleOrDefault."""

    def single(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
        found = [item for item in items_of(source) if test is None or test(item)]
        if len(found) > 1:
            raise invalid(
                "Sequence contains more than one element"
                if test is None
                else "Sequence contains more than one matching element"
            )
        return found[0] if found else default

    return single


def to_array(element: ClrType) -> Callable[[Values | None], Array]:
    """ToArray."""
    if element is not BYTE:
        return lambda source: Array(element, list(items_of(source)))

    def to_bytes(source: Values | None) -> Array:
        whole = _joined_bytes(source)
        return Array(BYTE, items_of(source) if whole is None else whole)

    return to_bytes


def _joined_bytes(source: Any) -> bytearray | None:
    """The bytes of a source that consists of byte[] values only; None for any other source."""
    if type(source) is Array:
        return source.items if type(source.items) is bytearray else None
    if type(source) is not Sequence or type(source.make) is not partial:
        return None
    operator, arguments = source.make.func, source.make.args
    left = _joined_bytes(arguments[0]) if operator in {concat, take, skip} else None
    if left is None:
        return None
    if operator is concat:
        right = _joined_bytes(arguments[1])
        return None if right is None else left + right
    count = max(arguments[1], 0)
    return left[:count] if operator is take else left[count:]


def _items(source: Values) -> Any:
    """The items as a list, for access by index."""
    if type(source) is Array and type(source.items) is list:
        return source.items
    return list(items_of(source))


def element_at(source: Values, index: int) -> Any:
    """ElementAt."""
    found = _items(source)
    if not 0 <= index < len(found):
        raise DotNetException(
            "ArgumentOutOfRangeException",
            "Index was out of range. Must be non-negative and less than the size of the collection. "
            "(Parameter 'index')",
        )
    return found[index]


def element_at_or(default: Any) -> Callable[[Values, int], Any]:
    """ElementAtOrDefault."""

    def element_at(source: Values, index: int) -> Any:
        found = _items(source)
        return found[index] if 0 <= index < len(found) else default

    return element_at


def any_(source: Values | None, test: Callable[[Any], bool] | None = None) -> bool:
    """Any."""
    items = items_of(source)
    return any(map(test, items)) if test is not None else next(items, _MISSING) is not _MISSING


def all_(source: Values | None, test: Callable[[Any], bool]) -> bool:
    """All."""
    return all(map(test, items_of(source)))


def count(source: Values | None, test: Callable[[Any], bool] | None = None) -> int:
    """Count."""
    return sum(1 for item in items_of(source) if test is None or test(item))


def contains(source: Values | None, wanted: Any, comparer: Any = None) -> bool:
    """Contains."""
    if comparer is not None:
        return any(comparer.key(item) == comparer.key(wanted) for item in items_of(source))
    if type(wanted) is str and type(source) is Array and type(source.items) is list:
        return wanted in source.items  # In Python too, a string equals only the same string.
    return any(equals(item, wanted) for item in items_of(source))


def sequence_equal(first: Values | None, second: Values | None) -> bool:
    """SequenceEqual."""
    missing = object()
    pairs = itertools.zip_longest(items_of(first, "first"), items_of(second, "second"), fillvalue=missing)
    return all(one is not missing and other is not missing and equals(one, other) for one, other in pairs)


def sum_(kind: str, *, nullable: bool = False) -> Callable[..., Any]:
    """Sum, which throws if the sum of integers overflows."""

    def total(source: Values, project: Callable[[Any], Any] | None = None) -> Any:
        items = [item if project is None else project(item) for item in items_of(source)]
        if nullable:
            items = [item for item in items if item is not None]
        if kind == "Double":
            result = 0.0
            for item in items:
                result += item
            return result
        if kind == "Decimal":
            add = arithmetic("+", "Decimal")
            result_decimal = Decimal(0)
            for item in items:
                result_decimal = add(result_decimal, item) if add is not None else result_decimal
            return result_decimal
        low, high = INTEGERS[kind]
        result_integer = 0
        for item in items:
            result_integer += int(item)
            if not low <= result_integer <= high:
                raise DotNetException("OverflowException", "Arithmetic operation resulted in an overflow.")
        return result_integer

    return total


def average(kind: str) -> Callable[..., Any]:
    """Average."""

    def average(source: Values, project: Callable[[Any], Any] | None = None) -> Any:
        items = [item if project is None else project(item) for item in items_of(source)]
        if not items:
            raise invalid(_EMPTY)
        if kind == "Decimal":
            divide = arithmetic("/", "Decimal")
            return (
                checked_decimal(divide(sum(items, Decimal(0)), Decimal(len(items))))
                if divide is not None
                else None
            )
        return float(sum(items)) / len(items)

    return average


def extreme(sign: int) -> Callable[..., Any]:
    """Max and Min."""

    def make(*types: ClrType) -> Callable[..., Any]:
        nullable = default_of(types[-1]) is None

        def extreme(source: Values, project: Callable[[Any], Any] | None = None) -> Any:
            best: Any = _MISSING
            for raw in items_of(source):
                item = raw if project is None else project(raw)
                if item is not None and (best is _MISSING or sign * compare_values(item, best) > 0):
                    best = item
            if best is _MISSING:
                if nullable:
                    return None
                raise invalid(_EMPTY)
            return best

        return extreme

    return make


def aggregate(source: Values, combine: Callable[[Any, Any], Any]) -> Any:
    """Aggregate."""
    items = list(items_of(source))
    if not items:
        raise invalid(_EMPTY)
    result = items[0]
    for item in items[1:]:
        result = combine(result, item)
    return result


def aggregate_from(source: Values, seed: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """Aggregate with a seed."""
    for item in items_of(source):
        seed = combine(seed, item)
    return seed


def to_dictionary(
    source_type: ClrType, key_type: ClrType, value_type: ClrType | None = None
) -> Callable[..., Dictionary]:
    """ToDictionary."""

    def make(
        source: Values, key: Callable[[Any], Any], project: Any = None, comparer: Any = None
    ) -> Dictionary:
        if value_type is None:
            comparer, project = project, None
        made = Dictionary(key_type, value_type or source_type, comparer)
        for item in items_of(source):
            made.add(key(item), item if project is None else project(item))
        return made

    return make
