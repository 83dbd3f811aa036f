"""The clock of a gateway."""

from typing import Protocol


class Clock(Protocol):
    """A clock, in POSIX seconds."""

    def now(self) -> float:
        """The current time."""
        ...
