"""Regular expressions that list their characters compare UTF-16 code units for any input."""

import pytest

from tests.csharp import evaluation


@pytest.mark.parametrize("text", ["\\U0001F600", "\\ud800", "a\\u0300", "\\u212a"])
def test_a_pattern_without_classes_matches_any_text(text: str) -> None:
    assert evaluation.evaluate(f'@(Regex.IsMatch("{text}", @"^[A-Za-z0-9_\\-]{{1,43}}\\z"))') is False
