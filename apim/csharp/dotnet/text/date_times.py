"""Formatting and parsing of dates and durations in the invariant culture.

https://learn.microsoft.com/dotnet/standard/base-types/custom-date-and-time-format-strings
"""

import re
from typing import Final

from apim.csharp.dotnet.date_times import (
    LOCAL,
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    UNSPECIFIED,
    UTC_KIND,
    DateTime,
    DateTimeOffset,
    TimeSpan,
    ticks_of,
)
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null

DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_STANDARD: Final = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_LONGEST_NUMBER: Final = 2
_SHORT_NAME: Final = 3
_MAX_FRACTION_DIGITS: Final = 7
_LAST_HOUR: Final = 23
_LAST_MINUTE: Final = 59
_PIECE = re.compile(
    r"'([^']*)'|\"([^\"]*)\"|\\(.)|%(?=[a-zA-Z])|(d+|f+|F+|g+|h+|H+|K|m+|M+|s+|t+|y+|z+)|(.)", re.DOTALL
)


def date_text(value: DateTime, pattern: str | None = None, offset: int | None = None) -> str:
    """ToString of a DateTime, or of the clock time of a DateTimeOffset with `offset` in ticks."""
    if not pattern:
        pattern = "G" if offset is None else "MM/dd/yyyy HH:mm:ss zzz"
    if len(pattern) == 1:
        if pattern not in _STANDARD or (offset is not None and pattern == "U"):
            if pattern == "U":
                raise UnsupportedError("the date format U")
            raise DotNetException("FormatException", "Input string was not in a correct format.")
        if offset is not None and pattern in "rRu":
            value = DateTime(value.ticks - offset)
        pattern = _STANDARD[pattern]
    return _custom(value, pattern, offset)


def offset_text(value: DateTimeOffset, pattern: str | None = None) -> str:
    """ToString of a DateTimeOffset."""
    return date_text(value.clock_time, pattern, value.offset)


def _custom(value: DateTime, pattern: str, offset: int | None) -> str:
    text = ""
    for match in _PIECE.finditer(pattern):
        quoted, double_quoted, escaped, field, other = match.groups()
        if field:
            text += _field(field, value, offset)
            if text.endswith(".") and field[0] == "F":
                text = text[:-1]
        else:
            if other in {"'", '"', "\\", "%"}:
                raise DotNetException("FormatException", "Input string was not in a correct format.")
            text += quoted or double_quoted or escaped or other or ""
    return text


