"""DateTime, TimeSpan and DateTimeOffset.

DateTime has only the members that API Management lists.
"""

import calendar
from typing import Any, Final

from apim.csharp.context import Context
from apim.csharp.dotnet.date_times import (
    LOCAL,
    MAX_TICKS,
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    UNIX_EPOCH_TICKS,
    UTC_KIND,
    DateTime,
    DateTimeOffset,
    TimeSpan,
    from_posix,
    out_of_range_date,
    ticks_of,
)
from apim.csharp.dotnet.signature import Checked, Contextual, define
from apim.csharp.dotnet.text.date_times import (
    _span,
    date_text,
    offset_text,
    parse_date,
    parse_offset,
    parse_span,
    span_text,
)
from apim.csharp.dotnet.types import clr
from apim.csharp.dotnet.values import EnumValue, Long
from apim.csharp.errors import DotNetException, UnsupportedError, out_of_range

_MILLISECOND: Final = TICKS_PER_SECOND // 1000
_LAST_MILLISECOND: Final = 999


def _now(context: Context) -> DateTime:
    return DateTime(from_posix(context.now()), LOCAL)


def _utc_now(context: Context) -> DateTime:
    return DateTime(from_posix(context.now()), UTC_KIND)


def _today(context: Context) -> DateTime:
    ticks = from_posix(context.now())
    return DateTime(ticks - ticks % TICKS_PER_DAY, LOCAL)


def _new(*parts: Any) -> DateTime:
    kind = 0
    if isinstance(parts[-1], EnumValue):
        kind = parts[-1].number
        parts = parts[:-1]
    if len(parts) == 1:
        ticks = int(parts[0])
        if not 0 <= ticks <= MAX_TICKS:
            raise out_of_range("ticks")
        return DateTime(ticks, kind)
    milliseconds = 0
    if len(parts) == 7:  # noqa: PLR2004 -- the constructor with milliseconds
        milliseconds = parts[6]
        if not 0 <= milliseconds <= _LAST_MILLISECOND:
            raise out_of_range("millisecond")
    return DateTime(ticks_of(*parts[:6]) + milliseconds * _MILLISECOND, kind)


def scaled(value: float, unit: int) -> int:
    """The ticks of a number of units.

    Args:
        value: the number.
        unit: the ticks of a unit.

    Raises:
        DotNetException: ArgumentException, OverflowException.
        UnsupportedError: the result has a fraction of a millisecond, which .NET before version 7 rounds.
    """
    if value != value:  # noqa: PLR0124 -- NaN
        raise DotNetException(
            "ArgumentException", "TimeSpan does not accept floating point Not-a-Number values."
        )
    ticks = value * unit
    if abs(ticks) >= 2**63:
        raise DotNetException("OverflowException", "TimeSpan overflowed because the duration is too long.")
    # Older versions of .NET round to milliseconds. Values for which this changes the result are rejected.
    if abs(ticks - round(ticks / _MILLISECOND) * _MILLISECOND) > 1e-3 * _MILLISECOND:
        raise UnsupportedError("a duration with a fraction of a millisecond; use AddTicks or FromTicks")
    return round(ticks / _MILLISECOND) * _MILLISECOND


def _added(unit: int) -> Any:
    def add(value: DateTime, amount: float) -> DateTime:
        try:
            return DateTime(value.ticks + scaled(amount, unit), value.kind)
        except DotNetException as error:
            raise out_of_range_date() if error.type_name == "OverflowException" else error from None

    return add


def _added_offset(unit: int) -> Any:
    def add(value: DateTimeOffset, amount: float) -> DateTimeOffset:
        return DateTimeOffset(value.utc_ticks + scaled(amount, unit), value.offset)

    return add


def _months(value: DateTime, months: int) -> DateTime:
    day = value.date
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 -- the calendar's range
        raise out_of_range_date()
    last = calendar.monthrange(year, month + 1)[1]
    return DateTime(ticks_of(year, month + 1, min(day.day, last)) + value.ticks % TICKS_PER_DAY, value.kind)


def _offset_months(value: DateTimeOffset, months: int) -> DateTimeOffset:
    return DateTimeOffset(_months(value.clock_time, months).ticks - value.offset, value.offset)


def _days_in_month(year: int, month: int) -> int:
    if not (1 <= year <= 9999 and 1 <= month <= 12):  # noqa: PLR2004 -- the calendar's range
        raise out_of_range("month")
    return calendar.monthrange(year, month)[1]


