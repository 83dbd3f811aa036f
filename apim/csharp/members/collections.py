"""Arrays, List, Dictionary, HashSet, Queue, Stack, Tuple, and their interfaces."""

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any

from apim.csharp.dotnet.collections import Dictionary, Enumerator, HashSet, List, Tuple, missing_key
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.key_value_pair import KeyValuePair
from apim.csharp.dotnet.ordering import compare_values
from apim.csharp.dotnet.signature import Attribute, Settable, Typed, define
from apim.csharp.dotnet.types import BYTE, ClrType
from apim.csharp.dotnet.values import Array, equals, iterate
from apim.csharp.errors import DotNetException, argument_null, out_of_range

_GENERIC = "System.Collections.Generic"


def items_of(values: Iterable[Any] | None, name: str = "collection") -> Any:
    """The items of a collection; `name` is its parameter's name in .NET.

    Raises:
        DotNetException: ArgumentNullException, if the collection is null.
    """
    if values is None:
        raise argument_null(name)
    return iterate(values)


def index_of(values: Iterable[Any], wanted: Any) -> int:
    """The index of the first item that is equal to `wanted`; -1 if there is none."""
    return next((index for index, value in enumerate(values) if equals(value, wanted)), -1)


def _contains(values: Iterable[Any], wanted: Any) -> bool:
    return any(equals(value, wanted) for value in iterate(values))


def first_match(values: Any, test: Callable[[Any], bool], default: Any) -> Any:
    """The first item for which the test is true; the default if there is none."""
    return next((value for value in items_of(values, "array") if test(value)), default)


def _item(values: Any, index: int) -> Any:
    if isinstance(values, Array):
        if not 0 <= index < len(values.items):
            raise DotNetException("IndexOutOfRangeException", "Index was outside the bounds of the array.")
        return list(values)[index] if values.clr_type.args[0] is BYTE else values.items[index]
    return values.at(index)


def _set_item(values: Any, index: int, value: Any) -> None:
    if isinstance(values, Array):
        _item(values, index)
        values.items[index] = value
    else:
        values.set(index, value)


def _fixed(values: Any) -> Any:
    if isinstance(values, Array):
        raise DotNetException("NotSupportedException", "Collection was of a fixed size.")
    return values


def copy_to(values: Any, target: Array | None, start: int) -> None:
    """CopyTo."""
    if target is None:
        raise argument_null("array")
    items = list(iterate(values))
    if start < 0:
        raise out_of_range("arrayIndex")
    if start + len(items) > len(target.items):
        raise DotNetException("ArgumentException", "Destination array was not long enough.")
    target.items[start : start + len(items)] = items


define("interface IEnumerable0")  # IEnumerable without a type argument, for Cast and OfType
define(
    f"interface {_GENERIC}.IEnumerable<T> : IEnumerable0",
    {
        "IEnumerator<T> GetEnumerator()": Typed(
            lambda element: lambda values: Enumerator(element, iter(iterate(values)))
        )
    },
)
define(
    f"interface {_GENERIC}.IEnumerator<T> : IDisposable",
    {"T Current": lambda walk: walk.current, "bool MoveNext()": Enumerator.move},
)
define(f"interface {_GENERIC}.IReadOnlyCollection<T> : IEnumerable<T>", {"int Count": len})
define(
    f"interface {_GENERIC}.IReadOnlyList<T> : IReadOnlyCollection<T>",
    {"T this[int index]": _item},
)
define(
    f"interface {_GENERIC}.ICollection<T> : IEnumerable<T>",
    {
        "int Count": len,
        "bool Contains(T item)": _contains,
        "void Add(T item)": lambda values, item: _add(_fixed(values), item),
        "void Clear()": lambda values: _clear(_fixed(values)),
        "void CopyTo(T[] array, int arrayIndex)": copy_to,
    },
)
define(
    f"interface {_GENERIC}.IList<T> : ICollection<T>",
    {"T this[int index]": Settable(_item, _set_item), "int IndexOf(T item)": index_of},
)
define(f"interface {_GENERIC}.ISet<T> : ICollection<T>", {"bool Add(T item)": HashSet.add})


def _add(values: Any, item: Any) -> Any:
    if isinstance(values, HashSet):
        return values.add(item)
    if isinstance(values, List):
        values.items.append(item)
        values.version += 1
        return None
    return values.add(item)


