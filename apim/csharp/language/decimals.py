"""The range and precision of C#'s decimal."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from apim.csharp.errors import DotNetException

WIDE: Final = Context(prec=90)
"""Precise enough for every operation on two decimals before its result is rounded."""
_LARGEST_DECIMAL: Final = Decimal(2**96 - 1)


def decimal_overflow() -> DotNetException:
    """The exception for a result outside the range."""
    return DotNetException("OverflowException", "Value was either too large or too small for a Decimal.")


def checked_decimal(value: Decimal) -> Decimal:
    """Rounds a number to .NET's precision: 96 bits, at most 28 decimal places; halves are rounded to even.

    Raises:
        DotNetException: OverflowException.
    """
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise decimal_overflow()
    if exponent > 0:
        value, exponent = value.quantize(Decimal(1), context=WIDE), 0
    for scale in range(min(-exponent, 28), -1, -1):
        fitted = value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_EVEN, context=WIDE)
        if abs(fitted.scaleb(scale, context=WIDE)) <= _LARGEST_DECIMAL:
            return fitted
    raise decimal_overflow()
