"""Formatting of numbers: ToString with standard and custom formats, in the invariant culture.

As in .NET, this has two steps: a number is converted to decimal digits with a decimal exponent, which are
then formatted. Halves of decimals and integers are rounded away from zero. Doubles are rounded from their
exact value, halves to even; custom formats use 15 digits of them.

https://learn.microsoft.com/dotnet/standard/base-types/standard-numeric-format-strings
https://github.com/dotnet/runtime/blob/v8.0.0/src/libraries/System.Private.CoreLib/src/System/Number.Formatting.cs
"""

import math
import re
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from apim.csharp.errors import DotNetException, UnsupportedError

_STANDARD = re.compile(r"([A-Za-z])([0-9]{0,9})")
_MAX_PLACES: Final = 1100
_ROUND_TRIP_DIGITS: Final = 17
_CUSTOM_DIGITS: Final = 15
_EXACT: Final = Context(prec=_MAX_PLACES + 400, rounding=ROUND_HALF_EVEN, Emax=MAX_EMAX, Emin=MIN_EMIN)
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
_PRECISIONS: Final = {"C": 2, "F": 2, "N": 2, "P": 2, "E": 6}
Number = int | float | Decimal


@dataclass(frozen=True, slots=True)
class _Digits:
    """The number 0.DIGITS times ten to the power of `scale`, without trailing zeros. A double may be -0."""

    negative: bool
    digits: str
    scale: int
    is_double: bool

    def rounded(self, count: int) -> "_Digits":
        """Rounded to a number of digits, halves away from zero."""
        if count >= len(self.digits):
            return self
        if count < 0 or (count == 0 and self.digits[0] < "5"):
            return self._zero()
        kept = self.digits[:count]
        if self.digits[count] < "5":
            kept = kept.rstrip("0")
            return replace(self, digits=kept) if kept else self._zero()
        kept = kept.rstrip("9")
        if not kept:
            return replace(self, digits="1", scale=self.scale + 1)
        return replace(self, digits=kept[:-1] + str(int(kept[-1]) + 1))

    def _zero(self) -> "_Digits":
        return _Digits(self.negative and self.is_double, "", 0, self.is_double)


def _digits_of(value: Number, *, significant: int | None = None, places: int | None = None) -> _Digits:
    """All digits of a number; for a double the shortest that round-trip, or rounded to a number of digits."""
    if not isinstance(value, float):
        sign, numbers, exponent = Decimal(value).as_tuple()
    else:
        exact = Decimal(value)
        if significant is not None:
            exact = Context(prec=significant, rounding=ROUND_HALF_EVEN).create_decimal(exact)
        elif places is not None:
            exact = exact.quantize(Decimal(1).scaleb(-places), context=_EXACT)
        else:
            exact = Decimal(repr(value))
        sign, numbers, exponent = exact.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 -- a finite number
    text = "".join(map(str, numbers))
    stripped = text.lstrip("0")
    is_double = isinstance(value, float)
    if not stripped:
        return _Digits(bool(sign) and is_double, "", 0, is_double)
    return _Digits(bool(sign), stripped.rstrip("0"), len(stripped) + exponent, is_double)


def number_text(value: Number) -> str:
    """ToString() of a number."""
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, Decimal):
        return format(value, "f") if value else format(abs(value), "f")
    return int.__repr__(value)


