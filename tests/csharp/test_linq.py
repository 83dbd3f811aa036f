"""Operators of System.Linq.Enumerable on null and on arrays of constants."""

import pytest

from apim.csharp import DotNetException, compile_expression
from tests.csharp.evaluation import context, evaluate


@pytest.mark.parametrize("operator", ["Union", "Except", "Intersect", "Concat"])
def test_a_second_source_that_is_null_is_named_in_the_exception(operator: str) -> None:
    with pytest.raises(DotNetException, match=r"\(Parameter 'second'\)") as caught:
        evaluate(f'@{{ string[] none = null; return new[] {{ "a" }}.{operator}(none).Count(); }}')
    assert caught.value.type_name == "ArgumentNullException"


@pytest.mark.parametrize(
    "array",
    [
        'var array = (string[])new[] { "a" }.AsEnumerable();',
        'var array = new[] { "a" }.Where(text => text != "").ToArray();',
        'var array = new[] { "a" };',
        "var array = \"a\".Split(' ');",
    ],
)
def test_an_expression_that_changes_an_array_has_the_same_value_each_time(array: str) -> None:
    expression = compile_expression(
        f'@{{ {array} var before = array[0]; array[0] = "b"; return before; }}', name="test"
    )
    assert [expression.evaluate(context()) for _ in range(2)] == ["a", "a"]
