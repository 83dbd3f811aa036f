"""JSON strings that Newtonsoft parses as dates: ISO 8601, and Microsoft's `/Date(...)/`.

https://github.com/JamesNK/Newtonsoft.Json/blob/13.0.3/Src/Newtonsoft.Json/Utilities/DateTimeUtils.cs
"""

import re
from typing import Final

from apim.csharp.dotnet.date_times import (
    LOCAL,
    MAX_TICKS,
    TICKS_PER_DAY,
    TICKS_PER_MINUTE,
    UNIX_EPOCH_TICKS,
    UNSPECIFIED,
    UTC_KIND,
    DateTime,
    ticks_of,
)
from apim.csharp.errors import DotNetException
from apim.csharp.json.tokens import JValue

_TICKS_PER_MILLISECOND: Final = 10_000
_LONG_LIMIT: Final = 2**63
_ISO_LENGTHS: Final = range(19, 41)
_MICROSOFT = re.compile(r"/Date\((-?[0-9]{1,19})(?:([+-])(.*))?\)/", re.DOTALL)
_OFFSET = re.compile(r"(?:[0-9]{2}|-[0-9])(?:[0-9]{2}|-[0-9]|\Z)")


def string_token(text: str, *, dates: bool) -> JValue:
    """The token for a string, which is a date if the string has the form of one.

    Raises:
        DotNetException: ArgumentOutOfRangeException, for `/Date(...)/` with a date outside .NET's range.
    """
    if dates and text[:1] == "/":
        found = _microsoft_date(text)
        if found is not None:
            return JValue(found, "Date")
    elif dates and len(text) in _ISO_LENGTHS and text[10] == "T" and text[0].isdigit():
        found = iso_date(text)
        if found is not None:
            return JValue(found, "Date")
    return JValue(text, "String")


def _microsoft_date(text: str) -> DateTime | None:
    """The date from milliseconds since 1970, or None. With an offset, its kind is local.

    Raises:
        DotNetException: ArgumentOutOfRangeException, for a date outside .NET's range.
    """
    match = _MICROSOFT.fullmatch(text)
    # Newtonsoft takes the first `+` as the beginning of the offset, even if it follows a `-`.
    if match is None or (match[2] == "-" and "+" in match[3]):
        return None
    milliseconds = int(match[1])
    if not -_LONG_LIMIT <= milliseconds < _LONG_LIMIT or (match[2] and not _OFFSET.match(match[3])):
        return None
    # A long wraps around, as in C#.
    unwrapped = UNIX_EPOCH_TICKS + milliseconds * _TICKS_PER_MILLISECOND
    ticks = (unwrapped + _LONG_LIMIT) % (2 * _LONG_LIMIT) - _LONG_LIMIT
    if not 0 <= ticks <= MAX_TICKS:
        raise _ticks_out_of_range()
    return DateTime(ticks, LOCAL if match[2] else UTC_KIND)


def _ticks_out_of_range() -> DotNetException:
    return DotNetException(
        "ArgumentOutOfRangeException",
        "Ticks must be between DateTime.MinValue.Ticks and DateTime.MaxValue.Ticks. (Parameter 'ticks')",
    )


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$"
)


def iso_date(text: str) -> DateTime | None:
    """The date in a JSON string, or None. A date with an offset is converted to local time, which is UTC.

    Raises:
        DotNetException: ArgumentOutOfRangeException, for hour 24 of the last day of .NET's range.
    """
    match = _ISO.match(text)
    if match is None or text.endswith("\n"):
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction = int((match[7] or "").ljust(7, "0"))
    ends_the_day = hour == 24 and not minute and not second and not fraction  # noqa: PLR2004 -- 24:00
    try:
        ticks = ticks_of(year, month, day, 0 if ends_the_day else hour, minute, second) + fraction
    except DotNetException:
        return None
    if ends_the_day:
        ticks += TICKS_PER_DAY
        if ticks > MAX_TICKS:
            raise _ticks_out_of_range()
    if match[8]:
        return DateTime(ticks, UTC_KIND)
    if match[9] is None:
        return DateTime(ticks, UNSPECIFIED)
    offset = (int(match[10]) * 60 + int(match[11] or 0)) * TICKS_PER_MINUTE
    ticks += -offset if match[9] == "+" else offset
    return DateTime(min(max(ticks, 0), MAX_TICKS), LOCAL)
