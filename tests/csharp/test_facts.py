"""Facts that are known about an expression before it runs, and the record of the branches that ran."""

import pytest

from apim.csharp import compile_expression
from tests.csharp.evaluation import context


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("@(1)", set()),
        ("@(context.Request.Body.As<string>())", {"request", "request.body"}),
        ("@(context.Response.Body == null)", {"response", "response.body"}),
        (
            '@(((IResponse)context.Variables["r"]).Body.As<string>())',
            {"variables", "variables:r", "message.body"},
        ),
        ('@{ var r = context.Request; return r.Body == null; }', {"request", "message.body"}),
        ('@(context.Variables.GetValueOrDefault<string>("x"))', {"variables", "variables:x"}),
        ('@(context.Variables.ContainsKey("x"))', {"variables", "variables:x"}),
        ("@(context.Request.Url.Host)", {"request", "request.url", "request.url.host"}),
        ("@(DateTime.UtcNow)", {"clock"}),
        ('@("a".StartsWith("b"))', {"culture"}),
        ('@("a".StartsWith("b", StringComparison.Ordinal))', set()),
        ('@(string.Compare("a", "b"))', {"culture"}),
        ('@(context.Request?.Body?.As<string>())', {"request", "request.body"}),
        ("@(new[]{1}.Select(x => context.Request.Body == null))", {"request", "request.body"}),
    ],
)  # fmt: skip
def test_facts_name_the_parts_of_the_context_that_are_read(text: str, facts: set[str]) -> None:
    assert compile_expression(text, name="test").reads == facts


def test_a_fact_has_its_position() -> None:
    expression = compile_expression(
        "@{\n  return context.Request.Body == null;\n}", name="test", line=5, column=9
    )
    (body,) = [fact for fact in expression.facts if fact.name == "request.body"]
    assert (body.line, body.column) == (6, 26)


def test_the_outcomes_of_decisions_are_recorded() -> None:
    expression = compile_expression('@((string)context.Variables["x"] == "a" ? 1 : 2)', name="test", column=3)
    (decision,) = expression.decisions
    assert (decision.line, decision.column, decision.kind) == (1, 36, "?:")
    assert bytes(expression.hits) == b"\0\0"
    expression.evaluate(context(variables={"x": "a"}))
    assert bytes(expression.hits) == b"\1\0"
    expression.evaluate(context(variables={"x": "b"}))
    assert bytes(expression.hits) == b"\1\1"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("@{ int i = 1; if (i > 0) { return 1; } return 2; }", ["if"]),
        ("@{ bool a = true, b = false; return a && b || !a; }", ["&&", "||"]),
        ("@{ string s = null; return s?.Length ?? 1; }", ["?.", "??"]),
        ("@{ for (int i = 0; i < 2; i++) { } return 1; }", ["loop"]),
        ("@{ foreach (var i in new[]{1}) { } return 1; }", ["foreach"]),
        ("@{ switch (1) { case 1: return 1; default: return 2; } }", ["case"]),
        ("@{ try { return int.Parse(null); } catch (Exception) { return 2; } }", ["catch"]),
        ("@(new[]{1,2}.Where(x => x > 1 && x < 5).Count())", ["&&"]),
    ],
)
def test_every_kind_of_branch_is_counted_once(text: str, kinds: list[str]) -> None:
    expression = compile_expression(text, name="test")
    assert [decision.kind for decision in expression.decisions] == kinds
    assert len(expression.hits) == 2 * len(kinds)
    expression.evaluate(context())
    assert any(expression.hits)