def _clear(values: Any) -> None:
    if isinstance(values, List):
        values.items.clear()
        values.version += 1
    else:
        values.entries.clear()


# List<T>


def _changed(values: List) -> List:
    values.version += 1
    return values


def _extend(values: List, more: Any) -> None:
    _changed(values).items.extend(list(items_of(more)))


def _insert(values: List, index: int, item: Any) -> None:
    if not 0 <= index <= len(values.items):
        raise out_of_range("index")
    _changed(values).items.insert(index, item)


def _remove(values: List, item: Any) -> bool:
    index = index_of(values.items, item)
    if index >= 0:
        del _changed(values).items[index]
    return index >= 0


def _remove_at(values: List, index: int) -> None:
    values.at(index)
    del _changed(values).items[index]


def _remove_all(values: List, test: Callable[[Any], bool]) -> int:
    kept = [item for item in values.items if not test(item)]
    removed = len(values.items) - len(kept)
    values.items = kept
    values.version += 1
    return removed


def _range(values: List, index: int, count: int) -> List:
    if index < 0 or count < 0:
        raise out_of_range("index")
    if index + count > len(values.items):
        raise DotNetException("ArgumentException", "Offset and length were out of bounds for the array.")
    return List(values.clr_type.args[0], values.items[index : index + count])


def _sort(values: List) -> None:
    _changed(values).items.sort(key=cmp_to_key(compare_values))


def _sort_by(values: List, compare: Callable[[Any, Any], int]) -> None:
    # .NET's sort is not stable: in .NET the order of items that compare as equal is not defined.
    _changed(values).items.sort(key=cmp_to_key(compare))


def _new_list(element: ClrType) -> Callable[..., List]:
    def make(values: Any = ()) -> List:
        if isinstance(values, int) and values < 0:
            raise out_of_range("capacity")
        return List(element, [] if isinstance(values, int) else items_of(values))

    return make


define(
    f"class {_GENERIC}.List<T> : IList<T>, IReadOnlyList<T>",
    {
        "new()": Typed(_new_list),
        "new(int capacity)": Typed(_new_list),
        "new(IEnumerable<T> collection)": Typed(_new_list),
        "int Count": len,
        "int Capacity": lambda values: max(4, len(values)),
        "T this[int index]": Settable(List.at, List.set),
        "void Add(T item)": _add,
        "void AddRange(IEnumerable<T> collection)": _extend,
        "void Insert(int index, T item)": _insert,
        "bool Remove(T item)": _remove,
        "void RemoveAt(int index)": _remove_at,
        "int RemoveAll(Predicate<T> match)": _remove_all,
        "void Clear()": _clear,
        "bool Contains(T item)": _contains,
        "int IndexOf(T item)": lambda values, item: index_of(values.items, item),
        "T Find(Predicate<T> match)": Typed(
            lambda element: lambda values, test: first_match(values, test, default_of(element))
        ),
        "List<T> FindAll(Predicate<T> match)": Typed(
            lambda element: lambda values, test: List(element, [item for item in values.items if test(item)])
        ),
        "bool Exists(Predicate<T> match)": lambda values, test: any(test(item) for item in values.items),
        "bool TrueForAll(Predicate<T> match)": lambda values, test: all(test(item) for item in values.items),
        "int FindIndex(Predicate<T> match)": lambda values, test: next(
            (index for index, item in enumerate(values.items) if test(item)), -1
        ),
        "List<T> GetRange(int index, int count)": _range,
        "void Reverse()": lambda values: _changed(values).items.reverse(),
        "void Sort()": _sort,
        "void Sort(Comparison<T> comparison)": _sort_by,
        "void ForEach(Action<T> action)": lambda values, act: [act(item) for item in values] and None,
        "T[] ToArray()": lambda values: list(values.items),
        "List<R> ConvertAll<R>(Converter<T, R> converter)": Typed(
            lambda _element, result: (
                lambda values, convert: List(result, [convert(item) for item in values.items])
            )
        ),
    },
)


# Dictionary<K, V>


def _new_dictionary(key: ClrType, value: ClrType) -> Callable[..., Dictionary]:
    def make(source: Any = None, comparer: Any = None) -> Dictionary:
        made = Dictionary(key, value, comparer)
        if source is not None and not isinstance(source, int):
            for pair in source:
                made.add(pair.key, pair.value)
        return made

    return make


