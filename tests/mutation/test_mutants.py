"""Each check, limit and statement of a template is changed in one of its mutants."""

import pytest

from tests.mutation.mutants import mutants

POLICY = """\
[[ guard.when(csharp.text("todo") ~ ' == "refuse" && ' ~ late, refuse()) ]]
<when condition="@(a && b == "(" || c)">
    <set-header name="x" exists-action="delete" />
</when>
"""
CSHARP = """\
// a && b
if (token.Length > 4096 && !known) { return Regex.IsMatch(token, @"^a && b\\z"); }
return f(a, b || c) ? new string[] { d } : e;
"""


def changed_lines(text: str, *, csharp: bool) -> list[str]:
    """The new text of the first changed line of each mutant."""
    before = text.splitlines()
    after = [(mutant.line, mutant.text.splitlines()) for mutant in mutants(text, csharp=csharp)]
    assert all(before[: line - 1] == lines[: line - 1] for line, lines in after)
    return [lines[line - 1].strip() for line, lines in after]


def test_each_guard_condition_and_statement_of_a_policy_is_changed() -> None:
    guard, when, _, _ = POLICY.splitlines()
    assert changed_lines(POLICY, csharp=False) == [
        "",
        "",
        '<when condition="@(true)">',
        '<when condition="@(false)">',
        '<when condition="@( b == "(" || c)">',
        '<when condition="@(a || c)">',
        '<when condition="@( c)">',
        '<when condition="@(a && b == "(" )">',
        when.replace("==", "!="),
        guard.replace("==", "!="),
        guard.replace("&&", "||"),
    ]


def test_operands_comparisons_and_limits_of_csharp_are_changed_but_not_strings_and_comments() -> None:
    _, check, result = CSHARP.splitlines()
    condition = "token.Length > 4096 && !known"
    assert changed_lines(CSHARP, csharp=True) == [
        check.replace(condition, " !known"),
        check.replace(condition, "token.Length > 4096 "),
        result.replace("b || c", "c"),
        result.replace("b || c", "b "),
        check.replace(condition, "false"),
        check.replace(">", ">="),
        check.replace("4096", "4097"),
        check.replace("^", ""),
        check.replace("\\z", ""),
    ]


@pytest.mark.parametrize("text", ["", "return a;\n", "// if (a && b)\n"])
def test_a_text_without_a_check_has_no_mutants(text: str) -> None:
    assert list(mutants(text, csharp=True)) == []
