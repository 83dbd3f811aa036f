"""The scanner finds the end of an expression in a policy document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apim.csharp import CSharpError, find_end

PLAIN = st.text(alphabet="abc ()[]{}<>'/*\\,:;?@$", max_size=12)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def interpolated(text: str) -> str:
    return escaped(text).replace("{", "{{").replace("}", "}}")


literals = st.recursive(
    st.one_of(
        PLAIN.map(lambda text: f'"{escaped(text)}"'),
        PLAIN.map(lambda text: '@"' + text.replace('"', '""') + '"'),
        st.sampled_from(["'('", "'\\''", "'\"'", "1", "x", "(1)", "a[0]", "/* ) */ 1", "f(')')"]),
    ),
    lambda inner: st.one_of(
        st.tuples(PLAIN, inner).map(lambda pair: f'$"{interpolated(pair[0])}{{{pair[1]}}}"'),
        st.tuples(PLAIN, inner).map(
            lambda pair: '$@"' + pair[0].replace("{", "{{").replace("}", "}}") + f'{{{pair[1]}:F2}}"'
        ),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + {pair[1]})"),
        st.lists(inner, max_size=3).map(lambda items: f"f({', '.join(items)})"),
    ),
    max_leaves=6,
)


@given(literals, st.text(max_size=8))
def test_the_end_is_found_after_any_string_and_comment(literal: str, after: str) -> None:
    source = f"before @({literal})"
    assert find_end(source + after, 7) == len(source)


@given(literals)
def test_a_block_of_statements_ends_at_its_closing_brace(literal: str) -> None:
    source = f"@{{ // }} )\n return {literal}; /* }} */ }}"
    assert find_end(source + "}", 0) == len(source)


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("@(1 + (2)", 1, 2),
        ('a\n  @("x)', 2, 5),
        ("@(a[1)]", 1, 6),
        ("@{ /* never ends", 1, 4),
        ("@('ab", 1, 3),
        ('@($"{a")', 1, 7),
        ("x", 1, 1),
    ],
)
def test_an_unclosed_expression_is_reported_at_the_position_of_the_error(
    source: str, line: int, column: int
) -> None:
    with pytest.raises(CSharpError) as caught:
        find_end(source, max(source.find("@"), 0))
    assert (caught.value.line, caught.value.column) == (line, column)