def _is_leap(year: int) -> bool:
    if not 1 <= year <= 9999:  # noqa: PLR2004 -- the calendar's range
        raise out_of_range("year")
    return calendar.isleap(year)


def _weekday(value: DateTime) -> EnumValue:
    return EnumValue(clr("DayOfWeek"), value.date.isoweekday() % 7)


def _date(value: DateTime) -> DateTime:
    return DateTime(value.ticks - value.ticks % TICKS_PER_DAY, value.kind)


def _check_date(pattern: Any) -> None:
    if isinstance(pattern, str):
        date_text(DateTime(UNIX_EPOCH_TICKS), pattern)


def _check_span(pattern: Any) -> None:
    if isinstance(pattern, str):
        span_text(TimeSpan(0), pattern)


def _compare(left: Any, right: Any) -> int:
    return -1 if left < right else 0 if left == right else 1


def _try_offset(text: str | None) -> tuple[bool, DateTimeOffset]:
    try:
        return True, parse_offset(text)
    except UnsupportedError:
        raise
    except DotNetException:
        return False, DateTimeOffset(0)


def _try_span(text: str | None) -> tuple[bool, TimeSpan]:
    try:
        return True, parse_span(text)
    except DotNetException:
        return False, TimeSpan(0)


_CLOCK: Final = {
    "Hour": lambda value: value.ticks // TICKS_PER_HOUR % 24,
    "Minute": lambda value: value.ticks // TICKS_PER_MINUTE % 60,
    "Second": lambda value: value.ticks // TICKS_PER_SECOND % 60,
    "Millisecond": lambda value: value.ticks // _MILLISECOND % 1000,
    "Year": lambda value: value.date.year,
    "Month": lambda value: value.date.month,
    "Day": lambda value: value.date.day,
    "DayOfYear": lambda value: value.date.timetuple().tm_yday,
}
_UNITS: Final = {
    "Days": TICKS_PER_DAY,
    "Hours": TICKS_PER_HOUR,
    "Minutes": TICKS_PER_MINUTE,
    "Seconds": TICKS_PER_SECOND,
    "Milliseconds": _MILLISECOND,
}
_DATE_PARTS: Final = "int year, int month, int day"
_TIME_PARTS: Final = "int hour, int minute, int second"
define(
    "struct System.DateTime : IComparable",
    {
        "new(long ticks)": _new,
        "new(long ticks, DateTimeKind kind)": _new,
        f"new({_DATE_PARTS})": _new,
        f"new({_DATE_PARTS}, {_TIME_PARTS})": _new,
        f"new({_DATE_PARTS}, {_TIME_PARTS}, DateTimeKind kind)": _new,
        f"new({_DATE_PARTS}, {_TIME_PARTS}, int millisecond)": _new,
        f"new({_DATE_PARTS}, {_TIME_PARTS}, int millisecond, DateTimeKind kind)": _new,
        "static DateTime Now": Contextual(_now),
        "static DateTime UtcNow": Contextual(_utc_now),
        "static DateTime Today": Contextual(_today),
        "static DateTime MinValue": DateTime(0),
        "static DateTime MaxValue": DateTime(MAX_TICKS),
        "static DateTime Parse(string s)": parse_date,
        "static int DaysInMonth(int year, int month)": _days_in_month,
        "static bool IsLeapYear(int year)": _is_leap,
        "bool IsDaylightSavingTime()": lambda _value: False,
        **{f"int {name}": read for name, read in _CLOCK.items()},
        "DayOfWeek DayOfWeek": _weekday,
        "DateTime Date": _date,
        "TimeSpan TimeOfDay": lambda value: TimeSpan(value.ticks % TICKS_PER_DAY),
        "long Ticks": lambda value: Long(value.ticks),
        "DateTime Add(TimeSpan value)": lambda value, span: DateTime(value.ticks + span.ticks, value.kind),
        "DateTime AddTicks(long value)": lambda value, ticks: DateTime(value.ticks + ticks, value.kind),
        **{f"DateTime Add{name}(double value)": _added(unit) for name, unit in _UNITS.items()},
        "DateTime AddMonths(int months)": _months,
        "DateTime AddYears(int value)": lambda value, years: _months(value, years * 12),
        "TimeSpan Subtract(DateTime value)": lambda left, right: TimeSpan(left.ticks - right.ticks),
        "DateTime Subtract(TimeSpan value)": lambda value, span: DateTime(
            value.ticks - span.ticks, value.kind
        ),
        "string ToString()": date_text,
        "string ToString(string format)": Checked(date_text, _check_date),
    },
)
define(
    "struct System.TimeSpan : IComparable",
    {
        "new(long ticks)": TimeSpan,
        "new(int hours, int minutes, int seconds)": lambda *parts: TimeSpan(_span(0, *parts)),
        "new(int days, int hours, int minutes, int seconds)": lambda *parts: TimeSpan(_span(*parts)),
        "new(int days, int hours, int minutes, int seconds, int milliseconds)": lambda *parts: TimeSpan(
            _span(*parts[:4]) + parts[4] * _MILLISECOND
        ),
        "static TimeSpan Zero": TimeSpan(0),
        "static TimeSpan MaxValue": TimeSpan(2**63 - 1),
        "static TimeSpan MinValue": TimeSpan(-(2**63)),
        "static long TicksPerSecond": Long(TICKS_PER_SECOND),
        "static long TicksPerMillisecond": Long(_MILLISECOND),
        "static long TicksPerMinute": Long(TICKS_PER_MINUTE),
        "static long TicksPerHour": Long(TICKS_PER_HOUR),
        "static long TicksPerDay": Long(TICKS_PER_DAY),
        **{
            f"static TimeSpan From{name}(double value)": lambda value, unit=unit: TimeSpan(
                scaled(value, unit)
            )
            for name, unit in _UNITS.items()
        },
        "static TimeSpan FromTicks(long value)": TimeSpan,
        "static TimeSpan Parse(string s)": parse_span,
        "static bool TryParse(string s, out TimeSpan result)": _try_span,
        "int Days": lambda value: _part(value, TICKS_PER_DAY, 0),
        "int Hours": lambda value: _part(value, TICKS_PER_HOUR, 24),
        "int Minutes": lambda value: _part(value, TICKS_PER_MINUTE, 60),
        "int Seconds": lambda value: _part(value, TICKS_PER_SECOND, 60),
        "int Milliseconds": lambda value: _part(value, _MILLISECOND, 1000),
        **{
            f"double Total{name}": lambda value, unit=unit: value.ticks / unit
            for name, unit in _UNITS.items()
        },
        "long Ticks": lambda value: Long(value.ticks),
        "TimeSpan Add(TimeSpan ts)": lambda left, right: TimeSpan(left.ticks + right.ticks),
        "TimeSpan Subtract(TimeSpan ts)": lambda left, right: TimeSpan(left.ticks - right.ticks),
        "TimeSpan Negate()": lambda value: TimeSpan(-value.ticks),
        "TimeSpan Duration()": lambda value: TimeSpan(abs(value.ticks)),
        "string ToString()": span_text,
        "string ToString(string format)": Checked(span_text, _check_span),
        "int CompareTo(TimeSpan value)": _compare,
        "bool Equals(TimeSpan obj)": lambda left, right: left == right,
    },
)


