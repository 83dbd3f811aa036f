"""Precedence of operators: values are compared with Python's arithmetic, and syntax trees are examined."""

import re

from hypothesis import given
from hypothesis import strategies as st

from apim.csharp.language.statement_parser import parse
from apim.csharp.language.syntax import Cast, Conditional, Paren
from tests.csharp.evaluation import evaluate

TERMS = st.tuples(st.sampled_from(["", "-", "~", "- -", "~-"]), st.integers(0, 99)).map(
    lambda pair: f"{pair[0]}{pair[1]}"
)


@st.composite
def formulas(draw: st.DrawFn, depth: int = 2) -> str:
    """Random arithmetic with numbers, operators and parentheses."""
    pieces = [draw(TERMS)]
    for _ in range(draw(st.integers(1, 5))):
        pieces.append(draw(st.sampled_from(["|", "^", "&", "+", "-", "*"])))
        bracket = depth > 0 and draw(st.integers(0, 3)) == 0
        pieces.append(f"({draw(formulas(depth=depth - 1))})" if bracket else draw(TERMS))
    return " ".join(pieces)


@given(formulas())
def test_operators_have_the_precedence_of_csharp(formula: str) -> None:
    # These operators have the same precedence in Python, and their results are equal modulo 2**32.
    expected = (eval(formula) + 2**31) % 2**32 - 2**31
    # The variable makes the operands non-constant, because an overflow of constants does not compile.
    with_variable = re.sub(r"\d+", lambda number: f"({number[0]} + zero)", formula)
    assert evaluate(f"@{{ int zero = 0; return {with_variable}; }}") == expected


def test_parentheses_are_a_cast_if_they_contain_a_type_and_an_operand_follows() -> None:
    assert isinstance(inner("(int)-1"), Cast)
    assert isinstance(inner("(x)y"), Cast)
    assert not isinstance(inner("(x)-1"), Cast)
    assert not isinstance(inner('(x)["k"]'), Cast)


def inner(text: str) -> object:
    """The syntax tree of an expression within its parentheses."""
    tree = parse(f"@({text})")
    assert isinstance(tree, Paren)
    return tree.inner


def test_a_null_conditional_operator_applies_only_to_the_operand_before_it() -> None:
    for text in ("!a?.b(c).d", "x == a?.b", "x + a?.b(c)", "-a?.b[0]"):
        assert "Conditional" in repr(inner(text))
        assert not isinstance(inner(text), Conditional)


def test_after_null_the_rest_of_the_chain_is_skipped_but_not_the_code_after_parentheses() -> None:
    assert evaluate("@{ string s = null; return s?.Trim().Length.ToString().Trim(); }") is None
    assert evaluate("@{ string s = null; int? n = (s?.Trim().Length); return n.HasValue; }") is False
