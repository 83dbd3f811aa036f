"""How the templates of policies are written; what they do is tested elsewhere."""

import re
from pathlib import Path

import pytest

from gateway import policy

FOLDER = Path(__file__).resolve().parents[2] / "policies"
TEMPLATES = {name: (FOLDER / name).read_text(encoding="utf-8") for name in policy.templates()}
EXPRESSIONS = "expressions.j2"


def deepest(text: str, element: str) -> int:
    """How deep an element is nested in itself."""
    depth = most = 0
    for tag in re.findall(rf"</?{element}\b", text):
        depth += -1 if tag.startswith("</") else 1
        most = max(most, depth)
    return most


def test_the_depth_of_nested_elements_is_found() -> None:
    assert deepest("<a><when/><a><b/></a></a><a></a>", "a") == 2
    assert deepest("<b/>", "a") == 0


def test_no_template_has_a_choose_within_a_choose() -> None:
    """Checks are guards, and what happens under a condition within a condition is a macro with a name."""
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
def test_an_expression_of_several_policies_is_written_once(pattern: str, macro: str) -> None:
    uses = {name: len(re.findall(pattern, text)) for name, text in TEMPLATES.items()}
    assert {name: count for name, count in uses.items() if count} == {EXPRESSIONS: 1}, f"use csharp.{macro}"
