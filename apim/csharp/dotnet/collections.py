"""List, Dictionary, HashSet, Queue, Stack, Tuple and their enumerators."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from apim.csharp.dotnet.key_value_pair import KeyValuePair
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import ClrType, clr
from apim.csharp.dotnet.values import equals
from apim.csharp.errors import DotNetException, argument_null, index_out_of_range

_MODIFIED = "Collection was modified; enumeration operation may not execute."


def modified() -> DotNetException:
    """The exception for a collection that changes while it is enumerated."""
    return DotNetException("InvalidOperationException", _MODIFIED)


def key_of(value: Any) -> Any:
    """A hashable value that is equal for equal keys only; 1, 1L, true and 1.0 are four different keys."""
    if isinstance(value, str):
        return value
    if isinstance(value, KeyValuePair):
        return (KeyValuePair, key_of(value.key), key_of(value.value))
    if isinstance(value, Tuple):
        return (Tuple, *map(key_of, value.items))
    return (type(value), value) if type(value).__hash__ is not object.__hash__ else _Identity(value)


class _Identity:
    """A key that is compared by reference, or by `clr_equals` if its class has it, such as JValue."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Identity):
            return False
        own = getattr(self.value, "clr_equals", None)
        return bool(own(other.value)) if own is not None else self.value is other.value

    def __hash__(self) -> int:
        return hash(type(self.value)) if hasattr(self.value, "clr_equals") else id(self.value)


class List:
    """List<T>, also used by other classes to store their items."""

    __slots__ = ("clr_type", "items", "version")

    def __init__(self, element: ClrType, items: Iterable[Any] = (), kind: str = "List") -> None:
        self.clr_type = clr(kind, element)
        self.items = list(items)
        self.version = 0

    def __iter__(self) -> Iterator[Any]:
        version = self.version
        index = 0
        while True:
            if self.version != version:
                raise modified()
            if index >= len(self.items):
                return
            yield self.items[index]
            index += 1

    def __len__(self) -> int:
        return len(self.items)

    def at(self, index: int) -> Any:
        """The item at an index."""
        if not 0 <= index < len(self.items):
            raise index_out_of_range()
        return self.items[index]

    def set(self, index: int, value: Any) -> None:
        """Replaces the item at an index."""
        self.at(index)
        self.items[index] = value
        self.version += 1


class Dictionary:
    """Dictionary<K, V>. Entries are kept by key, in order of insertion."""

    __slots__ = ("clr_type", "entries", "key", "version")

    def __init__(self, key: ClrType, value: ClrType, comparer: Any = None) -> None:
        self.clr_type = clr("Dictionary", key, value)
        self.entries: dict[Any, tuple[Any, Any]] = {}
        self.key: Callable[[Any], Any] = key_of if comparer is None else comparer.key
        self.version = 0

    def entry(self, key: Any) -> tuple[Any, Any] | None:
        """The entry of a key, which is the key and the value; None if the key is absent."""
        if key is None:
            raise argument_null("key")
        return self.entries.get(self.key(key))

    def at(self, key: Any) -> Any:
        """The value of a key."""
        entry = self.entry(key)
        if entry is None:
            raise missing_key(key)
        return entry[1]

    def set(self, key: Any, value: Any) -> None:
        """Sets the value of a key, which is added if it is absent."""
        entry = self.entry(key)
        self.entries[self.key(key)] = (key if entry is None else entry[0], value)
        self.version += 1

    def add(self, key: Any, value: Any) -> None:
        """Adds a new key."""
        if self.entry(key) is not None:
            raise DotNetException(
                "ArgumentException", f"An item with the same key has already been added. Key: {shown(key)}"
            )
        self.set(key, value)

    def remove(self, key: Any) -> tuple[bool, Any]:
        """Removes a key; returns whether it existed, and its value."""
        if key is None:
            raise argument_null("key")
        entry = self.entries.pop(self.key(key), None)
        return entry is not None, None if entry is None else entry[1]

    def __iter__(self) -> Iterator[KeyValuePair]:
        key, value = self.clr_type.args
        for entry in self.rows():
            yield KeyValuePair(entry[0], entry[1], key, value)

    def rows(self) -> Iterator[tuple[Any, Any]]:
        """The keys with their values.

        Raises:
            DotNetException: InvalidOperationException, if the dictionary changes while it is enumerated.
        """
        version = self.version
        for entry in list(self.entries.values()):
            if self.version != version:
                raise modified()
            yield entry
        if self.version != version:
            raise modified()

    def keys(self) -> list[Any]:
        """The keys in order of insertion."""
        return [entry[0] for entry in self.entries.values()]

    def values(self) -> list[Any]:
        """The values in order of insertion of their keys."""
        return [entry[1] for entry in self.entries.values()]

    def __len__(self) -> int:
        return len(self.entries)


