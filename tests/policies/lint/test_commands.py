"""The commands `python -m twin lint` and `python -m twin eval`."""

import json
from pathlib import Path

import pytest

from tests import commands
from twin import eval_command

GOOD = "<policies><inbound><base /></inbound></policies>"
BAD = (
    '<policies>\n<inbound>\n<set-variable name="v" value="@("a".StartsWith("b"))" />\n</inbound>\n</policies>'
)


def twin(*arguments: str) -> tuple[int, str, str]:
    """The exit status, the output and the error output of a command."""
    completed = commands.run("twin", *arguments)
    return completed.returncode, completed.stdout, completed.stderr


def test_lint_prints_a_line_for_each_finding_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "bad.xml"
    file.write_text(BAD)
    status, out, _ = twin("lint", str(file))
    assert status == 1
    lines = out.splitlines()
    assert lines[0].startswith(f"{file}:2:1: missing-base: ")
    assert lines[1].startswith(f"{file}:3:37: culture-sensitive: ")


def test_lint_prints_nothing_for_a_valid_file(tmp_path: Path) -> None:
    file = tmp_path / "good.xml"
    file.write_text(GOOD)
    assert twin("lint", str(file)) == (0, "", "")


def test_lint_with_the_option_protected_requires_a_token_check(tmp_path: Path) -> None:
    file = tmp_path / "good.xml"
    file.write_text(GOOD)
    status, out, _ = twin("lint", "--protected", str(file))
    assert status == 1
    assert "missing-token-check" in out


def test_lint_ends_with_status_2_for_a_missing_file_or_a_template(tmp_path: Path) -> None:
    status, _, error = twin("lint", str(tmp_path / "nothing.xml"))
    assert status == 2
    assert "cannot be read" in error
    assert twin("lint", "policies/oauth/keys.xml.j2")[0] == 2


def test_eval_evaluates_an_expression_with_a_context(tmp_path: Path) -> None:
    file = tmp_path / "context.json"
    file.write_text(
        json.dumps({"request": {"headers": {"A": "one"}}, "variables": {"claims": {"sub": "ada"}}})
    )
    status, out, _ = twin(
        "eval",
        '@(context.Request.Headers["A"][0] + (string)((JObject)context.Variables["claims"])["sub"])',
        "--context",
        str(file),
    )
    assert (status, out) == (0, "oneada\nString\n")


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"requst": {}}, "a context has no member requst, only request, response, variables"),
        ({"request": {"hedders": {}}}, "request has no member hedders, only method, url, headers, body"),
        ({"variables": []}, "variables is not a JSON object"),
    ],
)
def test_eval_reports_an_unknown_name_in_a_context(context: object, message: str, tmp_path: Path) -> None:
    file = tmp_path / "context.json"
    file.write_text(json.dumps(context))
    with pytest.raises(eval_command.UnusableError, match=message):
        eval_command.evaluate("@(1)", file)


def test_eval_prints_exceptions_and_compile_errors() -> None:
    assert twin("eval", '@(int.Parse("x"))')[:2] == (
        1,
        "FormatException: The input string 'x' was not in a correct format.\n",
    )
    status, out, _ = twin("eval", "@(context.Request.Foo)")
    assert status == 1
    assert out.startswith("refused at 1:19: IRequest has no member `Foo`")


def test_eval_with_a_file_of_cases_prints_the_differences(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    correct = {"form": "@(1 + 1)", "type": "Int32", "value": "2"}
    file.write_text(json.dumps({"context": {}, "cases": [correct]}))
    assert twin("eval", "--cases", str(file))[:2] == (0, "1 cases: 1 equal, 0 refused, 0 different\n")
    file.write_text(json.dumps({"context": {}, "cases": [correct, {**correct, "value": "3"}]}))
    status, out, _ = twin("eval", "--cases", str(file))
    assert status == 1
    assert "different: @(1 + 1)" in out
    file.write_text("[]")
    assert twin("eval", "--cases", str(file))[0] == 2
