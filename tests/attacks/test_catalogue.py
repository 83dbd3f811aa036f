"""The list of attacks and failures names tests that exist, and docs/security-tests.md shows it."""

import pytest

from apim.page import part
from tests.attacks.catalogue import PAGE, load, render

CATALOGUE = load()


@pytest.mark.parametrize("kind", CATALOGUE)
def test_each_entry_names_tests_that_exist(kind: str) -> None:
    assert {attack.text: attack.missing() for attack in CATALOGUE[kind] if attack.missing()} == {}


@pytest.mark.parametrize("kind", CATALOGUE)
def test_the_page_is_current(kind: str) -> None:
    assert part(kind, PAGE) == render(CATALOGUE[kind]), "run `.venv/bin/python -m tests.attacks`"
