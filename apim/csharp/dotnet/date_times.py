"""DateTime, TimeSpan and DateTimeOffset, in ticks of 100 ns. A day has 864,000,000,000 of them."""

import math
from datetime import date
from typing import Final

from apim.csharp.dotnet.types import DATE_TIME, DATE_TIME_OFFSET, TIME_SPAN
from apim.csharp.errors import DotNetException

TICKS_PER_SECOND: Final = 10_000_000
TICKS_PER_MINUTE: Final = 60 * TICKS_PER_SECOND
TICKS_PER_HOUR: Final = 60 * TICKS_PER_MINUTE
TICKS_PER_DAY: Final = 24 * TICKS_PER_HOUR
MAX_TICKS: Final = 3155378975999999999
UNIX_EPOCH_TICKS: Final = 621355968000000000
UNSPECIFIED, UTC_KIND, LOCAL = 0, 1, 2
"""DateTimeKind. The local time zone of the gateway is UTC."""


def out_of_range_date() -> DotNetException:
    """The exception for a date outside the years 1 to 9999."""
    return DotNetException(
        "ArgumentOutOfRangeException",
        "The added or subtracted value results in an un-representable DateTime.",
    )


def ticks_of(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:  # noqa: PLR0917 -- as `new DateTime(...)`
    """Ticks since the start of the year 1."""
    try:
        days = date(year, month, day).toordinal() - 1
    except ValueError:
        raise DotNetException(
            "ArgumentOutOfRangeException",
            "Year, Month, and Day parameters describe an un-representable DateTime.",
        ) from None
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):  # noqa: PLR2004 -- 23:59:59
        raise DotNetException(
            "ArgumentOutOfRangeException",
            "Hour, Minute, and Second parameters describe an un-representable DateTime.",
        )
    return (
        days * TICKS_PER_DAY + hour * TICKS_PER_HOUR + minute * TICKS_PER_MINUTE + second * TICKS_PER_SECOND
    )


class _Ticks:
    """A value that is ordered by its ticks."""

    __slots__ = ("ticks",)
    ticks: int

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.ticks == self.ticks

    def __lt__(self, other: "_Ticks") -> bool:
        return self.ticks < other.ticks

    def __le__(self, other: "_Ticks") -> bool:
        return self.ticks <= other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)

    def clr_equals(self, other: object) -> bool:
        """Object.Equals."""
        return self == other


class TimeSpan(_Ticks):
    """A duration."""

    __slots__ = ()
    clr_type = TIME_SPAN

    def __init__(self, ticks: int) -> None:
        if not -(2**63) <= ticks < 2**63:
            raise DotNetException(
                "OverflowException", "TimeSpan overflowed because the duration is too long."
            )
        self.ticks = ticks


class DateTime(_Ticks):
    """A date and time of a kind: unspecified, UTC or local."""

    __slots__ = ("kind",)
    clr_type = DATE_TIME

    def __init__(self, ticks: int, kind: int = UNSPECIFIED) -> None:
        if not 0 <= ticks <= MAX_TICKS:
            raise out_of_range_date()
        self.ticks = ticks
        self.kind = kind

    @property
    def date(self) -> date:
        """The date without the time of day."""
        return date.fromordinal(self.ticks // TICKS_PER_DAY + 1)


class DateTimeOffset:
    """A point in time (`utc_ticks`) with an offset from UTC (in ticks)."""

    __slots__ = ("offset", "utc_ticks")
    clr_type = DATE_TIME_OFFSET

    def __init__(self, utc_ticks: int, offset: int = 0) -> None:
        if abs(offset) > 14 * TICKS_PER_HOUR:
            raise DotNetException(
                "ArgumentOutOfRangeException", "Offset must be within plus or minus 14 hours."
            )
        if not 0 <= utc_ticks <= MAX_TICKS:
            raise out_of_range_date()
        self.utc_ticks = utc_ticks
        self.offset = offset

    @property
    def clock_time(self) -> DateTime:
        """The date and time at the offset."""
        return DateTime(self.utc_ticks + self.offset)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTimeOffset) and other.utc_ticks == self.utc_ticks

    def __lt__(self, other: "DateTimeOffset") -> bool:
        return self.utc_ticks < other.utc_ticks

    def __le__(self, other: "DateTimeOffset") -> bool:
        return self.utc_ticks <= other.utc_ticks

    def __hash__(self) -> int:
        return hash(self.utc_ticks)

    def clr_equals(self, other: object) -> bool:
        """Object.Equals."""
        return self == other


def from_posix(seconds: float) -> int:
    """Ticks of a time in POSIX seconds, which is rounded to microseconds."""
    rest, whole = math.modf(seconds)
    # Half a microsecond is rounded to even, as in Python's datetime.
    return UNIX_EPOCH_TICKS + int(whole) * TICKS_PER_SECOND + round(rest * 1e6) * 10
