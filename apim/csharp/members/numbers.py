"""Int32 and the other numbers: parsing, limits, ToString, comparison."""

import math
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Any, Final

from apim.csharp.conversions import numeric
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null
from apim.csharp.number_text import format_number, number_text
from apim.csharp.operators import arithmetic, checked_decimal
from apim.csharp.signature import Checked, define
from apim.csharp.types import INTEGERS, KEYWORDS
from apim.csharp.values import INTEGER_CLASSES, equals

_SPACE: Final = " \t\n\v\f\r"
_INTEGER = re.compile(r"[+-]?\d+\0*", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\0*", re.ASCII)
_DECIMAL = re.compile(r"(?P<sign>[+-])?(?P<number>\d[\d,]*(?:\.\d*)?|\.\d+)(?P<after>[+-])?\0*", re.ASCII)
_SPECIAL: Final = {
    "nan": math.nan,
    "infinity": math.inf,
    "-infinity": -math.inf,
}


def bad_format(text: str) -> DotNetException:
    """What text that is no number throws."""
    return DotNetException("FormatException", f"The input string '{text}' was not in a correct format.")


def parse_integer(type_name: str, text: str | None) -> int:
    """int.Parse and its like."""
    if text is None:
        raise argument_null("s")
    stripped = text.strip(_SPACE)
    if not _INTEGER.fullmatch(stripped):
        raise bad_format(text)
    value = int(stripped.rstrip("\0"))
    low, high = INTEGERS[type_name]
    if not low <= value <= high:
        article = "an" if type_name[0] in "IU" else "a"
        kind = {"Byte": "unsigned byte", "SByte": "signed byte"}.get(type_name, type_name)
        article = "an" if kind[0] in "IUu" else article
        raise DotNetException(
            "OverflowException", f"Value was either too large or too small for {article} {kind}."
        )
    return INTEGER_CLASSES[type_name](value)


def parse_double(text: str | None) -> float:
    """double.Parse."""
    if text is None:
        raise argument_null("s")
    stripped = text.strip(_SPACE)
    if stripped.lower() in _SPECIAL:
        return _SPECIAL[stripped.lower()]
    if not _FLOAT.fullmatch(stripped):
        raise bad_format(text)
    return float(stripped.rstrip("\0").replace(",", ""))


def parse_decimal(text: str | None) -> Decimal:
    """decimal.Parse."""
    if text is None:
        raise argument_null("s")
    stripped = text.strip(_SPACE)
    match = _DECIMAL.fullmatch(stripped)
    if match is None or (match["sign"] and match["after"]):
        raise bad_format(text)
    value = checked_decimal(Decimal(match["number"].replace(",", "").rstrip(".")))
    return -value if value and "-" in {match["sign"], match["after"]} else value


def _try(parse: Callable[[str | None], Any], default: Any) -> Callable[[str | None], tuple[bool, Any]]:
    def attempt(text: str | None) -> tuple[bool, Any]:
        try:
            return True, parse(text)
        except UnsupportedError:
            raise
        except DotNetException:
            return False, default

    return attempt


def _compare(left: Any, right: Any) -> int:
    return -1 if left < right else 1 if left > right else 0


def _small_compare(left: int, right: int) -> int:
    return int(left) - int(right)


def _formatted(type_name: str) -> Checked:
    sample = Decimal(0) if type_name == "Decimal" else 0.0 if type_name == "Double" else 0

    def check(pattern: Any) -> None:
        if isinstance(pattern, str):
            format_number(sample, type_name, pattern)

    return Checked(lambda value, pattern: format_number(value, type_name, pattern or ""), check)


def _define(type_name: str, parse: Callable[[str | None], Any], limits: dict[str, Any]) -> None:
    word = KEYWORDS[type_name]
    compare = _small_compare if type_name in {"Byte", "SByte", "Int16", "UInt16"} else _compare
    default = parse("0")
    define(
        f"struct System.{type_name} : IComparable",
        {
            f"static {word} Parse(string s)": parse,
            f"static bool TryParse(string s, out {word} result)": _try(parse, default),
            "string ToString()": number_text,
            "string ToString(string format)": _formatted(type_name),
            f"bool Equals({word} obj)": equals,
            f"int CompareTo({word} value)": compare,
            **{f"static {word} {name}": value for name, value in limits.items()},
        },
    )


for _name, (_low, _high) in INTEGERS.items():
    if _name != "Char":
        _kind = INTEGER_CLASSES[_name]

        def _parse(text: str | None, name: str = _name) -> int:
            return parse_integer(name, text)

        _define(_name, _parse, {"MinValue": _kind(_low), "MaxValue": _kind(_high)})
_define(
    "Double",
    parse_double,
    {
        "MaxValue": 1.7976931348623157e308,
        "MinValue": -1.7976931348623157e308,
        "Epsilon": 5e-324,
        "NaN": math.nan,
        "PositiveInfinity": math.inf,
        "NegativeInfinity": -math.inf,
    },
)
define(
    "struct System.Double",
    {
        "static bool IsNaN(double d)": math.isnan,
        "static bool IsInfinity(double d)": math.isinf,
        "static bool IsPositiveInfinity(double d)": lambda value: value == math.inf,
        "static bool IsNegativeInfinity(double d)": lambda value: value == -math.inf,
    },
)
_define(
    "Decimal",
    parse_decimal,
    {
        "Zero": Decimal(0),
        "One": Decimal(1),
        "MinusOne": Decimal(-1),
        "MaxValue": Decimal(2**96 - 1),
        "MinValue": Decimal(1 - 2**96),
    },
)
_OPERATIONS: Final = {"Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "Remainder": "%"}
_ROUNDED: Final = {"Floor": ROUND_FLOOR, "Ceiling": ROUND_CEILING, "Truncate": ROUND_DOWN}
define(
    "struct System.Decimal",
    {
        **{
            f"static decimal {name}(decimal d)": lambda value, how=how: value.to_integral_value(how)
            for name, how in _ROUNDED.items()
        },
        "static decimal Negate(decimal d)": lambda value: -value,
        **{
            f"static decimal {name}(decimal d1, decimal d2)": arithmetic(op, "Decimal")
            for name, op in _OPERATIONS.items()
        },
        **{
            f"static {KEYWORDS[name]} To{name}(decimal d)": numeric("Decimal", name)
            for name in ("Int32", "Int64", "Double")
        },
        "static int Compare(decimal d1, decimal d2)": _compare,
    },
)