class HashSet:
    """HashSet<T>."""

    __slots__ = ("clr_type", "entries", "key")

    def __init__(self, element: ClrType, items: Iterable[Any] = (), comparer: Any = None) -> None:
        self.clr_type = clr("HashSet", element)
        self.key: Callable[[Any], Any] = key_of if comparer is None else comparer.key
        self.entries: dict[Any, Any] = {}
        for item in items:
            self.add(item)

    def add(self, item: Any) -> bool:
        """Adds an item; returns False if it exists already."""
        key = self.key(item)
        if key in self.entries:
            return False
        self.entries[key] = item
        return True

    def __contains__(self, item: object) -> bool:
        return self.key(item) in self.entries

    def __iter__(self) -> Iterator[Any]:
        size = len(self.entries)
        for item in list(self.entries.values()):
            if len(self.entries) != size:
                raise modified()
            yield item

    def __len__(self) -> int:
        return len(self.entries)


class Tuple:
    """Tuple<...>."""

    __slots__ = ("clr_type", "items")

    def __init__(self, types: tuple[ClrType, ...], items: tuple[Any, ...]) -> None:
        self.clr_type = clr(f"Tuple{len(items)}", *types)
        self.items = items

    def clr_text(self) -> str:
        """`(a, b)`."""
        return f"({', '.join(map(to_string, self.items))})"

    def clr_equals(self, other: Any) -> bool:
        """Equals, item by item."""
        return isinstance(other, Tuple) and key_of(self) == key_of(other)


class AnonymousObject:
    """An object of an anonymous type: `new { a = 1 }`."""

    __slots__ = ("clr_type", "members")

    def __init__(self, clr_type: ClrType, members: dict[str, Any]) -> None:
        self.clr_type = clr_type
        self.members = members

    def clr_text(self) -> str:
        """`{ a = 1, b = x }`."""
        return f"{{ {', '.join(f'{name} = {to_string(value)}' for name, value in self.members.items())} }}"

    def clr_equals(self, other: Any) -> bool:
        """Equals, member by member."""
        return (
            isinstance(other, AnonymousObject)
            and other.clr_type is self.clr_type
            and all(equals(value, other.members[name]) for name, value in self.members.items())
        )


class Grouping(List):
    """IGrouping<K, T>."""

    __slots__ = ("group_key",)

    def __init__(self, key: Any, key_type: ClrType, element: ClrType, items: list[Any]) -> None:
        super().__init__(element, items)
        self.clr_type = clr("IGrouping", key_type, element)
        self.group_key = key


class Enumerator:
    """IEnumerator<T>."""

    __slots__ = ("_items", "clr_type", "current")

    def __init__(self, element: ClrType, items: Iterator[Any]) -> None:
        self.clr_type = clr("IEnumerator", element)
        self._items = items
        self.current: Any = None

    def move(self) -> bool:
        """MoveNext."""
        for item in self._items:
            self.current = item
            return True
        return False


def missing_key(key: Any) -> DotNetException:
    """The exception for a key that a dictionary does not contain."""
    return DotNetException(
        "KeyNotFoundException", f"The given key '{shown(key)}' was not present in the dictionary."
    )


def shown(key: Any) -> str:
    """A key as exceptions show it."""
    return to_string(key)
