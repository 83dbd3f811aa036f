"""Conventions for the templates of policies; other tests check what the policies do."""

import re
from pathlib import Path

import pytest

from gateway import policy

FOLDER = Path(__file__).resolve().parents[2] / "policies"
TEMPLATES = {name: (FOLDER / name).read_text(encoding="utf-8") for name in policy.templates()}
EXPRESSIONS = "expressions.j2"


def deepest(text: str, element: str) -> int:
    """The greatest number of elements with this name that are nested in each other."""
    depth = deepest_yet = 0
    for tag in re.findall(rf"</?{element}\b", text):
        depth += -1 if tag.startswith("</") else 1
        deepest_yet = max(deepest_yet, depth)
    return deepest_yet


def test_the_depth_of_nested_elements_is_found() -> None:
    assert deepest("<a><when/><a><b/></a></a><a></a>", "a") == 2
    assert deepest("<b/>", "a") == 0


def test_no_template_has_a_choose_within_a_choose() -> None:
    """Templates use guards for checks, and a macro with a name for a condition within a condition."""
    assert {name for name, text in TEMPLATES.items() if deepest(text, "choose") > 1} == set()


@pytest.mark.parametrize(
    ("pattern", "macro"),
    [
        (r"Replace\('\+', '-'\)", "base64url"),
        (r"Replace\('-', '\+'\)", "base64"),
        (r"\(JObject\)context\.Variables", "json"),
        (r"GetValueOrDefault<JObject>", "optional_json"),
    ],
)
def test_an_expression_that_several_policies_need_is_only_in_its_macro(pattern: str, macro: str) -> None:
    uses = {name: len(re.findall(pattern, text)) for name, text in TEMPLATES.items()}
    assert {name: count for name, count in uses.items() if count} == {EXPRESSIONS: 1}, f"use csharp.{macro}"