def _part(value: TimeSpan, unit: int, within: int) -> int:
    whole = abs(value.ticks) // unit
    part = whole % within if within else whole
    return -part if value.ticks < 0 else part


def _from_unix(seconds: int, unit: int) -> DateTimeOffset:
    ticks = UNIX_EPOCH_TICKS + int(seconds) * unit
    if not 0 <= ticks <= MAX_TICKS:
        raise out_of_range("seconds")
    return DateTimeOffset(ticks)


def _offset_of(value: DateTime, offset: TimeSpan | None = None) -> DateTimeOffset:
    if offset is not None and value.kind != 0 and offset.ticks:
        raise DotNetException(
            "ArgumentException",
            "The UTC Offset of the local dateTime parameter does not match the offset argument.",
        )
    ticks = 0 if offset is None else offset.ticks
    return DateTimeOffset(value.ticks - ticks, ticks)


def _new_offset(*parts: Any) -> DateTimeOffset:
    offset: TimeSpan = parts[-1]
    return _offset_of(_new(*parts[:-1]), offset)


def _at_offset(value: DateTimeOffset, offset: TimeSpan) -> DateTimeOffset:
    return DateTimeOffset(value.utc_ticks, offset.ticks)


define(
    "struct System.DateTimeOffset : IComparable",
    {
        "new(DateTime dateTime)": _offset_of,
        "new(DateTime dateTime, TimeSpan offset)": _offset_of,
        "new(long ticks, TimeSpan offset)": _new_offset,
        f"new({_DATE_PARTS}, {_TIME_PARTS}, TimeSpan offset)": _new_offset,
        f"new({_DATE_PARTS}, {_TIME_PARTS}, int millisecond, TimeSpan offset)": _new_offset,
        "implicit DateTimeOffset(DateTime)": _offset_of,
        "static DateTimeOffset Now": Contextual(lambda context: DateTimeOffset(from_posix(context.now()))),
        "static DateTimeOffset UtcNow": Contextual(lambda context: DateTimeOffset(from_posix(context.now()))),
        "static DateTimeOffset MinValue": DateTimeOffset(0),
        "static DateTimeOffset MaxValue": DateTimeOffset(MAX_TICKS),
        "static DateTimeOffset UnixEpoch": DateTimeOffset(UNIX_EPOCH_TICKS),
        "static DateTimeOffset Parse(string input)": parse_offset,
        "static bool TryParse(string input, out DateTimeOffset result)": _try_offset,
        "static DateTimeOffset FromUnixTimeSeconds(long seconds)": lambda value: _from_unix(
            value, TICKS_PER_SECOND
        ),
        "static DateTimeOffset FromUnixTimeMilliseconds(long milliseconds)": lambda value: _from_unix(
            value, _MILLISECOND
        ),
        "long ToUnixTimeSeconds()": lambda value: Long(
            (value.utc_ticks - UNIX_EPOCH_TICKS) // TICKS_PER_SECOND
        ),
        "long ToUnixTimeMilliseconds()": lambda value: Long(
            (value.utc_ticks - UNIX_EPOCH_TICKS) // _MILLISECOND
        ),
        **{f"int {name}": lambda value, read=read: read(value.clock_time) for name, read in _CLOCK.items()},
        "DayOfWeek DayOfWeek": lambda value: _weekday(value.clock_time),
        "DateTime Date": lambda value: _date(value.clock_time),
        "DateTime DateTime": lambda value: value.clock_time,
        "DateTime UtcDateTime": lambda value: DateTime(value.utc_ticks, UTC_KIND),
        "DateTime LocalDateTime": lambda value: DateTime(value.utc_ticks, LOCAL),
        "TimeSpan Offset": lambda value: TimeSpan(value.offset),
        "TimeSpan TimeOfDay": lambda value: TimeSpan(value.clock_time.ticks % TICKS_PER_DAY),
        "long Ticks": lambda value: Long(value.clock_time.ticks),
        "long UtcTicks": lambda value: Long(value.utc_ticks),
        "DateTimeOffset Add(TimeSpan timeSpan)": lambda value, span: DateTimeOffset(
            value.utc_ticks + span.ticks, value.offset
        ),
        "DateTimeOffset AddTicks(long ticks)": lambda value, ticks: DateTimeOffset(
            value.utc_ticks + ticks, value.offset
        ),
        **{f"DateTimeOffset Add{name}(double value)": _added_offset(unit) for name, unit in _UNITS.items()},
        "DateTimeOffset AddMonths(int months)": _offset_months,
        "DateTimeOffset AddYears(int years)": lambda value, years: _offset_months(value, years * 12),
        "TimeSpan Subtract(DateTimeOffset value)": lambda left, right: TimeSpan(
            left.utc_ticks - right.utc_ticks
        ),
        "DateTimeOffset Subtract(TimeSpan value)": lambda value, span: DateTimeOffset(
            value.utc_ticks - span.ticks, value.offset
        ),
        "DateTimeOffset ToUniversalTime()": lambda value: DateTimeOffset(value.utc_ticks),
        "DateTimeOffset ToLocalTime()": lambda value: DateTimeOffset(value.utc_ticks),
        "DateTimeOffset ToOffset(TimeSpan offset)": _at_offset,
        "string ToString()": offset_text,
        "string ToString(string format)": Checked(offset_text, _check_date),
        "int CompareTo(DateTimeOffset other)": _compare,
        "static int Compare(DateTimeOffset first, DateTimeOffset second)": _compare,
        "bool Equals(DateTimeOffset other)": lambda left, right: left == right,
    },
)
