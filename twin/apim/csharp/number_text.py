"""Numbers as text: ToString with standard and custom formats, in the invariant culture.

https://learn.microsoft.com/dotnet/standard/base-types/standard-numeric-format-strings
"""

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

from twin.apim.csharp.errors import DotNetException, UnsupportedError

_STANDARD = re.compile(r"([A-Za-z])(\d{0,3})$")
_SHORTEST_DIGITS: Final = 15
_WIDE: Final = Context(prec=1100)
_BITS: Final = {
    "SByte": 8,
    "Byte": 8,
    "Int16": 16,
    "UInt16": 16,
    "Int32": 32,
    "UInt32": 32,
    "Int64": 64,
    "UInt64": 64,
}
Number = int | float | Decimal


def number_text(value: Number) -> str:
    """ToString() of a number."""
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, Decimal):
        return format(value, "f") if value else format(abs(value), "f")
    return int.__repr__(value)


def double_text(value: float) -> str:
    """ToString() of a double: the shortest text that reads back, as .NET Core 3 and later write it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 -- a finite number
    text = "".join(map(str, digits))
    minus = "-" if sign else ""
    if value == 0:
        return minus + "0"
    point = len(text) + exponent
    if point > max(len(text), _SHORTEST_DIGITS) or point < -3:  # noqa: PLR2004 -- 0.0001 is still written out
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        power = point - 1
        return f"{minus}{text[0]}{fraction}E{'+' if power >= 0 else '-'}{abs(power):02d}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    whole = text[:point].ljust(point, "0")
    return f"{minus}{whole}.{text[point:]}" if len(text) > point else minus + whole


def format_number(value: Number, type_name: str, pattern: str) -> str:  # noqa: C901, PLR0911 -- one case a kind
    """ToString(pattern).

    Raises:
        DotNetException: FormatException, for a pattern that does not fit the type.
        UnsupportedError: for a pattern whose result the twin does not know.
    """
    if not pattern:
        return number_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return number_text(value)
    standard = _STANDARD.match(pattern)
    if standard is None:
        return _custom(value, pattern)
    letter, precision = standard[1], int(standard[2]) if standard[2] else -1
    match letter.upper():
        case "R" if not isinstance(value, float):
            raise UnsupportedError("the number format R of a type other than double")
        case "G" | "R" if precision <= 0:
            return number_text(value)
        case "D":
            digits = _whole(value, letter)
            return ("-" if digits < 0 else "") + str(abs(digits)).rjust(precision, "0")
        case "X":
            bits = _BITS.get(type_name, 32)
            text = format(_whole(value, letter) & ((1 << bits) - 1), "x" if letter == "x" else "X")
            return text.rjust(precision, "0")
        case "F":
            return fixed(value, 2 if precision < 0 else precision)
        case "N":
            return _grouped(fixed(value, 2 if precision < 0 else precision))
        case "P":
            with localcontext(_WIDE):
                return _grouped(fixed(_exact(value) * 100, 2 if precision < 0 else precision)) + " %"
        case "E" | "C" | "G" | "B":
            raise UnsupportedError(f"the number format {pattern}")
    raise DotNetException("FormatException", "Format specifier was invalid.")


def _whole(value: Number, letter: str) -> int:
    if isinstance(value, (float, Decimal)):
        raise DotNetException("FormatException", f"Format specifier {letter} was invalid.")
    return int(value)


def _exact(value: Number) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


def fixed(value: Number, places: int) -> str:
    """With so many decimals. .NET's versions differ for a double that lies exactly in the middle."""
    with localcontext(_WIDE):
        exact = _exact(value)
        rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        if isinstance(value, float) and abs(exact - rounded) * 2 == Decimal(1).scaleb(-places):
            raise UnsupportedError("rounding a double that lies exactly between two results; use decimal")
        return format(rounded or abs(rounded), "f")


def _grouped(text: str) -> str:
    minus, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, fraction = text.partition(".")
    return f"{minus}{int(whole):,}" + (f".{fraction}" if fraction else "")


def _custom(value: Number, pattern: str) -> str:
    """A custom format: digits, one point, groups, percent, and literal texts."""
    pieces = re.findall(r"'[^']*'|\"[^\"]*\"|\\.|.", pattern)
    if any(piece in {";", "e", "E", "‰"} for piece in pieces):
        raise UnsupportedError(f"the number format {pattern}")
    places = [index for index, piece in enumerate(pieces) if piece in {"0", "#"}]
    points = [index for index, piece in enumerate(pieces) if piece == "."]
    if not places or len(points) > 1:
        raise UnsupportedError(f"the number format {pattern}")
    first, last = places[0], places[-1]
    point = points[0] if points else last + 1
    if (
        any(piece not in {"0", "#", ",", "."} for piece in pieces[first : last + 1])
        or not first <= point <= last + 1
    ):
        raise UnsupportedError(f"the number format {pattern}")
    whole_places = [piece for piece in pieces[first:point] if piece in {"0", "#"}]
    decimals = [piece for piece in pieces[point + 1 : last + 1] if piece in {"0", "#"}]
    if "," in pieces[point - 1 : point] or "," in pieces[point : last + 2]:
        raise UnsupportedError(f"the number format {pattern}")
    with localcontext(_WIDE):
        exact = Decimal(repr(value)) if isinstance(value, float) else _exact(value)
        if isinstance(value, float) and len(exact.as_tuple().digits) > _SHORTEST_DIGITS:
            raise UnsupportedError("a custom format of a double with more than 15 digits")
        if "%" in pieces:
            exact *= 100
        rounded = exact.quantize(Decimal(1).scaleb(-len(decimals)), rounding=ROUND_HALF_UP)
    text = _place(format(abs(rounded), "f"), whole_places, decimals, grouped="," in pieces[first:point])
    minus = "-" if rounded < 0 else ""
    return minus + _literals(pieces[:first]) + text + _literals(pieces[last + 1 :])


def _place(text: str, whole_places: list[str], decimals: list[str], *, grouped: bool) -> str:
    whole, _, fraction = text.partition(".")
    least = len(whole_places) - whole_places.index("0") if "0" in whole_places else 0
    whole = whole.lstrip("0").rjust(least, "0")
    if grouped and len(whole) > 3:  # noqa: PLR2004 -- groups of three
        whole = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole)
    keep = len(decimals) - decimals[::-1].index("0") if "0" in decimals else 0
    fraction = fraction[:keep] + fraction[keep:].rstrip("0")
    return whole + (f".{fraction}" if fraction else "")


def _literals(pieces: list[str]) -> str:
    text = ""
    for piece in pieces:
        if len(piece) > 1:
            text += piece[1:] if piece[0] == "\\" else piece[1:-1]
        elif piece != ".":
            text += piece
    return text
