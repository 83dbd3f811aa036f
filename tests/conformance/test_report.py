"""The page with the suites' results."""

from importlib.metadata import version

import pytest

from tests.conformance import official
from tests.conformance.check import Check
from tests.conformance.report import PAGE, differences


@pytest.mark.parametrize("package", ["mcp-authlab", "jbt-mcpcheck"])
def test_the_page_names_the_version_of_a_python_suite(package: str) -> None:
    assert f"| `{package}` | {version(package)} |" in PAGE.read_text()


def test_the_page_names_the_version_of_the_official_suite() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if f" | {official.version()} | " in line]
    assert len(rows) == 2


def test_a_check_with_another_or_a_missing_result_is_a_difference() -> None:
    passed, failed = Check("ping", "a", "passed", ""), Check("ping", "a", "failed", "no answer")
    assert differences([passed], [passed]) == []
    assert differences([passed], [failed]) == [
        ("ping: a", ["directly: passed: ", "gateway: failed: no answer"])
    ]
    assert differences([passed], []) == [("ping: a", ["directly: passed: "])]
