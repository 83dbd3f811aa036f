"""Enumerable. Generator functions are deferred: they run anew each time that their result is read."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cmp_to_key
from typing import Any, Final

from twin.apim.csharp.collection_values import Dictionary, Grouping, HashSet, List, key_of
from twin.apim.csharp.conversions import is_instance
from twin.apim.csharp.errors import DotNetException, argument_null
from twin.apim.csharp.operators import arithmetic, checked_decimal
from twin.apim.csharp.ordering import compare_values
from twin.apim.csharp.signature import Typed, define
from twin.apim.csharp.types import INTEGERS, ClrType, clr
from twin.apim.csharp.values import Array, Sequence, default_of, equals, iterate, type_of

Values = Iterable[Any]
_MISSING: Final = object()
_EMPTY: Final = "Sequence contains no elements"
_NO_MATCH: Final = "Sequence contains no matching element"


def _given(values: Values | None, name: str = "source") -> Iterator[Any]:
    if values is None:
        raise argument_null(name)
    return iterate(values)


def _invalid(message: str) -> DotNetException:
    return DotNetException("InvalidOperationException", message)


# Deferred operators


def _where(source: Values, test: Callable[[Any], bool]) -> Iterator[Any]:
    for item in _given(source):
        if test(item):
            yield item


def _where_indexed(source: Values, test: Callable[[Any, int], bool]) -> Iterator[Any]:
    for index, item in enumerate(_given(source)):
        if test(item, index):
            yield item


def _select(source: Values, project: Callable[[Any], Any]) -> Iterator[Any]:
    for item in _given(source):
        yield project(item)


def _select_indexed(source: Values, project: Callable[[Any, int], Any]) -> Iterator[Any]:
    for index, item in enumerate(_given(source)):
        yield project(item, index)


def _select_many(source: Values, project: Callable[[Any], Values]) -> Iterator[Any]:
    for item in _given(source):
        yield from _given(project(item))


def _select_many_pairs(
    source: Values, project: Callable[[Any], Values], combine: Callable[[Any, Any], Any]
) -> Iterator[Any]:
    for item in _given(source):
        for inner in _given(project(item)):
            yield combine(item, inner)


def _take(source: Values, count: int) -> Iterator[Any]:
    if count > 0:
        yield from itertools.islice(_given(source), count)


def _skip(source: Values, count: int) -> Iterator[Any]:
    yield from itertools.islice(_given(source), max(count, 0), None)


def _take_while(source: Values, test: Callable[[Any], bool]) -> Iterator[Any]:
    yield from itertools.takewhile(test, _given(source))


def _skip_while(source: Values, test: Callable[[Any], bool]) -> Iterator[Any]:
    yield from itertools.dropwhile(test, _given(source))


def _concat(first: Values, second: Values) -> Iterator[Any]:
    yield from _given(first, "first")
    yield from _given(second, "second")


def _append(source: Values, item: Any) -> Iterator[Any]:
    yield from _given(source)
    yield item


def _prepend(source: Values, item: Any) -> Iterator[Any]:
    yield item
    yield from _given(source)


def _reverse(source: Values) -> Iterator[Any]:
    yield from reversed(list(_given(source)))


def _key(comparer: Any) -> Callable[[Any], Any]:
    if comparer is None:
        return lambda value: None if value is None else key_of(value)
    return comparer.key


def _distinct(source: Values, comparer: Any = None) -> Iterator[Any]:
    seen: set[Any] = set()
    key = _key(comparer)
    for item in _given(source):
        if key(item) not in seen:
            seen.add(key(item))
            yield item


def _union(first: Values, second: Values, comparer: Any = None) -> Iterator[Any]:
    yield from _distinct(itertools.chain(_given(first), _given(second)), comparer)


def _intersect(first: Values, second: Values, comparer: Any = None) -> Iterator[Any]:
    key = _key(comparer)
    wanted = {key(item) for item in _given(second, "second")}
    for item in _given(first, "first"):
        if key(item) in wanted:
            wanted.discard(key(item))
            yield item


def _except(first: Values, second: Values, comparer: Any = None) -> Iterator[Any]:
    key = _key(comparer)
    seen = {key(item) for item in _given(second, "second")}
    for item in _given(first, "first"):
        if key(item) not in seen:
            seen.add(key(item))
            yield item


def _zip(first: Values, second: Values, combine: Callable[[Any, Any], Any]) -> Iterator[Any]:
    for one, other in zip(_given(first, "first"), _given(second, "second"), strict=False):
        yield combine(one, other)


def _default_if_empty(default: Any) -> Callable[[Values], Iterator[Any]]:
    def items(source: Values) -> Iterator[Any]:
        found = list(_given(source))
        yield from found or [default]

    return items


def _of_type(_source_type: ClrType) -> Callable[[Values], Iterator[Any]]:
    of = _source_type

    def items(source: Values) -> Iterator[Any]:
        for item in _given(source):
            if item is not None and is_instance(item, of):
                yield item

    return items


def _cast(of: ClrType) -> Callable[[Values], Iterator[Any]]:
    def items(source: Values) -> Iterator[Any]:
        for item in _given(source):
            if item is not None and not is_instance(item, of):
                raise DotNetException(
                    "InvalidCastException", f"Unable to cast object of type '{type_of(item)}' to type '{of}'."
                )
            yield item

    return items


def _range(start: int, count: int) -> Sequence:
    if count < 0 or start + count - 1 > 2**31 - 1:
        raise DotNetException(
            "ArgumentOutOfRangeException",
            "Specified argument was out of the range of valid values. (Parameter 'count')",
        )
    return Sequence(clr("Int32"), lambda: range(start, start + count))


def _repeat(of: ClrType) -> Callable[[Any, int], Sequence]:
    def make(item: Any, count: int) -> Sequence:
        if count < 0:
            raise DotNetException(
                "ArgumentOutOfRangeException",
                "Specified argument was out of the range of valid values. (Parameter 'count')",
            )
        return Sequence(of, lambda: itertools.repeat(item, count))

    return make


class Ordered(Sequence):
    """IOrderedEnumerable<T>: a source with what it is sorted by; sorting is stable."""

    __slots__ = ("keys", "source")

    def __init__(
        self, element: ClrType, source: Values, keys: list[tuple[Callable[[Any], Any], bool, Any]]
    ) -> None:
        super().__init__(element, self._sorted, "IOrderedEnumerable")
        self.source = source
        self.keys = keys

    def _sorted(self) -> list[Any]:
        items = list(_given(self.source))
        for key, descending, comparer in reversed(self.keys):
            compare = compare_values if comparer is None else comparer.compare
            order = cmp_to_key(lambda a, b, compare=compare: compare(a, b))
            items.sort(key=lambda item, key=key, order=order: order(key(item)), reverse=descending)
        return items


def _order(descending: bool) -> Callable[..., Any]:
    def make(element: ClrType, _key_type: ClrType) -> Callable[..., Ordered]:
        def order(source: Values | None, key: Callable[[Any], Any], comparer: Any = None) -> Ordered:
            if source is None:
                raise argument_null("source")
            return Ordered(element, source, [(key, descending, comparer)])

        return order

    return make


def _then(descending: bool) -> Callable[..., Any]:
    def make(element: ClrType, _key_type: ClrType) -> Callable[..., Ordered]:
        return lambda source, key, comparer=None: Ordered(
            element, source.source, [*source.keys, (key, descending, comparer)]
        )

    return make


def _group(element: ClrType, key_type: ClrType, result: ClrType | None = None) -> Callable[..., Sequence]:
    def make(
        source: Values, key: Callable[[Any], Any], project: Callable[[Any], Any] | None = None
    ) -> Sequence:
        def groups() -> list[Grouping]:
            found: dict[Any, tuple[Any, list[Any]]] = {}
            for item in _given(source):
                value = key(item)
                found.setdefault(None if value is None else key_of(value), (value, []))[1].append(
                    item if project is None else project(item)
                )
            return [Grouping(value, key_type, result or element, items) for value, items in found.values()]

        return Sequence(clr("IGrouping", key_type, result or element), groups)

    return make


# Immediate operators


def _first(source: Values | None, test: Callable[[Any], bool] | None = None) -> Any:
    for item in _given(source):
        if test is None or test(item):
            return item
    raise _invalid(_EMPTY if test is None else _NO_MATCH)


def _first_or(default: Any) -> Callable[..., Any]:
    def first(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
        return next((item for item in _given(source) if test is None or test(item)), default)

    return first


def _last(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
    found = _last_or(_MISSING)(source, test)
    if found is _MISSING:
        raise _invalid(_EMPTY if test is None else _NO_MATCH)
    return found


def _last_or(default: Any) -> Callable[..., Any]:
    def last(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
        found = default
        for item in _given(source):
            if test is None or test(item):
                found = item
        return found

    return last


def _single(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
    found = _single_or(_MISSING)(source, test)
    if found is _MISSING:
        raise _invalid(_EMPTY if test is None else _NO_MATCH)
    return found


def _single_or(default: Any) -> Callable[..., Any]:
    def single(source: Values, test: Callable[[Any], bool] | None = None) -> Any:
        found = [item for item in _given(source) if test is None or test(item)]
        if len(found) > 1:
            raise _invalid(
                "Sequence contains more than one element"
                if test is None
                else "Sequence contains more than one matching element"
            )
        return found[0] if found else default

    return single


def _element_at(source: Values, index: int) -> Any:
    found = list(_given(source))
    if not 0 <= index < len(found):
        raise DotNetException(
            "ArgumentOutOfRangeException",
            "Index was out of range. Must be non-negative and less than the size of the collection. (Parameter 'index')",
        )
    return found[index]


def _element_at_or(default: Any) -> Callable[[Values, int], Any]:
    def element_at(source: Values, index: int) -> Any:
        found = list(_given(source))
        return found[index] if 0 <= index < len(found) else default

    return element_at


def _any(source: Values | None, test: Callable[[Any], bool] | None = None) -> bool:
    return any(test is None or test(item) for item in _given(source))


def _all(source: Values | None, test: Callable[[Any], bool]) -> bool:
    return all(test(item) for item in _given(source))


def _count(source: Values | None, test: Callable[[Any], bool] | None = None) -> int:
    return sum(1 for item in _given(source) if test is None or test(item))


def _contains(source: Values | None, wanted: Any, comparer: Any = None) -> bool:
    if comparer is not None:
        return any(comparer.key(item) == comparer.key(wanted) for item in _given(source))
    return any(equals(item, wanted) for item in _given(source))


def _sequence_equal(first: Values | None, second: Values | None) -> bool:
    missing = object()
    pairs = itertools.zip_longest(_given(first, "first"), _given(second, "second"), fillvalue=missing)
    return all(one is not missing and other is not missing and equals(one, other) for one, other in pairs)


def _sum(kind: str, *, nullable: bool = False) -> Callable[..., Any]:
    def total(source: Values, project: Callable[[Any], Any] | None = None) -> Any:
        items = [item if project is None else project(item) for item in _given(source)]
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


def _average(kind: str) -> Callable[..., Any]:
    def average(source: Values, project: Callable[[Any], Any] | None = None) -> Any:
        items = [item if project is None else project(item) for item in _given(source)]
        if not items:
            raise _invalid(_EMPTY)
        if kind == "Decimal":
            divide = arithmetic("/", "Decimal")
            return (
                checked_decimal(divide(sum(items, Decimal(0)), Decimal(len(items))))
                if divide is not None
                else None
            )
        return float(sum(items)) / len(items)

    return average


def _extreme(sign: int) -> Callable[..., Any]:
    def make(*types: ClrType) -> Callable[..., Any]:
        nothing = default_of(types[-1]) is None

        def extreme(source: Values, project: Callable[[Any], Any] | None = None) -> Any:
            best: Any = _MISSING
            for raw in _given(source):
                item = raw if project is None else project(raw)
                if item is not None and (best is _MISSING or sign * compare_values(item, best) > 0):
                    best = item
            if best is _MISSING:
                if nothing:
                    return None
                raise _invalid(_EMPTY)
            return best

        return extreme

    return make


def _aggregate(source: Values, combine: Callable[[Any, Any], Any]) -> Any:
    items = list(_given(source))
    if not items:
        raise _invalid(_EMPTY)
    result = items[0]
    for item in items[1:]:
        result = combine(result, item)
    return result


def _aggregate_from(source: Values, seed: Any, combine: Callable[[Any, Any], Any]) -> Any:
    for item in _given(source):
        seed = combine(seed, item)
    return seed


def _to_dictionary(
    source_type: ClrType, key_type: ClrType, value_type: ClrType | None = None
) -> Callable[..., Dictionary]:
    def make(
        source: Values, key: Callable[[Any], Any], project: Any = None, comparer: Any = None
    ) -> Dictionary:
        if value_type is None:
            comparer, project = project, None
        made = Dictionary(key_type, value_type or source_type, comparer)
        for item in _given(source):
            made.add(key(item), item if project is None else project(item))
        return made

    return make


_T: Final = "this IEnumerable<T> source"
_TEST: Final = "Func<T, bool> predicate"
_KEYED: Final = "Func<T, K> keySelector"
_PAIR: Final = "this IEnumerable<T> first, IEnumerable<T> second"
_NUMBERS: Final = {"int": "Int32", "long": "Int64", "double": "Double", "decimal": "Decimal"}


def plain(function: Callable[..., Any]) -> Typed:
    """A function that does not depend on its type arguments."""
    return Typed(lambda *_types: function)


def _by_default(make: Callable[[Any], Callable[..., Any]]) -> Typed:
    """A function that falls back on default(T)."""
    return Typed(lambda element: make(default_of(element)))


define("interface System.Linq.IGrouping<K, T> : IEnumerable<T>", {"K Key": lambda group: group.group_key})
define("interface System.Linq.IOrderedEnumerable<T> : IEnumerable<T>")
define(
    "static System.Linq.Enumerable",
    {
        f"static IEnumerable<T> Where<T>({_T}, {_TEST})": plain(_where),
        f"static IEnumerable<T> Where<T>({_T}, Func<T, int, bool> predicate)": plain(_where_indexed),
        f"static IEnumerable<R> Select<T, R>({_T}, Func<T, R> selector)": plain(_select),
        f"static IEnumerable<R> Select<T, R>({_T}, Func<T, int, R> selector)": plain(_select_indexed),
        f"static IEnumerable<R> SelectMany<T, R>({_T}, Func<T, IEnumerable<R>> selector)": plain(
            _select_many
        ),
        f"static IEnumerable<R> SelectMany<T, C, R>({_T}, Func<T, IEnumerable<C>> collectionSelector, "
        "Func<T, C, R> resultSelector)": plain(_select_many_pairs),
        f"static IEnumerable<T> Take<T>({_T}, int count)": plain(_take),
        f"static IEnumerable<T> Skip<T>({_T}, int count)": plain(_skip),
        f"static IEnumerable<T> TakeWhile<T>({_T}, {_TEST})": plain(_take_while),
        f"static IEnumerable<T> SkipWhile<T>({_T}, {_TEST})": plain(_skip_while),
        f"static IEnumerable<T> Concat<T>({_PAIR})": plain(_concat),
        f"static IEnumerable<T> Append<T>({_T}, T element)": plain(_append),
        f"static IEnumerable<T> Prepend<T>({_T}, T element)": plain(_prepend),
        f"static IEnumerable<T> Reverse<T>({_T})": plain(_reverse),
        f"static IEnumerable<T> Distinct<T>({_T})": plain(_distinct),
        f"static IEnumerable<T> Distinct<T>({_T}, IEqualityComparer<T> comparer)": plain(_distinct),
        f"static IEnumerable<T> Union<T>({_PAIR})": plain(_union),
        f"static IEnumerable<T> Union<T>({_PAIR}, IEqualityComparer<T> comparer)": plain(_union),
        f"static IEnumerable<T> Intersect<T>({_PAIR})": plain(_intersect),
        f"static IEnumerable<T> Intersect<T>({_PAIR}, IEqualityComparer<T> comparer)": plain(_intersect),
        f"static IEnumerable<T> Except<T>({_PAIR})": plain(_except),
        f"static IEnumerable<T> Except<T>({_PAIR}, IEqualityComparer<T> comparer)": plain(_except),
        "static IEnumerable<R> Zip<T, C, R>(this IEnumerable<T> first, IEnumerable<C> second, "
        "Func<T, C, R> resultSelector)": plain(_zip),
        f"static IEnumerable<T> DefaultIfEmpty<T>({_T})": _by_default(_default_if_empty),
        f"static IEnumerable<T> DefaultIfEmpty<T>({_T}, T defaultValue)": plain(
            lambda source, default: List(type_of(source).args[0], list(_given(source)) or [default])
        ),
        "static IEnumerable<R> OfType<R>(this IEnumerable0 source)": Typed(_of_type),
        "static IEnumerable<R> Cast<R>(this IEnumerable0 source)": Typed(_cast),
        f"static IEnumerable<T> AsEnumerable<T>({_T})": plain(lambda source: source),
        "static IEnumerable<int> Range(int start, int count)": _range,
        "static IEnumerable<T> Repeat<T>(T element, int count)": Typed(_repeat),
        "static IEnumerable<T> Empty<T>()": Typed(lambda element: lambda: Array.of(element, [])),
        f"static IOrderedEnumerable<T> OrderBy<T, K>({_T}, {_KEYED})": Typed(_order(descending=False)),
        f"static IOrderedEnumerable<T> OrderBy<T, K>({_T}, {_KEYED}, IComparer<K> comparer)": Typed(
            _order(descending=False)
        ),
        f"static IOrderedEnumerable<T> OrderByDescending<T, K>({_T}, {_KEYED})": Typed(
            _order(descending=True)
        ),
        f"static IOrderedEnumerable<T> OrderByDescending<T, K>({_T}, {_KEYED}, IComparer<K> comparer)": Typed(
            _order(descending=True)
        ),
        f"static IOrderedEnumerable<T> ThenBy<T, K>(this IOrderedEnumerable<T> source, {_KEYED})": Typed(
            _then(descending=False)
        ),
        f"static IOrderedEnumerable<T> ThenByDescending<T, K>(this IOrderedEnumerable<T> source, {_KEYED})": Typed(
            _then(descending=True)
        ),
        f"static IEnumerable<IGrouping<K, T>> GroupBy<T, K>({_T}, {_KEYED})": Typed(_group),
        f"static IEnumerable<IGrouping<K, E>> GroupBy<T, K, E>({_T}, {_KEYED}, Func<T, E> elementSelector)": Typed(
            _group
        ),
        f"static T First<T>({_T})": plain(_first),
        f"static T First<T>({_T}, {_TEST})": plain(_first),
        f"static T FirstOrDefault<T>({_T})": _by_default(_first_or),
        f"static T FirstOrDefault<T>({_T}, {_TEST})": _by_default(_first_or),
        f"static T Last<T>({_T})": plain(_last),
        f"static T Last<T>({_T}, {_TEST})": plain(_last),
        f"static T LastOrDefault<T>({_T})": _by_default(_last_or),
        f"static T LastOrDefault<T>({_T}, {_TEST})": _by_default(_last_or),
        f"static T Single<T>({_T})": plain(_single),
        f"static T Single<T>({_T}, {_TEST})": plain(_single),
        f"static T SingleOrDefault<T>({_T})": _by_default(_single_or),
        f"static T SingleOrDefault<T>({_T}, {_TEST})": _by_default(_single_or),
        f"static T ElementAt<T>({_T}, int index)": plain(_element_at),
        f"static T ElementAtOrDefault<T>({_T}, int index)": _by_default(_element_at_or),
        f"static bool Any<T>({_T})": plain(_any),
        f"static bool Any<T>({_T}, {_TEST})": plain(_any),
        f"static bool All<T>({_T}, {_TEST})": plain(_all),
        f"static int Count<T>({_T})": plain(_count),
        f"static int Count<T>({_T}, {_TEST})": plain(_count),
        f"static long LongCount<T>({_T})": plain(_count),
        f"static bool Contains<T>({_T}, T value)": plain(_contains),
        f"static bool Contains<T>({_T}, T value, IEqualityComparer<T> comparer)": plain(_contains),
        f"static bool SequenceEqual<T>({_PAIR})": plain(_sequence_equal),
        **{
            f"static {kind} Sum(this IEnumerable<{kind}> source)": _sum(name)
            for kind, name in _NUMBERS.items()
        },
        **{
            f"static {kind} Sum<T>({_T}, Func<T, {kind}> selector)": plain(_sum(name))
            for kind, name in _NUMBERS.items()
        },
        **{
            f"static {'decimal' if kind == 'decimal' else 'double'} Average(this IEnumerable<{kind}> source)": (
                _average(name)
            )
            for kind, name in _NUMBERS.items()
        },
        **{
            f"static {'decimal' if kind == 'decimal' else 'double'} Average<T>({_T}, Func<T, {kind}> selector)": (
                plain(_average(name))
            )
            for kind, name in _NUMBERS.items()
        },
        f"static T Max<T>({_T})": Typed(_extreme(1)),
        f"static T Min<T>({_T})": Typed(_extreme(-1)),
        f"static R Max<T, R>({_T}, Func<T, R> selector)": Typed(_extreme(1)),
        f"static R Min<T, R>({_T}, Func<T, R> selector)": Typed(_extreme(-1)),
        f"static T Aggregate<T>({_T}, Func<T, T, T> func)": plain(_aggregate),
        f"static A Aggregate<T, A>({_T}, A seed, Func<A, T, A> func)": plain(_aggregate_from),
        f"static R Aggregate<T, A, R>({_T}, A seed, Func<A, T, A> func, Func<A, R> resultSelector)": plain(
            lambda source, seed, combine, finish: finish(_aggregate_from(source, seed, combine))
        ),
        f"static T[] ToArray<T>({_T})": Typed(
            lambda element: lambda source: Array.of(element, list(_given(source)))
        ),
        f"static List<T> ToList<T>({_T})": Typed(
            lambda element: lambda source: List(element, _given(source))
        ),
        f"static HashSet<T> ToHashSet<T>({_T})": Typed(
            lambda element: lambda source: HashSet(element, _given(source))
        ),
        f"static HashSet<T> ToHashSet<T>({_T}, IEqualityComparer<T> comparer)": Typed(
            lambda element: lambda source, comparer: HashSet(element, _given(source), comparer)
        ),
        f"static Dictionary<K, T> ToDictionary<T, K>({_T}, {_KEYED})": Typed(_to_dictionary),
        f"static Dictionary<K, T> ToDictionary<T, K>({_T}, {_KEYED}, IEqualityComparer<K> comparer)": Typed(
            _to_dictionary
        ),
        f"static Dictionary<K, E> ToDictionary<T, K, E>({_T}, {_KEYED}, Func<T, E> elementSelector)": Typed(
            _to_dictionary
        ),
        f"static Dictionary<K, E> ToDictionary<T, K, E>({_T}, {_KEYED}, Func<T, E> elementSelector, "
        "IEqualityComparer<K> comparer)": Typed(_to_dictionary),
    },
)
