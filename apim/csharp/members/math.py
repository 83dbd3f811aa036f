"""Math and Random."""

import math
import random
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any, Final

from apim.csharp.dotnet.signature import define
from apim.csharp.dotnet.types import INTEGERS, clr
from apim.csharp.dotnet.values import INTEGER_CLASSES, Long
from apim.csharp.errors import DotNetException, out_of_range
from apim.csharp.language.keywords import PREDEFINED

_KINDS: Final = ("sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong", "double", "decimal")
_SIGNED: Final = ("sbyte", "short", "int", "long", "double", "decimal")
_EXACT: Final = 1e16
_MAX_DIGITS: Final = 15


def _typed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    make = INTEGER_CLASSES.get(PREDEFINED[name])
    return function if make is None else lambda *values: make(function(*values))


def _absolute(name: str) -> Callable[[Any], Any]:
    def absolute(value: Any) -> Any:
        bounds = INTEGERS.get(PREDEFINED[name])
        if bounds and value == bounds[0]:
            raise DotNetException(
                "OverflowException", "Negating the minimum value of a twos complement number is invalid."
            )
        return abs(value)

    return _typed(name, absolute)


def _sign(value: Any) -> int:
    if isinstance(value, float) and math.isnan(value):
        raise DotNetException(
            "ArithmeticException", "Function does not accept floating point Not-a-Number values."
        )
    return (value > 0) - (value < 0)


def _least(left: Any, right: Any) -> Any:
    if isinstance(left, float) and (math.isnan(left) or math.isnan(right)):
        return math.nan
    return min(left, right)


def _greatest(left: Any, right: Any) -> Any:
    if isinstance(left, float) and (math.isnan(left) or math.isnan(right)):
        return math.nan
    return max(left, right)


def _nearest(value: float, away: bool) -> float:
    if not math.isfinite(value) or abs(value) >= 2**52:
        return value
    if not away:
        return math.copysign(float(round(value)), value)
    whole = math.floor(abs(value))
    return math.copysign(float(whole + (abs(value) - whole >= 0.5)), value)  # noqa: PLR2004 -- one half


def _round(value: float, digits: int = 0, mode: Any = None) -> float:
    if not 0 <= digits <= _MAX_DIGITS:
        raise out_of_range("digits")
    away = mode is not None and mode.number == 1
    if digits == 0 or abs(value) >= _EXACT:
        return _nearest(value, away) if digits == 0 else value
    power = 10.0**digits
    return _nearest(value * power, away) / power


def _round_decimal(value: Decimal, digits: int = 0, mode: Any = None) -> Decimal:
    if not 0 <= digits <= 28:  # noqa: PLR2004 -- the largest scale of a decimal
        raise out_of_range("decimals")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= digits:
        return value
    rounding = ROUND_HALF_UP if mode is not None and mode.number == 1 else ROUND_HALF_EVEN
    return value.quantize(Decimal(1).scaleb(-digits), rounding=rounding)


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: math.copysign(float(function(value)), value) if math.isfinite(value) else value


def _to_whole(rounding: str) -> Callable[[Decimal], Decimal]:
    return lambda value: value.to_integral_value(rounding)


def _guarded(function: Callable[..., float]) -> Callable[..., float]:
    def compute(*values: float) -> float:
        try:
            return function(*values)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return compute


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except ValueError:
        return math.nan if base else math.inf
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 else math.inf


def _logarithm(value: float) -> float:
    return -math.inf if value == 0 else _guarded(math.log)(value)


def _logarithm_10(value: float) -> float:
    return -math.inf if value == 0 else _guarded(math.log10)(value)


def _clamp(value: Any, low: Any, high: Any) -> Any:
    if low > high:
        raise DotNetException("ArgumentException", f"'{low}' cannot be greater than {high}.")
    return max(low, min(high, value))


def _div_rem(left: int, right: int) -> tuple[int, int]:
    if right == 0:
        raise DotNetException("DivideByZeroException", "Attempted to divide by zero.")
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient, left - quotient * right


_FUNCTIONS: Final = (
    ("Sin", "a", math.sin),
    ("Cos", "d", math.cos),
    ("Tan", "a", math.tan),
    ("Asin", "d", math.asin),
    ("Acos", "d", math.acos),
    ("Atan", "d", math.atan),
)


