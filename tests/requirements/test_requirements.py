"""Each requirement has a test with its number in the name, and docs/authorization.md lists them."""

import pytest

from apim.page import part
from tests.requirements.matrix import PAGE, ROOT, Requirement, find_tests, load, render

REQUIREMENTS = load()
TESTS = find_tests()


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.id)
def test_each_requirement_has_a_test_with_its_number(requirement: Requirement) -> None:
    assert TESTS.get(requirement.id), f"no test is named test_{requirement.id.lower()}_..."


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.id)
def test_each_requirement_names_files_that_exist(requirement: Requirement) -> None:
    assert [path for path in requirement.paths if not (ROOT / path).is_file()] == []


def test_each_number_in_a_name_is_a_requirement() -> None:
    assert TESTS.keys() <= {requirement.id for requirement in REQUIREMENTS}


def test_the_table_in_the_documents_is_current() -> None:
    assert part("requirements", PAGE) == render(REQUIREMENTS, TESTS), (
        "run `.venv/bin/python -m tests.requirements`"
    )