def _field(field: str, value: DateTime, offset: int | None) -> str:  # noqa: C901, PLR0911, PLR0912 -- one case per field
    day, ticks, size = value.date, value.ticks % TICKS_PER_DAY, len(field)
    match field[0]:
        case "d":
            if size <= _LONGEST_NUMBER:
                return str(day.day).rjust(size, "0")
            name = DAYS[day.isoweekday() % 7]
            return name[:3] if size == _SHORT_NAME else name
        case "M":
            if size <= _LONGEST_NUMBER:
                return str(day.month).rjust(size, "0")
            return MONTHS[day.month - 1][:3] if size == _SHORT_NAME else MONTHS[day.month - 1]
        case "y":
            if size <= _LONGEST_NUMBER:
                return str(day.year % 100).rjust(size, "0")
            return str(day.year).rjust(size, "0")
        case "H" | "h":
            hour = ticks // TICKS_PER_HOUR
            hour = hour if field[0] == "H" else (hour + 11) % 12 + 1
            return str(hour).rjust(min(size, 2), "0")
        case "m":
            return str(ticks // TICKS_PER_MINUTE % 60).rjust(min(size, 2), "0")
        case "s":
            return str(ticks // TICKS_PER_SECOND % 60).rjust(min(size, 2), "0")
        case "f" | "F" if size <= _MAX_FRACTION_DIGITS:
            digits = f"{ticks % TICKS_PER_SECOND:07d}"[:size]
            return digits if field[0] == "f" else digits.rstrip("0")
        case "t":
            half = "AM" if ticks < TICKS_PER_DAY // 2 else "PM"
            return half[:1] if size == 1 else half
        case "z":
            return _zone(offset or 0, size)
        case "K":
            if offset is not None:
                return _zone(offset, 3)
            return {UTC_KIND: "Z", LOCAL: "+00:00"}.get(value.kind, "")
        case "g":
            return "A.D."
    raise DotNetException("FormatException", "Input string was not in a correct format.")


def _zone(offset: int, size: int) -> str:
    minutes = abs(offset) // TICKS_PER_MINUTE
    sign = "-" if offset < 0 else "+"
    if size <= _LONGEST_NUMBER:
        return sign + str(minutes // 60).rjust(size, "0")
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def span_text(value: TimeSpan, pattern: str | None = None) -> str:
    """ToString of a TimeSpan."""
    ticks = abs(value.ticks)
    days, rest = divmod(ticks, TICKS_PER_DAY)
    hours, rest = divmod(rest, TICKS_PER_HOUR)
    minutes, rest = divmod(rest, TICKS_PER_MINUTE)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    if pattern in {None, "", "c", "t", "T"}:
        minus = "-" if value.ticks < 0 else ""
        return f"{minus}{f'{days}.' if days else ''}{hours:02d}:{minutes:02d}:{seconds:02d}" + (
            f".{fraction:07d}" if fraction else ""
        )
    if pattern in {"g", "G"}:
        raise UnsupportedError(f"the duration format {pattern}")
    return _span_custom(pattern or "", {"d": days, "h": hours, "m": minutes, "s": seconds}, f"{fraction:07d}")


def _span_custom(pattern: str, parts: dict[str, int], fraction: str) -> str:
    text = ""
    for match in re.finditer(r"'([^']*)'|\\(.)|%(?=[dhmsfF])|(d+|h+|m+|s+|f+|F+)|(.)", pattern, re.DOTALL):
        quoted, escaped, field, other = match.groups()
        if field and field[0] in parts:
            text += str(parts[field[0]]).rjust(len(field), "0")
        elif field:
            digits = fraction[: len(field)]
            text += digits if field[0] == "f" else digits.rstrip("0")
        elif other:
            raise DotNetException("FormatException", "Input string was not in a correct format.")
        else:
            text += quoted or escaped or ""
    return text


_ISO = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?)?\s*"
    r"(Z|GMT|[+-]\d{2}:?\d{2})?$"
)
_AMERICAN = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?(?: ?(AM|PM))?)?"
    r"\s*(Z|[+-]\d{2}:\d{2})?$",
    re.IGNORECASE,
)
_RFC1123 = re.compile(
    r"(?:(\w{3}), )?(\d{1,2}) (\w{3}) (\d{4})(?: (\d{2}):(\d{2}):(\d{2}))?(?: (GMT|Z|[+-]\d{2}:\d{2}))?$"
)
_MAYBE_DATE = re.compile(
    r"\d|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun", re.IGNORECASE
)


def parse_moment(text: str | None) -> tuple[int, int | None]:
    """The clock time in ticks and the offset from UTC in ticks, or None if the string has no offset.

    ISO 8601, American and RFC 1123 forms are supported; other strings that .NET might parse are rejected.

    Raises:
        DotNetException: FormatException, ArgumentNullException.
        UnsupportedError: a string that .NET might parse as a date.
    """
    if text is None:
        raise argument_null("s")
    stripped = text.strip()
    ticks, zone = _read(stripped)
    if zone is None or zone == "":
        return ticks, None
    if zone in {"Z", "z", "GMT"}:
        return ticks, 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 14 or minutes > _LAST_MINUTE:  # noqa: PLR2004 -- the largest offset of a DateTimeOffset
        raise not_a_date(text)
    offset = (hours * 60 + minutes) * TICKS_PER_MINUTE
    return ticks, -offset if zone[0] == "-" else offset


def not_a_date(text: str) -> DotNetException:
    """The exception for a string that is not a date."""
    return DotNetException("FormatException", f"String '{text}' was not recognized as a valid DateTime.")


