"""The members of System.Linq.Enumerable, which `enumerables` implements."""

from collections.abc import Callable
from typing import Any, Final

from apim.csharp.dotnet import enumerables
from apim.csharp.dotnet.collections import HashSet, List
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.signature import Typed, define
from apim.csharp.dotnet.values import Array, type_of

_T: Final = "this IEnumerable<T> source"
_ORDERED: Final = "this IOrderedEnumerable<T> source"
_ELEMENT: Final = "Func<T, E> elementSelector"
_MEANS: Final = {"int": "double", "long": "double", "double": "double", "decimal": "decimal"}
_TEST: Final = "Func<T, bool> predicate"
_KEYED: Final = "Func<T, K> keySelector"
_PAIR: Final = "this IEnumerable<T> first, IEnumerable<T> second"
_NUMBERS: Final = {"int": "Int32", "long": "Int64", "double": "Double", "decimal": "Decimal"}


def plain(function: Callable[..., Any]) -> Typed:
    """A function that does not depend on its type arguments."""
    return Typed(lambda *_types: function)


def _by_default(make: Callable[[Any], Callable[..., Any]]) -> Typed:
    """A function that uses default(T)."""
    return Typed(lambda element: make(default_of(element)))


define("interface System.Linq.IGrouping<K, T> : IEnumerable<T>", {"K Key": lambda group: group.group_key})
define("interface System.Linq.IOrderedEnumerable<T> : IEnumerable<T>")
define(
    "static System.Linq.Enumerable",
    {
        f"static IEnumerable<T> Where<T>({_T}, {_TEST})": plain(enumerables.where),
        f"static IEnumerable<T> Where<T>({_T}, Func<T, int, bool> predicate)": plain(
            enumerables.where_indexed
        ),
        f"static IEnumerable<R> Select<T, R>({_T}, Func<T, R> selector)": plain(enumerables.select),
        f"static IEnumerable<R> Select<T, R>({_T}, Func<T, int, R> selector)": plain(
            enumerables.select_indexed
        ),
        f"static IEnumerable<R> SelectMany<T, R>({_T}, Func<T, IEnumerable<R>> selector)": plain(
            enumerables.select_many
        ),
        f"static IEnumerable<R> SelectMany<T, C, R>({_T}, Func<T, IEnumerable<C>> collectionSelector, "
        "Func<T, C, R> resultSelector)": plain(enumerables.select_many_pairs),
        f"static IEnumerable<T> Take<T>({_T}, int count)": plain(enumerables.take),
        f"static IEnumerable<T> Skip<T>({_T}, int count)": plain(enumerables.skip),
        f"static IEnumerable<T> TakeWhile<T>({_T}, {_TEST})": plain(enumerables.take_while),
        f"static IEnumerable<T> SkipWhile<T>({_T}, {_TEST})": plain(enumerables.skip_while),
        f"static IEnumerable<T> Concat<T>({_PAIR})": plain(enumerables.concat),
        f"static IEnumerable<T> Append<T>({_T}, T element)": plain(enumerables.append),
        f"static IEnumerable<T> Prepend<T>({_T}, T element)": plain(enumerables.prepend),
        f"static IEnumerable<T> Reverse<T>({_T})": plain(enumerables.reverse_),
        f"static IEnumerable<T> Distinct<T>({_T})": plain(enumerables.distinct),
        f"static IEnumerable<T> Distinct<T>({_T}, IEqualityComparer<T> comparer)": plain(
            enumerables.distinct
        ),
        f"static IEnumerable<T> Union<T>({_PAIR})": plain(enumerables.union),
        f"static IEnumerable<T> Union<T>({_PAIR}, IEqualityComparer<T> comparer)": plain(enumerables.union),
        f"static IEnumerable<T> Intersect<T>({_PAIR})": plain(enumerables.intersect),
        f"static IEnumerable<T> Intersect<T>({_PAIR}, IEqualityComparer<T> comparer)": plain(
            enumerables.intersect
        ),
        f"static IEnumerable<T> Except<T>({_PAIR})": plain(enumerables.except_),
        f"static IEnumerable<T> Except<T>({_PAIR}, IEqualityComparer<T> comparer)": plain(
            enumerables.except_
        ),
        "static IEnumerable<R> Zip<T, C, R>(this IEnumerable<T> first, IEnumerable<C> second, "
        "Func<T, C, R> resultSelector)": plain(enumerables.zip_),
        "static IEnumerable<R> Join<T, C, K, R>(this IEnumerable<T> outer, IEnumerable<C> inner, "
        "Func<T, K> outerKeySelector, Func<C, K> innerKeySelector, Func<T, C, R> resultSelector)": plain(
            enumerables.join
        ),
        f"static IEnumerable<T> DefaultIfEmpty<T>({_T})": _by_default(enumerables.default_if_empty),
        f"static IEnumerable<T> DefaultIfEmpty<T>({_T}, T defaultValue)": plain(
            lambda source, default: List(
                type_of(source).args[0], list(enumerables.items_of(source)) or [default]
            )
        ),
        "static IEnumerable<R> OfType<R>(this IEnumerable0 source)": Typed(enumerables.of_type),
        "static IEnumerable<R> Cast<R>(this IEnumerable0 source)": Typed(enumerables.cast),
        f"static IEnumerable<T> AsEnumerable<T>({_T})": plain(lambda source: source),
        "static IEnumerable<int> Range(int start, int count)": enumerables.range_,
        "static IEnumerable<T> Repeat<T>(T element, int count)": Typed(enumerables.repeat_),
        "static IEnumerable<T> Empty<T>()": Typed(lambda element: lambda: Array.of(element, [])),
        f"static IOrderedEnumerable<T> OrderBy<T, K>({_T}, {_KEYED})": Typed(
            enumerables.order(descending=False)
        ),
        f"static IOrderedEnumerable<T> OrderBy<T, K>({_T}, {_KEYED}, IComparer<K> comparer)": Typed(
            enumerables.order(descending=False)
        ),
        f"static IOrderedEnumerable<T> OrderByDescending<T, K>({_T}, {_KEYED})": Typed(
            enumerables.order(descending=True)
        ),
        f"static IOrderedEnumerable<T> OrderByDescending<T, K>({_T}, {_KEYED}, IComparer<K> comparer)": Typed(
            enumerables.order(descending=True)
        ),
        f"static IOrderedEnumerable<T> ThenBy<T, K>(this IOrderedEnumerable<T> source, {_KEYED})": Typed(
            enumerables.then(descending=False)
        ),
        f"static IOrderedEnumerable<T> ThenByDescending<T, K>({_ORDERED}, {_KEYED})": Typed(
            enumerables.then(descending=True)
        ),
        f"static IEnumerable<IGrouping<K, T>> GroupBy<T, K>({_T}, {_KEYED})": Typed(enumerables.group_),
        f"static IEnumerable<IGrouping<K, E>> GroupBy<T, K, E>({_T}, {_KEYED}, {_ELEMENT})": Typed(
            enumerables.group_
        ),
        f"static T First<T>({_T})": plain(enumerables.first),
        f"static T First<T>({_T}, {_TEST})": plain(enumerables.first),
        f"static T FirstOrDefault<T>({_T})": _by_default(enumerables.first_or),
        f"static T FirstOrDefault<T>({_T}, {_TEST})": _by_default(enumerables.first_or),
        f"static T Last<T>({_T})": plain(enumerables.last),
        f"static T Last<T>({_T}, {_TEST})": plain(enumerables.last),
        f"static T LastOrDefault<T>({_T})": _by_default(enumerables.last_or),
        f"static T LastOrDefault<T>({_T}, {_TEST})": _by_default(enumerables.last_or),
        f"static T Single<T>({_T})": plain(enumerables.single),
        f"static T Single<T>({_T}, {_TEST})": plain(enumerables.single),
        f"static T SingleOrDefault<T>({_T})": _by_default(enumerables.single_or),
        f"static T SingleOrDefault<T>({_T}, {_TEST})": _by_default(enumerables.single_or),
        f"static T ElementAt<T>({_T}, int index)": plain(enumerables.element_at),
        f"static T ElementAtOrDefault<T>({_T}, int index)": _by_default(enumerables.element_at_or),
        f"static bool Any<T>({_T})": plain(enumerables.any_),
        f"static bool Any<T>({_T}, {_TEST})": plain(enumerables.any_),
        f"static bool All<T>({_T}, {_TEST})": plain(enumerables.all_),
        f"static int Count<T>({_T})": plain(enumerables.count),
        f"static int Count<T>({_T}, {_TEST})": plain(enumerables.count),
        f"static long LongCount<T>({_T})": plain(enumerables.count),
        f"static bool Contains<T>({_T}, T value)": plain(enumerables.contains),
        f"static bool Contains<T>({_T}, T value, IEqualityComparer<T> comparer)": plain(enumerables.contains),
        f"static bool SequenceEqual<T>({_PAIR})": plain(enumerables.sequence_equal),
        **{
            f"static {kind} Sum(this IEnumerable<{kind}> source)": enumerables.sum_(name)
            for kind, name in _NUMBERS.items()
        },
        **{
            f"static {kind} Sum<T>({_T}, Func<T, {kind}> selector)": plain(enumerables.sum_(name))
            for kind, name in _NUMBERS.items()
        },
        **{
            f"static {mean} Average(this IEnumerable<{kind}> source)": enumerables.average(_NUMBERS[kind])
            for kind, mean in _MEANS.items()
        },
        **{
            f"static {mean} Average<T>({_T}, Func<T, {kind}> selector)": plain(
                enumerables.average(_NUMBERS[kind])
            )
            for kind, mean in _MEANS.items()
        },
        f"static T Max<T>({_T})": Typed(enumerables.extreme(1)),
        f"static T Min<T>({_T})": Typed(enumerables.extreme(-1)),
        f"static R Max<T, R>({_T}, Func<T, R> selector)": Typed(enumerables.extreme(1)),
        f"static R Min<T, R>({_T}, Func<T, R> selector)": Typed(enumerables.extreme(-1)),
        f"static T Aggregate<T>({_T}, Func<T, T, T> func)": plain(enumerables.aggregate),
        f"static A Aggregate<T, A>({_T}, A seed, Func<A, T, A> func)": plain(enumerables.aggregate_from),
        f"static R Aggregate<T, A, R>({_T}, A seed, Func<A, T, A> func, Func<A, R> resultSelector)": plain(
            lambda source, seed, combine, finish: finish(enumerables.aggregate_from(source, seed, combine))
        ),
        f"static T[] ToArray<T>({_T})": Typed(enumerables.to_array),
        f"static List<T> ToList<T>({_T})": Typed(
            lambda element: lambda source: List(element, enumerables.items_of(source))
        ),
        f"static HashSet<T> ToHashSet<T>({_T})": Typed(
            lambda element: lambda source: HashSet(element, enumerables.items_of(source))
        ),
        f"static HashSet<T> ToHashSet<T>({_T}, IEqualityComparer<T> comparer)": Typed(
            lambda element: lambda source, comparer: HashSet(element, enumerables.items_of(source), comparer)
        ),
        f"static Dictionary<K, T> ToDictionary<T, K>({_T}, {_KEYED})": Typed(enumerables.to_dictionary),
        f"static Dictionary<K, T> ToDictionary<T, K>({_T}, {_KEYED}, IEqualityComparer<K> comparer)": Typed(
            enumerables.to_dictionary
        ),
        f"static Dictionary<K, E> ToDictionary<T, K, E>({_T}, {_KEYED}, Func<T, E> elementSelector)": Typed(
            enumerables.to_dictionary
        ),
        f"static Dictionary<K, E> ToDictionary<T, K, E>({_T}, {_KEYED}, Func<T, E> elementSelector, "
        "IEqualityComparer<K> comparer)": Typed(enumerables.to_dictionary),
    },
)
