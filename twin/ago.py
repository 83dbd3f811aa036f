"""Ages in the data of stand-ins, counted back from the start of the twin, so that the data is recent."""

import re

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_AGO = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds(ago: str) -> int:
    """The seconds in `2d3h`, `45m` or `10s`; a leading minus means the future.

    Raises:
        ValueError: the string has another format.
    """
    text = ago.removeprefix("-")
    match = _AGO.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{ago!r} is not a duration; examples are 2d3h, 45m and -7d")
    total = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
    return -total if ago.startswith("-") else total
