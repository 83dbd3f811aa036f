"""Deployed documents are compared with the rendered ones."""

import pytest

from verify.documents import differences, digest, first_difference

RENDERED = """<policies>
    <inbound>
        <base />
        <set-variable name="x" value="@{
            var text = "a > b";
            return text + " & c";
        }" />
    </inbound>
</policies>
"""


@pytest.mark.parametrize(
    "stored",
    [
        RENDERED.replace("\n", "\r\n"),
        RENDERED.replace("    ", "\t"),
        RENDERED.rstrip(),
        "\ufeff" + RENDERED,
        RENDERED.replace("<base />", "<base/>"),
        RENDERED.replace("&", "&amp;").replace("a > b", "a &gt; b"),
        RENDERED.replace('"@{\n', '"@{&#xA;'),
    ],
    ids=[
        "crlf",
        "tabs",
        "no last line",
        "byte order mark",
        "self-closing",
        "entities",
        "line feed as entity",
    ],
)
def test_changes_that_api_management_makes_when_it_stores_a_document_are_ignored(stored: str) -> None:
    assert digest(stored) == digest(RENDERED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<base />", ""),
        ("a > b", "a < b"),
        ('name="x"', 'name="y"'),
        ("<inbound>", "<!-- <inbound> -->"),
        ("a > b", "ab"),
    ],
)
def test_any_other_change_is_a_difference(old: str, new: str) -> None:
    (difference,) = differences({"policy": RENDERED}, {"policy": RENDERED.replace(old, new)})
    assert difference.document == "policy"
    assert "differs from line" in difference.problem


def test_a_difference_names_the_line_of_the_rendered_text() -> None:
    assert first_difference(RENDERED, RENDERED.replace("return text", "return other")) == 6
    assert first_difference(RENDERED, RENDERED.replace("</policies>", "")) == 9
    assert first_difference(RENDERED, RENDERED + "<!-- more -->") == 10


def test_missing_documents_and_documents_that_are_not_in_the_plan_are_differences() -> None:
    reported = differences({"a": "<a />", "b": "<b />"}, {"b": "<b/>", "c": "<c />"})
    assert [(difference.document, difference.problem) for difference in reported] == [
        ("a", "is missing"),
        ("c", "is not part of this stack"),
    ]


def test_a_difference_never_shows_what_was_deployed() -> None:
    (difference,) = differences({"a": "<a />"}, {"a": "<a password='hunter2' />"})
    assert "hunter2" not in difference.problem
