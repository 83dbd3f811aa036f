"""Each requirement has a test with its number in the name, and docs/authorization.md lists them."""

from pathlib import Path

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
    unknown = {
        number: TESTS[number] for number in TESTS.keys() - {requirement.id for requirement in REQUIREMENTS}
    }
    assert not unknown, f"correct the number, or add it to tests/requirements/table.toml: {unknown}"


def test_the_table_in_the_documents_is_current() -> None:
    assert part("requirements", PAGE) == render(REQUIREMENTS, TESTS), (
        "run `.venv/bin/python -m tests.requirements`"
    )


def test_a_number_in_a_name_may_have_two_digits(tmp_path: Path) -> None:
    file = tmp_path / "tests" / "test_codes.py"
    file.parent.mkdir()
    file.write_text(
        "def test_d5_a() -> None: ...\ndef test_b2a_b() -> None: ...\ndef test_d12_c() -> None: ...\n"
    )
    assert find_tests(tmp_path).keys() == {"D5", "B2a", "D12"}