def _try_get(value: ClrType) -> Callable[[Any, Any], tuple[bool, Any]]:
    default = default_of(value)

    def attempt(source: Any, key: Any) -> tuple[bool, Any]:
        entry = source.entry(key)
        return (False, default) if entry is None else (True, entry[1])

    return attempt


def _typed_try_get(_key: ClrType, value: ClrType) -> Callable[[Any, Any], tuple[bool, Any]]:
    return _try_get(value)


def _value_at(source: Any, key: Any) -> Any:
    entry = source.entry(key)
    if entry is None:
        raise missing_key(key)
    return entry[1]


_LOOKUPS: dict[str, Any] = {
    "bool ContainsKey(K key)": lambda source, key: source.entry(key) is not None,
    "bool TryGetValue(K key, out V value)": Typed(_typed_try_get),
}
define(
    f"interface {_GENERIC}.IReadOnlyDictionary<K, V> : IReadOnlyCollection<KeyValuePair<K, V>>",
    {
        **_LOOKUPS,
        "V this[K key]": _value_at,
        "IEnumerable<K> Keys": lambda source: _sequence(source, 0),
        "IEnumerable<V> Values": lambda source: _sequence(source, 1),
    },
)
define(
    f"interface {_GENERIC}.IDictionary<K, V> : ICollection<KeyValuePair<K, V>>",
    {
        **_LOOKUPS,
        "V this[K key]": Settable(Dictionary.at, Dictionary.set),
        "void Add(K key, V value)": Dictionary.add,
        "bool Remove(K key)": lambda source, key: source.remove(key)[0],
        "ICollection<K> Keys": lambda source: List(source.clr_type.args[0], source.keys()),
        "ICollection<V> Values": lambda source: List(source.clr_type.args[1], source.values()),
    },
)


def _sequence(source: Any, index: int) -> List:
    rows = [row[index] for row in source.rows()]
    return List(source.clr_type.args[index], rows)


def _try_add(source: Dictionary, key: Any, value: Any) -> bool:
    if source.entry(key) is not None:
        return False
    source.add(key, value)
    return True


def _clear_dictionary(source: Dictionary) -> None:
    source.entries.clear()
    source.version += 1


define(
    f"class {_GENERIC}.Dictionary<K, V> : IDictionary<K, V>, IReadOnlyDictionary<K, V>",
    {
        "new()": Typed(_new_dictionary),
        "new(int capacity)": Typed(_new_dictionary),
        "new(IDictionary<K, V> dictionary)": Typed(_new_dictionary),
        "new(IDictionary<K, V> dictionary, IEqualityComparer<K> comparer)": Typed(_new_dictionary),
        "new(IEqualityComparer<K> comparer)": Typed(
            lambda key, value: lambda comparer: Dictionary(key, value, comparer)
        ),
        **_LOOKUPS,
        "int Count": len,
        "V this[K key]": Settable(Dictionary.at, Dictionary.set),
        "void Add(K key, V value)": Dictionary.add,
        "bool TryAdd(K key, V value)": _try_add,
        "bool Remove(K key)": lambda source, key: source.remove(key)[0],
        "bool ContainsValue(V value)": lambda source, value: _contains(source.values(), value),
        "void Clear()": _clear_dictionary,
        "ICollection<K> Keys": lambda source: List(source.clr_type.args[0], source.keys()),
        "ICollection<V> Values": lambda source: List(source.clr_type.args[1], source.values()),
    },
)
define(
    f"struct {_GENERIC}.KeyValuePair<K, V>",
    {
        "new(K key, V value)": Typed(lambda k, v: lambda key, value: KeyValuePair(key, value, k, v)),
        "K Key": Attribute("key"),
        "V Value": Attribute("value"),
        "string ToString()": KeyValuePair.clr_text,
    },
)


# HashSet<T>, Queue<T>, Stack<T>


def _new_set(element: ClrType) -> Callable[..., HashSet]:
    return lambda values=(), comparer=None: HashSet(element, items_of(values), comparer)


def _union(left: HashSet, values: Any) -> None:
    for item in list(items_of(values, "other")):
        left.add(item)


def _subtract(left: HashSet, values: Any) -> None:
    for item in list(items_of(values, "other")):
        left.entries.pop(left.key(item), None)


def _intersect(left: HashSet, values: Any) -> None:
    keys = {left.key(item) for item in items_of(values, "other")}
    left.entries = {key: item for key, item in left.entries.items() if key in keys}


