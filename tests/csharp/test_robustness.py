"""Invalid input fails with a load error or a .NET exception, never with an exception of Python."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from apim.csharp import CSharpError, DotNetException, Expression, compile_expression, find_end
from apim.csharp.context import Context
from apim.csharp.golden import build_context
from tests.csharp.evaluation import context

FOLDER = Path(__file__).parent
GOLDEN = json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))
FORMS = [case["form"] for case in GOLDEN["cases"]] + [
    case["form"] for case in json.loads((FOLDER / "mono.json").read_text(encoding="utf-8"))["cases"]
]
PIECES = sorted({piece for form in FORMS for piece in form.replace("(", " ( ").replace(".", " . ").split()})


def outcome(expression: Expression, policy_context: Context) -> tuple[object, DotNetException | None]:
    """The value and None, or None and the exception."""
    try:
        return expression.evaluate(policy_context), None
    except DotNetException as error:
        return None, error


def loaded(text: str) -> Expression | CSharpError:
    """The compiled expression, or the error with which the evaluator refuses it."""
    try:
        return compile_expression(text, name="test")
    except CSharpError as error:
        return error


def run(text: str) -> None:
    """Evaluates an expression; fails if the evaluator or its compiler has a defect."""
    result = loaded(text)
    if isinstance(result, CSharpError):
        assert result.line >= 1
        assert result.column >= 1
        assert result.construct != "defect", result
        return
    _value, thrown = outcome(result, build_context(GOLDEN["context"]))
    assert thrown is None or "a defect of the twin" not in thrown.message, text


@settings(max_examples=150)
@given(
    st.sampled_from(FORMS),
    st.integers(0, 200),
    st.sampled_from([*PIECES, "", " ", "(", ")", "null", "0", '"']),
)
def test_a_mutated_expression_is_rejected_or_evaluated(form: str, position: int, piece: str) -> None:
    position = 2 + position % max(len(form) - 2, 1)
    run(form[:position] + piece + form[position + len(piece) :])


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_random_tokens_are_rejected_or_evaluated(pieces: list[str]) -> None:
    run(f"@({' '.join(pieces)})")


def end_of(text: str) -> int | CSharpError:
    """The position of the end of an expression, or the error."""
    try:
        return find_end(text, 0)
    except CSharpError as error:
        return error


@given(st.text(max_size=40))
def test_any_string_is_scanned_or_rejected(text: str) -> None:
    result = end_of("@(" + text)
    assert result.line >= 1 if isinstance(result, CSharpError) else result <= len(text) + 2


READ = compile_expression('@(JToken.Parse((string)context.Variables["t"]).ToString())', name="test")


@given(st.text(alphabet="{}[]:,\"'\\/*0123456789.eE+-tfnul abxNI\n", max_size=25))
def test_any_json_is_parsed_or_throws(text: str) -> None:
    value, thrown = outcome(READ, context(variables={"t": text}))
    if thrown is None:
        assert isinstance(value, str)
    else:
        assert thrown.type_name in {"JsonReaderException", "NotSupportedException"}
        assert "a defect of the twin" not in thrown.message


WRITE = compile_expression(
    '@(JToken.Parse((string)context.Variables["t"]).ToString(Newtonsoft.Json.Formatting.None))', name="test"
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_strict_json_is_unchanged_after_a_round_trip(value: object) -> None:
    written = WRITE.evaluate(context(variables={"t": json.dumps(value)}))
    assert json.loads(str(written)) == value


@given(st.text(max_size=20))
def test_escaped_strings_can_be_unescaped(text: str) -> None:
    policy_context = context(variables={"t": text})
    for encode, decode in (
        ("Uri.EscapeDataString", "Uri.UnescapeDataString"),
        ("WebUtility.UrlEncode", "WebUtility.UrlDecode"),
        ("WebUtility.HtmlEncode", "WebUtility.HtmlDecode"),
    ):
        expression = compile_expression(f'@({decode}({encode}((string)context.Variables["t"])))', name="test")
        assert expression.evaluate(policy_context) == text