def double_text(value: float, exponent: str = "E") -> str:
    """ToString() of a double: the shortest string that round-trips, as in .NET Core 3 and later."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    found = _digits_of(value)
    return ("-" if found.negative else "") + _general(found, _ROUND_TRIP_DIGITS, exponent)


def format_number(value: Number, type_name: str, pattern: str) -> str:
    """ToString(pattern).

    Raises:
        DotNetException: FormatException, for a pattern that is invalid for the type.
        UnsupportedError: for a pattern whose result would be too long.
    """
    if not pattern:
        return number_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return number_text(value)
    standard = _STANDARD.fullmatch(pattern)
    if standard is None:
        return _custom(_digits_of(value, significant=_CUSTOM_DIGITS), pattern)
    letter, precision = standard[1], int(standard[2]) if standard[2] else -1
    if precision > _MAX_PLACES:
        raise UnsupportedError(f"the number format {pattern}")
    if letter.upper() in _PRECISIONS:
        return _decimals(value, letter, precision)
    if letter.upper() in {"G", "R"}:
        return _shortest(value, letter, precision)
    return _integral(value, type_name, letter, precision)


def _integral(value: Number, type_name: str, letter: str, precision: int) -> str:
    """The formats D, X and B, which only integers support."""
    if letter.upper() not in {"D", "X", "B"} or isinstance(value, (float, Decimal)):
        raise DotNetException("FormatException", "Format specifier was invalid.")
    number = int(value)
    if letter.upper() == "D":
        return ("-" if number < 0 else "") + str(abs(number)).rjust(precision, "0")
    bits = number & ((1 << _BITS.get(type_name, 32)) - 1)
    return format(bits, letter if letter in "xX" else "b").rjust(precision, "0")


def _shortest(value: Number, letter: str, precision: int) -> str:
    """The formats G and R."""
    exponent = "E" if letter.isupper() else "e"
    if precision <= 0 or letter in "rR":
        if isinstance(value, float):
            return double_text(value, exponent)
        # `G0` of a decimal drops trailing zeros, `G` does not.
        if precision < 0 or isinstance(value, int):
            return number_text(value)
        precision = max(len(_digits_of(value).digits), 29)
    found = _digits_of(value, significant=precision).rounded(precision)
    return ("-" if found.negative else "") + _general(found, precision, exponent)


def _general(found: _Digits, most: int, exponent: str) -> str:
    """Positional notation, or a power of ten for very large and very small numbers."""
    if found.scale > most or found.scale < -3:  # noqa: PLR2004 -- 0.0001 has no exponent
        return _point(found.digits, 1) + _power(found.scale - 1, exponent, 2)
    return _point(found.digits, found.scale)


def _point(digits: str, place: int) -> str:
    """The digits with a decimal point after `place` of them."""
    if place <= 0:
        return f"0.{'0' * -place}{digits}" if digits else "0"
    whole, fraction = digits[:place].ljust(place, "0"), digits[place:]
    return f"{whole}.{fraction}" if fraction else whole


def _power(number: int, letter: str, least: int, *, plus: bool = True) -> str:
    sign = "-" if number < 0 else "+" if plus else ""
    return f"{letter}{sign}{str(abs(number)).rjust(least, '0')}"


def _decimals(value: Number, letter: str, precision: int) -> str:
    """The formats C, E, F, N and P, whose precision is the number of decimal places."""
    kind = letter.upper()
    places = _PRECISIONS[kind] if precision < 0 else precision
    if kind == "E":
        found = _digits_of(value, significant=places + 1).rounded(places + 1)
        minus = "-" if found.negative else ""
        digits = found.digits.ljust(places + 1, "0")
        fraction = f".{digits[1:]}" if places else ""
        return f"{minus}{digits[0]}{fraction}{_power(found.scale - 1 if found.digits else 0, letter, 3)}"
    shift = 2 if kind == "P" else 0
    found = _digits_of(value, places=places + shift)
    found = found.rounded(found.scale + places + shift)
    text = _fixed(found, found.scale + shift, places, grouped=kind != "F")
    if kind == "C":
        return f"(¤{text})" if found.negative else f"¤{text}"
    return ("-" if found.negative else "") + text + (" %" if kind == "P" else "")


def _fixed(found: _Digits, scale: int, places: int, *, grouped: bool) -> str:
    digits = found.digits
    whole = digits[: max(scale, 0)].ljust(max(scale, 0), "0") if digits else ""
    fraction = ("0" * -scale + digits if scale < 0 else digits[scale:]) if digits else ""
    text = format(int(whole or "0"), "," if grouped else "d")
    return f"{text}.{fraction.ljust(places, '0')}" if places else text


# Custom formats: https://learn.microsoft.com/dotnet/standard/base-types/custom-numeric-format-strings

_PIECE = re.compile(r"'[^']*'?|\"[^\"]*\"?|\\.?|[eE][+-]?0+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Section:
    """A section of a custom format. Positions such as `point` count its digit placeholders `0` and `#`."""

    pieces: tuple[str, ...]
    places: int
    point: int
    first_zero: int
    last_zero: int
    groups: bool
    shift: int
    scientific: bool


def _section(pieces: tuple[str, ...]) -> _Section:
    places, point, commas, comma_place, shift = 0, -1, 0, -1, 0
    first_zero, last_zero, groups, scientific = -1, 0, False, False
    for piece in pieces:
        if piece in {"#", "0"}:
            if piece == "0":
                first_zero = places if first_zero < 0 else first_zero
                last_zero = places + 1
            places += 1
        elif piece == "." and point < 0:
            point = places
        elif piece == "," and places and point < 0:
            groups = groups or (comma_place >= 0 and comma_place != places)
            commas = commas + 1 if comma_place == places else 1
            comma_place = places
        elif piece in {"%", "‰"}:
            shift += 2 if piece == "%" else 3
        elif piece[0] in "eE" and len(piece) > 1:
            scientific = True
    point = places if point < 0 else point
    # Each comma directly before the point divides by a thousand; other commas request group separators.
    if comma_place == point:
        shift -= commas * 3
    elif comma_place >= 0:
        groups = True
    return _Section(
        pieces=pieces,
        places=places,
        point=point,
        first_zero=max(point - first_zero, 0) if first_zero >= 0 else 0,
        last_zero=min(point - last_zero, 0),
        groups=groups,
        shift=shift,
        scientific=scientific,
    )


def _custom(found: _Digits, pattern: str) -> str:
    sections = _sections(pattern)
    index = 2 if not found.digits else 1 if found.negative else 0
    index = index if index < len(sections) and sections[index] else 0
    section = _section(sections[index])
    shown = _prepared(found, section)
    if found.digits and not shown.digits and len(sections) > 2 and sections[2]:  # noqa: PLR2004 -- the section for zero
        index, section = 2, _section(sections[2])
        shown = _prepared(shown, section)
    elif found.digits and not shown.digits and index:
        index, section = 0, _section(sections[0])
        shown = _prepared(shown, section)
    text = _written(shown, section)
    return f"-{text}" if shown.negative and index == 0 and (text or shown.scale) else text


def _sections(pattern: str) -> list[tuple[str, ...]]:
    found: list[list[str]] = [[]]
    for piece in _PIECE.findall(pattern):
        if piece == ";":
            found.append([])
        else:
            found[-1].append(piece)
    return [tuple(pieces) for pieces in found]


def _prepared(found: _Digits, section: _Section) -> _Digits:
    if not found.digits:
        return found
    shifted = replace(found, scale=found.scale + section.shift)
    return shifted.rounded(
        section.places if section.scientific else shifted.scale + section.places - section.point
    )


def _written(found: _Digits, section: _Section) -> str:  # noqa: C901 -- one case per kind of piece
    """The pieces of the format with the digits inserted."""
    place = section.point if section.scientific else max(found.scale, section.point)
    surplus = 0 if section.scientific else found.scale - section.point
    rest = iter(found.digits)
    left = len(found.digits)
    text = ""
    has_point = False
    scientific = section.scientific

    def digit(character: str) -> str:
        separated = section.groups and place > 1 and (place - 1) % 3 == 0
        return f"{character}," if separated else character

    for piece in section.pieces:
        if piece in {"#", "0", "."}:
            while surplus > 0:
                text += digit(next(rest, "0"))
                left -= left > 0
                place -= 1
                surplus -= 1
        if piece in {"#", "0"}:
            if surplus < 0:
                surplus += 1
                text += digit("0") if place <= section.first_zero else ""
            elif left:
                text += digit(next(rest))
                left -= 1
            elif place > section.last_zero:
                text += digit("0")
            place -= 1
        elif piece == ".":
            if (
                place == 0
                and not has_point
                and (section.last_zero < 0 or (section.point < section.places and left))
            ):
                text += "."
                has_point = True
        elif len(piece) > 1 and piece[0] in "eE":
            zeros = piece.count("0")
            power = found.scale - section.point if found.digits else 0
            text += _power(power, piece[0], min(zeros, 10), plus="+" in piece) if scientific else piece
            scientific = False
        elif piece != ",":
            text += _literal(piece)
    return text


def _literal(piece: str) -> str:
    if piece[0] == "\\":
        return piece[1:]
    return piece.strip(piece[0]) if piece[0] in "'\"" else piece
