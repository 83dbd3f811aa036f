"""How the engine's score on published policies is counted, with documents written for the tests."""

from pathlib import Path

import pytest

from apim import page, score
from apim.score import measure, render

DOCUMENTS = {
    "good.xml": """<policies><inbound>
        <set-variable name="a" value="@(1 + 1)" />
        <set-variable name="b" value="@( 1  + 1 )" />
        <set-variable name="c" value="@(((string)context.Variables["x"]).Length + {{number}})" />
        <set-variable name="d" value="@(((IResponse)context.Variables["r"]).StatusCode)" />
        <!-- <set-variable name="e" value="@(this is a comment)" /> -->
        <include-fragment fragment-id="part" />
    </inbound></policies>""",
    "part.xml": """<fragment><set-header name="X" exists-action="override">
        <value>@(context.Request.Headers["none"][0])</value>
    </set-header></fragment>""",
    "member.xml": """<policies><inbound>
        <set-variable name="a" value="@(new XmlDocument())" />
    </inbound></policies>""",
    "syntax.xml": '<policies><inbound><set-variable name="a" value="@(1 + )" /></inbound></policies>',
    "policy.xml": '<policies><inbound><quota calls="1" renewal-period="60" /></inbound></policies>',
    "broken.xml": '<policies><inbound><set-variable name="a" value="@("x")" <!-- @(2) --> </inbound>',
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, xml in DOCUMENTS.items():
        (tmp_path / name).write_text(xml)
    return tmp_path


def test_expressions_are_counted_by_their_outcome(checkout: Path) -> None:
    score = measure(checkout)
    assert (score.expressions.all, score.expressions.distinct) == (8, 8)
    assert score.parsed.all == 7
    assert score.compiled.all == 6
    assert score.values.all == 5
    assert {name: count.all for name, count in score.exceptions.items()} == {"KeyNotFoundException": 1}
    assert sum(count.all for count in score.refused.values()) == 2
    assert score.stopped == {}


def test_expressions_that_differ_only_in_white_space_are_equal(checkout: Path) -> None:
    (checkout / "again.xml").write_text(
        '<policies><inbound><set-variable name="a" value="@(1  +\n 1)" /></inbound></policies>'
    )
    score = measure(checkout)
    assert (score.expressions.all, score.expressions.distinct) == (9, 8)


def test_documents_are_counted_by_their_error(checkout: Path) -> None:
    score = measure(checkout)
    assert score.documents == 6
    assert score.loaded == 2
    obstacles = {
        reason: names for reason, names in score.obstacles.items() if names & {"policy.xml", "member.xml"}
    }
    assert len(obstacles) == 2
    assert any("quota" in reason for reason in obstacles)
    assert any("XmlDocument" in reason for reason in obstacles)


def test_the_report_is_markdown_with_escaped_messages(checkout: Path) -> None:
    (checkout / "status.xml").write_text(
        "<policies><inbound><return-response><a /></return-response></inbound></policies>"
    )
    report = render(measure(checkout), "c0ffee", "2026-11-28")
    assert "`c0ffee`" in report
    assert "2026-11-28" in report
    assert "| in the snippets | 8 | 8 | 100% |" in report
    assert "&lt;a> is not allowed in &lt;return-response>" in report


def test_a_checkout_of_another_commit_is_rejected(checkout: Path) -> None:
    with pytest.raises(SystemExit, match="checkout 87225c2090e45add095919e8767c37d9ece42e0c"):
        score.main([str(checkout)])


def test_a_part_of_the_page_is_replaced_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("a\n<!-- one: begin -->\nold\n<!-- one: end -->\nb\n")
    page.replace_part("one", "new\n| \\1 |", file)
    assert file.read_text() == "a\n<!-- one: begin -->\nnew\n| \\1 |\n<!-- one: end -->\nb\n"
    assert page.part("one", file) == "new\n| \\1 |"
    with pytest.raises(ValueError, match="two: begin"):
        page.part("two", file)
