"""The numeric types: parsing, limits, ToString, comparison."""

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Any, Final

from apim.csharp.dotnet.conversions import numeric
from apim.csharp.dotnet.operators import arithmetic
from apim.csharp.dotnet.signature import Checked, define
from apim.csharp.dotnet.text.numbers import format_number, number_text
from apim.csharp.dotnet.text.parsing import parse_decimal, parse_double, parse_integer
from apim.csharp.dotnet.types import INTEGERS
from apim.csharp.dotnet.values import INTEGER_CLASSES, equals
from apim.csharp.errors import DotNetException, UnsupportedError
from apim.csharp.language.keywords import KEYWORDS


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
