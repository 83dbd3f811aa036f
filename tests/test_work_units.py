"""The units in which the workers run the tests."""

import pytest
from xdist import newhooks
from xdist.scheduler import LoadScopeScheduling

from tests import conftest, work_units
from tests.e2e.conftest import ROOT


@pytest.mark.parametrize(
    "path",
    [*work_units._LONGEST[2:], *sorted(work_units._OWN_TWIN), work_units._NO_TWIN, work_units._READINGS],
)
def test_every_named_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_longest_unit_starts_first() -> None:
    assert work_units.position("tests/e2e/test_token.py::test_name") == 0
    assert work_units.position("tests/test_docs.py::test_name") == len(work_units._LONGEST)


@pytest.mark.parametrize(
    ("test", "other_test", "together"),
    [
        ("tests/e2e/test_readings.py::a", "tests/browser/test_sign_in.py::b", True),
        ("tests/e2e/test_token.py::a", "tests/e2e/test_verify.py::b", True),
        ("tests/e2e/test_token.py::a", "tests/e2e/test_servers.py::b", False),
        ("tests/browser/test_pages.py::a", "tests/browser/test_sign_in.py::b", False),
        ("tests/policies/oauth/test_store.py::a", "tests/policies/oauth/test_expiry.py::b", True),
        ("tests/policies/access/test_keys.py::a", "tests/policies/access/test_tools.py::b", False),
    ],
)
def test_files_that_share_a_twin_or_gateways_are_one_unit(test: str, other_test: str, together: bool) -> None:
    assert (work_units.unit_of(test) == work_units.unit_of(other_test)) is together


def test_xdist_has_the_method_and_the_hook_that_the_scheduler_overrides() -> None:
    """Otherwise the units would be ignored without an error."""
    assert vars(LoadScopeScheduling).keys() & vars(work_units.Scheduling).keys() >= {"_split_scope"}
    assert hasattr(newhooks, conftest.pytest_xdist_make_scheduler.__name__)
