"""Integers wrap around, and division rounds towards zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apim.csharp import DotNetException, compile_expression
from tests.csharp.evaluation import context, evaluate

INTS = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([-(2**31), 2**31 - 1, 0, 1, -1]))
SUM, DIFFERENCE, PRODUCT = (
    compile_expression(f'@((int)context.Variables["a"] {operator} (int)context.Variables["b"])', name="test")
    for operator in "+-*"
)
QUOTIENT = compile_expression('@((int)context.Variables["a"] / (int)context.Variables["b"])', name="test")
REMAINDER = compile_expression('@((int)context.Variables["a"] % (int)context.Variables["b"])', name="test")
BYTE = compile_expression('@((int)(byte)(int)context.Variables["a"])', name="test")


def wrapped(value: int) -> int:
    """The value as a 32-bit integer, after an overflow."""
    return (value + 2**31) % 2**32 - 2**31


@given(INTS, INTS)
def test_sums_differences_and_products_wrap_around(a: int, b: int) -> None:
    policy_context = context(variables={"a": a, "b": b})
    assert SUM.evaluate(policy_context) == wrapped(a + b)
    assert DIFFERENCE.evaluate(policy_context) == wrapped(a - b)
    assert PRODUCT.evaluate(policy_context) == wrapped(a * b)


@given(INTS, INTS.filter(lambda b: b not in {0, -1}))
def test_quotient_times_divisor_plus_remainder_is_the_dividend(a: int, b: int) -> None:
    policy_context = context(variables={"a": a, "b": b})
    quotient, remainder = QUOTIENT.evaluate(policy_context), REMAINDER.evaluate(policy_context)
    assert isinstance(quotient, int)
    assert isinstance(remainder, int)
    assert quotient * b + remainder == a
    assert abs(remainder) < abs(b)
    assert remainder == 0 or (remainder < 0) == (a < 0)


@given(INTS)
def test_a_cast_to_byte_keeps_the_lowest_bits(a: int) -> None:
    assert BYTE.evaluate(context(variables={"a": a})) == a & 0xFF


@pytest.mark.parametrize(
    ("expression", "type_name"),
    [
        ('byte.Parse("256")', "an unsigned byte"),
        ('sbyte.Parse("128")', "a signed byte"),
        ('int.Parse("2147483648")', "an Int32"),
        ('uint.Parse("-1")', "a UInt32"),
        ("Convert.ToInt32((object)99999999999L)", "an Int32"),
        ('(uint)decimal.Parse("-1")', "a UInt32"),
    ],
)
def test_an_overflow_message_names_the_type_as_dotnet_does(expression: str, type_name: str) -> None:
    with pytest.raises(DotNetException, match=f"too large or too small for {type_name}\\.$"):
        evaluate(f"@({expression})")
