"""Regular expressions on surrogates, combining marks and letters that resemble letters of ASCII."""

import pytest

from tests.csharp import evaluation


@pytest.mark.parametrize("text", ["\\U0001F600", "\\ud800", "a\\u0300", "\\u212a"])
def test_a_pattern_that_lists_its_characters_does_not_match_any_other_character(text: str) -> None:
    assert evaluation.evaluate(f'@(Regex.IsMatch("{text}", @"^[A-Za-z0-9_\\-]{{1,43}}\\z"))') is False
