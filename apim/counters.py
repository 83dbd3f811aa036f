"""Counts of recent events by key: sliding windows for rate limits."""

from bisect import bisect_right
from dataclasses import dataclass, field

from apim.clock import Clock

_LONGEST = 300.0
_SWEEP_EVERY = 1000


@dataclass(slots=True)
class _Events:
    """The events of one key.

    Attributes:
        times: their times, in order.
        totals: for each event, the total count up to and including it.
        before: the total count of the events that were removed.
    """

    times: list[float] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    before: int = 0

    @property
    def total(self) -> int:
        return self.totals[-1] if self.totals else self.before

    def add(self, time: float, count: int) -> None:
        self.totals.append(self.total + count)
        self.times.append(time)

    def since(self, time: float) -> int:
        """The count of events after `time`."""
        index = bisect_right(self.times, time)
        return self.total - (self.totals[index - 1] if index else self.before)

    def drop_until(self, time: float) -> None:
        """Removes the events up to and including `time`."""
        index = bisect_right(self.times, time)
        if index:
            self.before = self.totals[index - 1]
            del self.times[:index], self.totals[:index]


class Counters:
    """Counts of the last 300 seconds.

    A counter is identified by its key only: policies at several scopes with the same key share it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: dict[str, _Events] = {}
        self._additions = 0

    def add(self, key: str, count: int) -> None:
        """Adds a count at the current time."""
        self._events.setdefault(key, _Events()).add(self._clock.now(), count)
        self._additions += 1
        if self._additions >= _SWEEP_EVERY:
            self._sweep()

    def used(self, key: str, period: float) -> int:
        """The count within the last `period` seconds."""
        events = self._events.get(key)
        return events.since(self._clock.now() - period) if events else 0

    def wait(self, key: str, calls: int, period: float) -> float:
        """Seconds until a limit of `calls` per `period` seconds allows another call; 0 if it does now."""
        events = self._events.get(key)
        now = self._clock.now()
        if events is None or events.since(now - period) < calls:
            return 0.0
        # When this event is older than the period, fewer than `calls` are left in it.
        index = bisect_right(events.totals, events.total - calls)
        return max(events.times[index] + period - now, 0.001)

    def clear(self) -> None:
        """Removes all counts."""
        self._events.clear()

    def __len__(self) -> int:
        return len(self._events)

    def _sweep(self) -> None:
        self._additions = 0
        oldest = self._clock.now() - _LONGEST
        for key, events in list(self._events.items()):
            events.drop_until(oldest)
            if not events.times:
                del self._events[key]
