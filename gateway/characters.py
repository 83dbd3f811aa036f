"""Classes of Unicode characters as regular expressions of .NET, whose strings consist of UTF-16 code units.

The classes come from Python's Unicode database, so they do not depend on the version of .NET.
"""

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

_HIGH, _LOW = 0xD800, 0xDC00
_LAST_OF_BMP, _LAST_OF_PLANE_1 = 0xFFFF, 0x1FFFF

# Invisible characters whose category contains visible ones: Default_Ignorable_Code_Point of the Unicode
# Character Database, the empty Braille pattern and note head; the format characters of Unicode 15, which the
# database of the oldest supported Python does not have; reserved code points and noncharacters.
_INVISIBLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0, 0x1D159}
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0x13430, 0x13440))
    | set(range(0xFDD0, 0xFDF0))
    | set(range(0xFFF0, 0x10000))
)


def pattern(name: str) -> str:
    """The pattern of one character of a class: `invisible`, `marks` or `blank`."""
    return {"invisible": invisible, "marks": marks, "blank": blank}[name]()


@cache
def invisible() -> str:
    """Control, format and private characters, and others that are invisible or reorder text.

    Planes 14 and above contain no other characters.
    """
    codes = _of_categories("Cc", "Cf", "Co", "Zl", "Zp") | _INVISIBLE
    return f"(?:{_pattern(codes)}|[\\udb40-\\udbff][\\udc00-\\udfff])"


@cache
def marks() -> str:
    """Marks that are drawn over or under the character before them."""
    return _pattern(_of_categories("Mn", "Me"))


@cache
def blank() -> str:
    """White space and all combining marks: characters that are blank without another character."""
    return _pattern(_of_categories("Mn", "Me", "Mc", "Zs"))


@cache
def _by_category() -> Mapping[str, list[int]]:
    """The characters of planes 0 and 1 by their general category."""
    characters: defaultdict[str, list[int]] = defaultdict(list)
    for code, category in enumerate(map(unicodedata.category, map(chr, range(_LAST_OF_PLANE_1 + 1)))):
        characters[category].append(code)
    return characters


def _of_categories(*categories: str) -> set[int]:
    return {code for category in categories for code in _by_category()[category]}


def _pattern(codes: set[int]) -> str:
    """The pattern of one of these characters, which are all in planes 0 and 1."""
    ordered = sorted(codes)
    alternatives = [_class(code for code in ordered if code <= _LAST_OF_BMP and not _is_surrogate(code))]
    by_high: dict[int, list[int]] = {}
    for code in ordered:
        if code > _LAST_OF_BMP:
            high, low = divmod(code - 0x10000, 0x400)
            by_high.setdefault(_HIGH + high, []).append(_LOW + low)
    for low, group in itertools.groupby(by_high.items(), lambda item: item[1]):
        alternatives.append(_class([high for high, _ in group]) + _class(low))
    return f"(?:{'|'.join(alternatives)})"


def _is_surrogate(code: int) -> bool:
    return _HIGH <= code < _LOW + 0x400


def _class(codes: Iterable[int]) -> str:
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return f"[{''.join(_range(first, last) for first, last in ranges)}]"


def _range(first: int, last: int) -> str:
    return f"\\u{first:04x}" if first == last else f"\\u{first:04x}-\\u{last:04x}"
