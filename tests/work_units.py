"""The units of work of pytest's workers: single files, or files that share objects that are costly."""

from xdist.scheduler import LoadFileScheduling

_SHARED_TWIN = "tests that share the twin of a worker"
_READINGS_AND_PAGES = "tests of readings and pages, which share the twin of a worker"
_READINGS = "tests/e2e/test_readings.py"
_OWN_TWIN = frozenset(
    {"tests/e2e/test_servers.py", "tests/e2e/test_readiness.py", "tests/e2e/test_path_prefix.py"}
)
_NO_TWIN = "tests/browser/test_pages.py"
_LONGEST = (
    _SHARED_TWIN,
    _READINGS_AND_PAGES,
    "tests/e2e/test_servers.py",
    "tests/twin/test_up.py",
    "tests/policies/oauth",
    "tests/program/test_program.py",
    "tests/browser/test_pages.py",
    "tests/agent_demo/test_demo.py",
    "tests/failures/test_services.py",
    "tests/twin/test_containers.py",
    "tests/policies/lint/test_bypasses.py",
)


def unit_of(test: str) -> str:
    """The unit of a test.

    Args:
        test: its node id, such as `tests/e2e/test_token.py::test_name`.
    """
    file = test.partition("::")[0]
    folder = file.rpartition("/")[0]
    if folder in {"tests/e2e", "tests/browser"} and file not in _OWN_TWIN and file != _NO_TWIN:
        # Two units of about the same length, so that two workers run them at the same time.
        return _READINGS_AND_PAGES if folder == "tests/browser" or file == _READINGS else _SHARED_TWIN
    # Gateways with the same settings are compiled once in a process.
    return folder if folder == "tests/policies/oauth" else file


def position(test: str) -> int:
    """The rank of a test's unit. The longest units start first, so that no worker has to wait at the end."""
    unit = unit_of(test)
    return _LONGEST.index(unit) if unit in _LONGEST else len(_LONGEST)


class Scheduling(LoadFileScheduling):
    """Gives whole units to the workers of pytest-xdist."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