def _read(text: str) -> tuple[int, str | None]:  # noqa: C901 -- one case per kind
    try:
        if match := _ISO.match(text):
            year, month, day, hour, minute, second, fraction, zone = match.groups()
        elif match := _AMERICAN.match(text):
            month, day, year, hour, minute, second, fraction, half, zone = match.groups()
            if half:
                if not 1 <= int(hour) <= 12:  # noqa: PLR2004 -- the hours of a 12-hour clock
                    raise not_a_date(text)
                hour = str(int(hour) % 12 + (12 if half.upper() == "PM" else 0))
        elif match := _RFC1123.match(text):
            name, day, month_name, year, hour, minute, second, zone = match.groups()
            fraction = None
            names: list[str] = [full[:3].lower() for full in MONTHS]
            if month_name.lower() not in names:
                raise not_a_date(text)
            month = str(names.index(month_name.lower()) + 1)
        else:
            if text and _MAYBE_DATE.search(text):
                raise UnsupportedError(f"reading {text!r} as a date")
            raise not_a_date(text)
        if hour is not None and int(hour) == _LAST_HOUR + 1:
            raise UnsupportedError("reading a date with hour 24")
        ticks = ticks_of(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    except DotNetException as error:
        if error.type_name == "ArgumentOutOfRangeException":
            raise not_a_date(text) from None
        raise
    if (
        match.re is _RFC1123
        and name
        and DAYS[DateTime(ticks).date.isoweekday() % 7][:3].lower() != name.lower()
    ):
        raise not_a_date(text)
    return ticks + int((fraction or "").ljust(7, "0") or 0), zone


def parse_date(text: str | None) -> DateTime:
    """DateTime.Parse; a string with an offset is converted to local time, which is UTC here."""
    ticks, offset = parse_moment(text)
    return DateTime(ticks, UNSPECIFIED) if offset is None else DateTime(ticks - offset, LOCAL)


def parse_offset(text: str | None) -> DateTimeOffset:
    """DateTimeOffset.Parse; a string without an offset is local time, which is UTC here."""
    ticks, offset = parse_moment(text)
    return DateTimeOffset(ticks - (offset or 0), offset or 0)


_SPAN = re.compile(
    r"(-)?(?:([0-9]+)|(?:([0-9]+)\.)?([0-9]+):([0-9]+)(?::([0-9]+)(?::([0-9]+))?(?:\.([0-9]+))?)?)\Z"
)
_MAX_DAYS: Final = 10_675_199


def parse_span(text: str | None) -> TimeSpan:
    """TimeSpan.Parse: `[-][d.]hh:mm[:ss[.fffffff]]`, `d:hh:mm:ss[.fffffff]`, or days alone.

    If the first of three numbers is larger than 23, they are days, hours and minutes.

    Raises:
        DotNetException: FormatException; OverflowException, if a number is too large for its position.
    """
    if text is None:
        raise argument_null("input")
    match = _SPAN.match(text.strip())
    if match is None or (match[3] and match[7]) or (match[8] and match[6] is None):
        raise DotNetException("FormatException", f"String '{text}' was not recognized as a valid TimeSpan.")
    sign, alone, day, *clock, fraction = match.groups()
    numbers = [int(part) for part in ([alone] if alone else clock) if part is not None]
    if alone:
        numbers += [0, 0, 0]
    elif len(numbers) == 4:  # noqa: PLR2004 -- d:hh:mm:ss
        pass
    elif day is not None:
        numbers = [int(day), *numbers, *([0] if len(numbers) == 2 else [])]  # noqa: PLR2004 -- d.hh:mm
    elif len(numbers) == 3 and numbers[0] > _LAST_HOUR and fraction is None:  # noqa: PLR2004 -- d:hh:mm
        numbers = [*numbers, 0]
    else:
        numbers = [0, *numbers, *([0] if len(numbers) == 2 else [])]  # noqa: PLR2004 -- hh:mm
    days, hours, minutes, seconds = numbers
    if (
        days > _MAX_DAYS
        or hours > _LAST_HOUR
        or minutes > _LAST_MINUTE
        or seconds > _LAST_MINUTE
        or len(fraction or "") > _MAX_FRACTION_DIGITS
    ):
        raise DotNetException("OverflowException", "The TimeSpan string could not be parsed.")
    ticks = _span(days, hours, minutes, seconds) + int((fraction or "").ljust(7, "0"))
    if ticks - bool(sign) >= 2**63:
        raise DotNetException("OverflowException", "The TimeSpan string could not be parsed.")
    return TimeSpan(-ticks if sign else ticks)


def _span(days: int, hours: int, minutes: int, seconds: int) -> int:
    return ((days * 24 + hours) * 60 + minutes) * TICKS_PER_MINUTE + seconds * TICKS_PER_SECOND
