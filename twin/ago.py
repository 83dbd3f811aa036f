"""Parses ages.

The data of stand-ins has ages instead of times, so that it is recent at every start of the twin.
"""

import re

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_AGO = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds(ago: str) -> int:
    """The number of seconds in an age such as `2d3h`, `45m` or `10s`; a leading minus sign means the future.

    Raises:
        ValueError: the string has another format.
    """
    text = ago.removeprefix("-")
    match = _AGO.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{ago!r} is not a duration; examples are 2d3h, 45m and -7d")
    total = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
    return -total if ago.startswith("-") else total
