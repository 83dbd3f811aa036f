"""Expressions are compiled to Python code that behaves like the C# and contains no text of it."""

import io
import json
import keyword
import re
import tokenize
from pathlib import Path

import pytest

from apim.csharp import CSharpError, DotNetException, Expression, compile_expression
from apim.csharp import expression as expressions
from apim.csharp.dotnet.signature import Attribute
from apim.csharp.dotnet.types import DEFINITIONS
from apim.csharp.golden import compare_file
from tests.csharp.evaluation import context, evaluate

FOLDER = Path(__file__).parent
FORMS = [
    case["form"]
    for name in ("golden.json", "mono.json")
    for case in json.loads((FOLDER / name).read_text(encoding="utf-8"))["cases"]
]
GENERATED_NAMES = re.compile(r"[vtkdf]\d+|cx|run|_|type|str|len|int|float|bool")
ATTRIBUTES = {"isascii", "variables", "get", "pairs", "items"} | {
    function.name
    for definition in DEFINITIONS.values()
    for members in definition.members.values()
    for _signature, function in members
    if isinstance(function, Attribute)
}


def test_statements_run_as_in_csharp() -> None:
    # The results were recorded with Mono.
    comparisons = compare_file(FOLDER / "statements.json")
    assert [comparison for comparison in comparisons if comparison.outcome != "equal"] == []
    for comparison in comparisons:
        uncounted = compile_expression(comparison.form, name="test", counted=False)
        assert str(uncounted.evaluate(context())) == comparison.expected["value"], comparison.form


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(string)null + " + "new StringBuilder()" + '.Append("a")' * 100 + ".ToString()", "a" * 100),
        ("new[]{1}.Select(x => new StringBuilder()" + ".Append(x)" * 100 + ".ToString()).First()", "1" * 100),
        ("0" + " + context.Variables.Count" * 300, 0),
        (" && ".join([f'int.TryParse("{n}", out var n{n})' for n in range(150)]), True),
        ("new[]{1}.Select(x => " + "Math.Max(-1000, " * 60 + "x += x" + ")" * 60 + " + x).First()", 4),
        ("Math.Abs(" * 80 + "context.Variables.Count - 1" + ")" * 80, 1),
        ("".join(f"context.Variables.Count > {n} ? {n} : " for n in range(90)) + "-1", -1),
        ('((string)context.Variables.GetValueOrDefault<string>("a"))' + "?.Trim()" * 60, None),
    ],
)
def test_deeply_nested_code_is_evaluated(text: str, value: object) -> None:
    assert evaluate(f"@({text})") == value


@pytest.mark.parametrize(
    ("before", "after"),
    [("while (true) {", "break; }"), ("try {", "} finally { }"), ("foreach (var #i in new[]{1}) {", "}")],
)
def test_statements_nested_too_deeply_for_python_do_not_compile(before: str, after: str) -> None:
    text = "".join(before.replace("#", f"n{n}") for n in range(25)) + after * 25
    with pytest.raises(CSharpError, match="nested too deeply"):
        compile_expression(f"@{{ {text} return 1; }}", name="test")


@pytest.mark.parametrize(
    "text",
    ["try { } finally { return 1; }", "while (true) { try { } finally { break; } }"],
)
def test_a_finally_block_cannot_be_left_early(text: str) -> None:
    with pytest.raises(CSharpError) as caught:
        compile_expression(f"@{{ {text} return 1; }}", name="test")
    assert caught.value.construct == "CS0157"


def test_an_unsupported_error_cannot_be_caught() -> None:
    text = (
        "@{ int i = 0; try { while (i >= 0) { i = 1; } } catch (Exception) { } finally { i = 5; } return i; }"
    )
    with pytest.raises(DotNetException, match="not supported by the twin: a loop of more than"):
        evaluate(text)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """The Python programs that are compiled from expressions during the test, and the names that they use."""
    compiled: list[tuple[str, dict[str, object]]] = []
    loaded = expressions.loaded

    def recording(program: str, table: dict[str, object]) -> object:
        compiled.append((program, table))
        return loaded(program, table)

    monkeypatch.setattr(expressions, "loaded", recording)
    return compiled


def test_the_python_program_is_compiled_at_the_first_evaluation(
    programs: list[tuple[str, dict[str, object]]],
) -> None:
    expression = compile_expression("@(1 + context.Variables.Count)", name="test")
    assert not programs
    assert [expression.evaluate(context()), expression.evaluate(context())] == [1, 1]
    assert len(programs) == 1


def compiled_or_none(text: str) -> Expression | None:
    """The compiled expression, or None if the evaluator refuses it."""
    try:
        return compile_expression(text, name="test")
    except CSharpError:
        return None


def test_the_generated_program_contains_no_text_of_the_policy(
    programs: list[tuple[str, dict[str, object]]],
) -> None:
    attacks = [
        '@("\\"); __import__(\\"os\\") #" + context.Variables.Count)',
        '@{ var __import__ = "a\\n b"; var exec = 1; return $"{exec} {__import__} {{exit()}}"; }',
        '@(new { __class__ = 1, exec = "x" }.__class__)',
        "@(new[]{1}.Select(lambda => lambda + 1).First())",
    ]
    compiled_attacks = [compiled_or_none(text) for text in attacks]
    assert all(compiled_attacks)
    for expression in [*compiled_attacks, *map(compiled_or_none, FORMS)]:
        if expression is not None:
            try:
                expression.evaluate(context())
            except DotNetException:
                continue
    assert len(programs) > 1000
    for program, table in programs:
        assert table["__builtins__"] == {}
        previous = ""
        for token in tokenize.generate_tokens(io.StringIO(program).readline):
            if token.type == tokenize.NAME and previous == ".":
                assert token.string in ATTRIBUTES, program
            elif token.type == tokenize.NAME:
                assert keyword.iskeyword(token.string) or GENERATED_NAMES.fullmatch(token.string), program
            elif token.type == tokenize.STRING:
                assert token.string == '""', program
            assert token.type != tokenize.COMMENT, program
            previous = token.string


def test_an_expression_that_counts_no_branches_still_lists_its_decisions() -> None:
    text = "@(context.Variables.Count > 0 ? 1 : 2)"
    expression = compile_expression(text, name="test", counted=False)
    assert expression.evaluate(context()) == 2
    assert [decision.kind for decision in expression.decisions] == ["?:"]
    assert bytes(expression.hits) == b"\0\0"
