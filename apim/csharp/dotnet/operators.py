"""The predefined operators on numbers, strings, booleans, enums, dates and times.

Source: the sections "Numeric promotions" and "Arithmetic operators" of the C# 7.3 specification.
"""

import math
import operator
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, Final

from apim.csharp.dotnet.date_times import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.types import (
    BOOLEAN,
    DATE_TIME,
    DATE_TIME_OFFSET,
    INTEGERS,
    NUMBERS,
    TIME_SPAN,
    ClrType,
    is_enum,
)
from apim.csharp.dotnet.values import INTEGER_CLASSES, EnumValue, integer
from apim.csharp.errors import DotNetException
from apim.csharp.language.decimals import WIDE, checked_decimal, decimal_overflow

Operation = Callable[[Any, Any], Any]
_COMPARISONS: Final[dict[str, Operation]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_BITWISE: Final[dict[str, Operation]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
SYMBOLS: Final[dict[Any, str]] = {
    operator.lt: "<",
    operator.gt: ">",
    operator.le: "<=",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
    operator.and_: "&",
    operator.or_: "|",
    operator.xor: "^",
    operator.is_: "is",
    operator.is_not: "is not",
}
"""The Python operators, by the functions that compute them."""
_DATES_AND_TIMES: Final = frozenset({DATE_TIME, DATE_TIME_OFFSET, TIME_SPAN})


def promoted(left: str, right: str) -> str | None:  # noqa: PLR0911 -- one case per type
    """The type to which both operands are converted; None if the operator is undefined."""
    both = {left, right}
    if not both <= NUMBERS:
        return None
    if "Decimal" in both:
        return None if "Double" in both else "Decimal"
    if "Double" in both:
        return "Double"
    if "UInt64" in both:
        return None if both & {"SByte", "Int16", "Int32", "Int64"} else "UInt64"
    if "Int64" in both:
        return "Int64"
    if "UInt32" in both:
        return "Int64" if both & {"SByte", "Int16", "Int32"} else "UInt32"
    return "Int32"


def promoted_unary(op: str, of: str) -> str | None:
    """The type to which the operand of a unary operator is converted; None if the operator is undefined."""
    if of not in NUMBERS or (op == "~" and of in {"Double", "Decimal"}):
        return None
    if of in {"SByte", "Byte", "Int16", "UInt16", "Char"}:
        return "Int32"
    if op == "-" and of == "UInt32":
        return "Int64"
    return None if op == "-" and of == "UInt64" else of


def arithmetic(op: str, of: str) -> Operation | None:
    """`+ - * / %` and `& | ^` on two operands of the same type; integers wrap around."""
    if of == "Double":
        return _DOUBLE.get(op)
    if of == "Decimal":
        return _decimal(op)
    if op in _BITWISE:
        # The result of two ints is an int that cannot overflow.
        return _BITWISE[op] if of == "Int32" else _wrapped(_BITWISE[op], of)
    if of == "Int32" and op in _INT32:
        return _INT32[op]
    exact = _INTEGER.get(op)
    if exact is None:
        return None
    return _wrapped(_checked_division(exact, of) if op in {"/", "%"} else exact, of)


def int32(value: int) -> int:
    """An int, wrapped around as unchecked arithmetic does."""
    if -0x80000000 <= value <= 0x7FFFFFFF:  # noqa: PLR2004 -- the bounds of an int
        return value
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def add(left: int, right: int) -> int:
    """`+` of two ints."""
    result = left + right
    return result if -0x80000000 <= result <= 0x7FFFFFFF else int32(result)  # noqa: PLR2004 -- as int32


def subtract(left: int, right: int) -> int:
    """`-` of two ints."""
    result = left - right
    return result if -0x80000000 <= result <= 0x7FFFFFFF else int32(result)  # noqa: PLR2004 -- as int32


def multiply(left: int, right: int) -> int:
    """`*` of two ints."""
    result = left * right
    return result if -0x80000000 <= result <= 0x7FFFFFFF else int32(result)  # noqa: PLR2004 -- as int32


def _int_remainder(left: int, right: int) -> int:
    if right > 0:
        return left % right if left >= 0 else -(-left % right)
    if right == -1 and left == -0x80000000:  # noqa: PLR2004 -- the smallest int
        raise DotNetException("OverflowException", "Arithmetic operation resulted in an overflow.")
    return _remainder(left, right)


_INT32: Final[dict[str, Operation]] = {"+": add, "-": subtract, "*": multiply, "%": _int_remainder}


def _wrapped(exact: Operation, of: str) -> Operation:
    if of == "Int32":

        def compute(left: int, right: int) -> int:
            return int32(exact(left, right))

        return compute
    return lambda left, right: integer(of, int(exact(left, right)))


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise DotNetException("DivideByZeroException", "Attempted to divide by zero.")
    result = abs(left) // abs(right)
    return result if (left < 0) == (right < 0) else -result


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise DotNetException("DivideByZeroException", "Attempted to divide by zero.")
    result = abs(left) % abs(right)
    return -result if left < 0 else result


def _checked_division(exact: Operation, of: str) -> Operation:
    """Division that throws for the smallest integer divided by -1, which does not wrap around."""
    smallest = INTEGERS[of][0]

    def divide(left: int, right: int) -> int:
        if right == -1 and left == smallest:
            raise DotNetException("OverflowException", "Arithmetic operation resulted in an overflow.")
        return exact(left, right)

    return divide


_INTEGER: Final[dict[str, Operation]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": _remainder,
}


def _double_quotient(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def _double_remainder(left: float, right: float) -> float:
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


_DOUBLE: Final[dict[str, Operation]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _double_quotient,
    "%": _double_remainder,
}


def _decimal(op: str) -> Operation | None:
    exact = {
        "+": WIDE.add,
        "-": WIDE.subtract,
        "*": WIDE.multiply,
        "/": WIDE.divide,
        "%": WIDE.remainder,
    }.get(op)
    if exact is None:
        return None

    def compute(left: Decimal, right: Decimal) -> Decimal:
        if op == "%" and abs(left) < abs(right):
            return left
        try:
            result = exact(left, right)
            fitted = checked_decimal(result)
            return fitted if op != "/" or fitted == result else _without_zeros(fitted)
        except (DivisionByZero, InvalidOperation):
            raise DotNetException("DivideByZeroException", "Attempted to divide by zero.") from None
        except Overflow:
            raise decimal_overflow() from None

    return compute


def _without_zeros(value: Decimal) -> Decimal:
    """A rounded quotient without trailing zeros in its decimals."""
    return Decimal(format(value, "f").rstrip("0").rstrip("."))


def comparison(op: str, of: str) -> Operation | None:
    """`< > <= >= == !=` on two numbers of the same type."""
    return _COMPARISONS.get(op) if of in NUMBERS else None


def shift(op: str, of: str) -> Operation:
    """`<<` and `>>` on an integer and an int."""
    mask = 63 if of in {"Int64", "UInt64"} else 31
    if op == "<<":
        return lambda left, right: integer(of, int(left) << (right & mask))
    return lambda left, right: integer(of, int(left) >> (right & mask))


def date_times(op: str, left: ClrType, right: ClrType) -> tuple[ClrType, Operation] | None:  # noqa: PLR0911 -- one case per kind
    """Operators on DateTime, DateTimeOffset and TimeSpan."""
    if left is right and left in _DATES_AND_TIMES and op in _COMPARISONS:
        return BOOLEAN, _COMPARISONS[op]
    if op not in {"+", "-"} or left not in _DATES_AND_TIMES:
        return None
    sign = 1 if op == "+" else -1
    if right is TIME_SPAN and left is TIME_SPAN:
        return TIME_SPAN, lambda a, b: TimeSpan(a.ticks + sign * b.ticks)
    if right is TIME_SPAN and left is DATE_TIME:
        return DATE_TIME, lambda a, b: DateTime(a.ticks + sign * b.ticks, a.kind)
    if right is TIME_SPAN and left is DATE_TIME_OFFSET:
        return DATE_TIME_OFFSET, lambda a, b: DateTimeOffset(a.utc_ticks + sign * b.ticks, a.offset)
    if op == "-" and right is left is DATE_TIME:
        return TIME_SPAN, lambda a, b: TimeSpan(a.ticks - b.ticks)
    if op == "-" and right is left is DATE_TIME_OFFSET:
        return TIME_SPAN, lambda a, b: TimeSpan(a.utc_ticks - b.utc_ticks)
    return None


def enums(op: str, of: ClrType) -> tuple[ClrType, Operation] | None:
    """Operators on two values of one enum."""
    if not is_enum(of):
        return None
    if op in _COMPARISONS:
        compare = _COMPARISONS[op]
        return BOOLEAN, lambda a, b: compare(a.number, b.number)
    if op in _BITWISE:
        combine = _BITWISE[op]
        return of, lambda a, b: EnumValue(of, combine(a.number, b.number))
    return None


def unary(op: str, of: str) -> Callable[[Any], Any] | None:
    """`- + ~` on a promoted number."""
    if op == "+":
        return lambda value: value
    if op == "-":
        if of in INTEGER_CLASSES:
            return lambda value: integer(of, -int(value))
        if of == "Decimal":
            return lambda value: value.copy_negate() if value else value
        return operator.neg
    return (lambda value: integer(of, ~int(value))) if of in INTEGER_CLASSES else None