def _logarithm_of_base(value: float, base: float) -> float:
    if math.isnan(value) or math.isnan(base) or base == 1:
        return math.nan
    if value != 1 and (base == 0 or math.isinf(base)):
        return math.nan
    divisor = _logarithm(base)
    return _logarithm(value) / divisor if divisor else math.nan


define(
    "struct System.Decimal",
    {
        "static decimal Round(decimal d, MidpointRounding mode)": lambda value, mode: _round_decimal(
            value, 0, mode
        ),
        "static decimal Round(decimal d)": _round_decimal,
        "static decimal Round(decimal d, int decimals)": _round_decimal,
        "static decimal Round(decimal d, int decimals, MidpointRounding mode)": _round_decimal,
    },
)
define(
    "static System.Math",
    {
        **{f"static {kind} Abs({kind} value)": _absolute(kind) for kind in _SIGNED},
        **{f"static int Sign({kind} value)": _sign for kind in _SIGNED},
        **{f"static {kind} Min({kind} val1, {kind} val2)": _typed(kind, _least) for kind in _KINDS},
        **{f"static {kind} Max({kind} val1, {kind} val2)": _typed(kind, _greatest) for kind in _KINDS},
        **{
            f"static {kind} Clamp({kind} value, {kind} min, {kind} max)": _typed(kind, _clamp)
            for kind in _KINDS
        },
        "static double Round(double a)": _round,
        "static double Round(double value, int digits)": _round,
        "static double Round(double value, MidpointRounding mode)": lambda value, mode: _round(
            value, 0, mode
        ),
        "static double Round(double value, int digits, MidpointRounding mode)": _round,
        "static decimal Round(decimal d)": _round_decimal,
        "static decimal Round(decimal d, int decimals)": _round_decimal,
        "static decimal Round(decimal d, MidpointRounding mode)": lambda value, mode: _round_decimal(
            value, 0, mode
        ),
        "static decimal Round(decimal d, int decimals, MidpointRounding mode)": _round_decimal,
        "static double Floor(double d)": _whole(math.floor),
        "static decimal Floor(decimal d)": _to_whole(ROUND_FLOOR),
        "static double Ceiling(double a)": _whole(math.ceil),
        "static decimal Ceiling(decimal d)": _to_whole(ROUND_CEILING),
        "static double Truncate(double d)": _whole(math.trunc),
        "static decimal Truncate(decimal d)": _to_whole(ROUND_DOWN),
        "static double Sqrt(double d)": _guarded(math.sqrt),
        "static double Pow(double x, double y)": _power,
        "static double Log(double d)": _logarithm,
        "static double Log10(double d)": _logarithm_10,
        "static double Exp(double d)": _guarded(math.exp),
        "static int DivRem(int a, int b, out int result)": _div_rem,
        "static long DivRem(long a, long b, out long result)": lambda a, b: tuple(map(Long, _div_rem(a, b))),
        "static long BigMul(int a, int b)": lambda a, b: a * b,
        **{
            f"static double {name}(double {letter})": _guarded(function)
            for name, letter, function in _FUNCTIONS
        },
        "static double Atan2(double y, double x)": math.atan2,
        "static double Log(double a, double newBase)": _logarithm_of_base,
        "static double PI": math.pi,
        "static double E": math.e,
    },
)


class Random:
    """Random without a seed, whose numbers differ in each run, as in .NET."""

    __slots__ = ()
    clr_type = clr("Random")


_SOURCE = random.SystemRandom()


def _next(_random: Random, low: int = 0, high: int = 2**31 - 1) -> int:
    if low > high:
        raise out_of_range("minValue")
    return low if low == high else _SOURCE.randrange(low, high)


def _next_bytes(_random: Random, buffer: Any) -> None:
    buffer.items[:] = _SOURCE.randbytes(len(buffer.items))


define(
    "class System.Random",
    {
        "new()": Random,
        "int Next()": _next,
        "int Next(int maxValue)": lambda source, high: _next(source, 0, high),
        "int Next(int minValue, int maxValue)": _next,
        "double NextDouble()": lambda _random: _SOURCE.random(),
        "void NextBytes(byte[] buffer)": _next_bytes,
    },
)