def _keys(left: HashSet, values: Any) -> set[Any]:
    return {left.key(item) for item in items_of(values, "other")}


define(
    f"class {_GENERIC}.HashSet<T> : ISet<T>, IReadOnlyCollection<T>",
    {
        "new()": Typed(_new_set),
        "new(IEnumerable<T> collection)": Typed(_new_set),
        "new(IEqualityComparer<T> comparer)": Typed(
            lambda element: lambda comparer: HashSet(element, (), comparer)
        ),
        "new(IEnumerable<T> collection, IEqualityComparer<T> comparer)": Typed(_new_set),
        "int Count": len,
        "bool Add(T item)": HashSet.add,
        "bool Remove(T item)": lambda values, item: (
            values.entries.pop(values.key(item), values) is not values
        ),
        "bool Contains(T item)": HashSet.__contains__,
        "void Clear()": _clear,
        "void UnionWith(IEnumerable<T> other)": _union,
        "void ExceptWith(IEnumerable<T> other)": _subtract,
        "void IntersectWith(IEnumerable<T> other)": _intersect,
        "bool IsSubsetOf(IEnumerable<T> other)": lambda left, values: (
            left.entries.keys() <= _keys(left, values)
        ),
        "bool IsSupersetOf(IEnumerable<T> other)": lambda left, values: (
            left.entries.keys() >= _keys(left, values)
        ),
        "bool Overlaps(IEnumerable<T> other)": lambda left, values: bool(
            left.entries.keys() & _keys(left, values)
        ),
        "bool SetEquals(IEnumerable<T> other)": lambda left, values: (
            left.entries.keys() == _keys(left, values)
        ),
    },
)


def _take(values: List, index: int, kind: str) -> Any:
    if not values.items:
        raise DotNetException("InvalidOperationException", f"{kind} empty.")
    values.version += 1
    return values.items.pop(index)


def _peek(values: List, kind: str) -> Any:
    if not values.items:
        raise DotNetException("InvalidOperationException", f"{kind} empty.")
    return values.items[0]


def _push(values: List, item: Any) -> None:
    _changed(values).items.insert(0, item)


define(
    f"class {_GENERIC}.Queue<T> : IReadOnlyCollection<T>",
    {
        "new()": Typed(lambda element: lambda: List(element, (), "Queue")),
        "new(IEnumerable<T> collection)": Typed(
            lambda element: lambda values: List(element, items_of(values), "Queue")
        ),
        "int Count": len,
        "void Enqueue(T item)": _add,
        "T Dequeue()": lambda values: _take(values, 0, "Queue"),
        "T Peek()": lambda values: _peek(values, "Queue"),
        "bool Contains(T item)": _contains,
        "void Clear()": _clear,
        "T[] ToArray()": lambda values: list(values.items),
    },
)
define(
    f"class {_GENERIC}.Stack<T> : IReadOnlyCollection<T>",
    {
        "new()": Typed(lambda element: lambda: List(element, (), "Stack")),
        "new(IEnumerable<T> collection)": Typed(
            lambda element: lambda values: List(element, list(items_of(values))[::-1], "Stack")
        ),
        "int Count": len,
        "void Push(T item)": _push,
        "T Pop()": lambda values: _take(values, 0, "Stack"),
        "T Peek()": lambda values: _peek(values, "Stack"),
        "bool Contains(T item)": _contains,
        "void Clear()": _clear,
        "T[] ToArray()": lambda values: list(values.items),
    },
)


# Tuple<...>: the name contains the number of items, as in `Tuple2`, because each name has only one
# definition.

for _count in range(1, 5):
    _names = [f"T{index + 1}" for index in range(_count)]
    define(
        f"class Tuple{_count}<{', '.join(_names)}>",
        {
            f"{name} Item{index + 1}": lambda pair, index=index: pair.items[index]
            for index, name in enumerate(_names)
        }
        | {
            "string ToString()": Tuple.clr_text,
            f"new({', '.join(f'{name} item{index + 1}' for index, name in enumerate(_names))})": Typed(
                lambda *types: lambda *items: Tuple(types, items)
            ),
        },
    )
    define(
        "static System.Tuple",
        {
            f"static Tuple{_count}<{', '.join(_names)}> Create<{', '.join(_names)}>"
            f"({', '.join(f'{name} item{index + 1}' for index, name in enumerate(_names))})": Typed(
                lambda *types: lambda *items: Tuple(types, items)
            )
        },
    )
