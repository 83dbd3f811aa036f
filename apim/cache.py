"""The cache of the gateway: best effort, of limited size; it may be emptied at any time.

https://learn.microsoft.com/azure/api-management/api-management-howto-cache
"""

from collections import OrderedDict
from dataclasses import dataclass

from apim.clock import Clock

LARGEST_ITEM = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    value: object
    size: int
    visible: float
    expires: float


class Cache:
    """Values by key, each with a time to live.

    Args:
        clock: determines when values expire.
        capacity: bytes (BasicV2 has 250 MB); the least recently used values are removed first.

    Attributes:
        store_delay: seconds until a stored value can be looked up; API Management stores asynchronously.
        fail_stores: whether stores are lost.
        fail_lookups: whether every lookup finds no value.
    """

    def __init__(self, clock: Clock, *, capacity: int = 250_000_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._size = 0
        self.store_delay = 0.0
        self.fail_stores = False
        self.fail_lookups = False

    def lookup(self, key: str) -> object | None:
        """The value of a key; None if there is no value that can be looked up now."""
        entry = self._entries.get(key)
        if entry is None or self.fail_lookups:
            return None
        now = self._clock.now()
        if entry.expires <= now:
            self.remove(key)
            return None
        if entry.visible > now:
            return None
        self._entries.move_to_end(key)
        return entry.value

    def has(self, key: str) -> bool:
        """Whether a value is stored and has not expired, even if it cannot be looked up yet."""
        entry = self._entries.get(key)
        return entry is not None and entry.expires > self._clock.now()

    def store(self, key: str, value: object, seconds: float, size: int) -> None:
        """Stores a value, unless it is larger than API Management accepts.

        Args:
            key: its key.
            value: the value.
            seconds: its time to live.
            size: its size in bytes.
        """
        if self.fail_stores or size > LARGEST_ITEM or seconds <= 0:
            return
        self.remove(key)
        now = self._clock.now()
        self._entries[key] = _Entry(value, size, now + self.store_delay, now + seconds)
        self._size += size
        while self._size > self._capacity:
            self.remove(next(iter(self._entries)))

    def remove(self, key: str) -> None:
        """Removes a value, if there is one."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size

    def clear(self) -> None:
        """Removes all values."""
        self._entries.clear()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)
