"""Measures coverage in pytest's workers and in the twins that tests start, and checks it after whole runs."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from apim import coverage
from gateway import policy
from tests.policy_coverage import report
from tests.policy_coverage.result import Result, Template, compare

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = ".policy-coverage"
# HTML and styles are rendered into documents with their own lines.
_NOT_POLICIES = "pages/"
# Options of pytest that select some of the tests.
_SELECTING = (
    "keyword",
    "markexpr",
    "deselect",
    "ignore",
    "ignore_glob",
    "lf",
    "failedfirst",
    "stepwise",
    "collectonly",
)


class Counting:
    """Reads the counts that all processes of a run save in a folder, and compares them with the templates.

    Runs in pytest's main process, which passes the folder's path to the other processes.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="policy-coverage-")
        os.environ[coverage.FOLDER] = self._folder.name
        self._result: Result | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        # This wrapper is the outermost one, so the workers and the processes of fixtures have ended here.
        outcome = yield
        save()
        counted = coverage.Coverage.load(Path(self._folder.name))
        self._folder.cleanup()
        self._result = compare(counted, templates())
        report.write(self._result, _ROOT / _PAGES)
        if is_whole(session) and session.exitstatus == pytest.ExitCode.OK and not self._result.sufficient:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        result = self._result
        if result is None:
            return
        terminalreporter.section("policies")
        if not result.sufficient:
            terminalreporter.write_line(report.text(result))
        terminalreporter.write_line(
            f"Covered: {result.elements} policy elements and {result.branches} branches of C#. "
            f"Line by line: {_PAGES}/index.html, {_PAGES}/report.txt"
        )


def configure(config: pytest.Config) -> None:
    """Measures coverage in complete runs, and in other runs if `--policy-coverage` is set."""
    if hasattr(config, "workerinput"):
        return
    if config.option.policy_coverage or _is_everything(config):
        config.pluginmanager.register(Counting(), "policy-coverage")


def save() -> None:
    """Saves the counts of this process."""
    if (recorder := coverage.recorder()) is not None:
        recorder.save()


def templates() -> Iterator[Template]:
    """The project's own templates."""
    for name in policy.templates():
        if not name.startswith(_NOT_POLICIES):
            text = (_ROOT / "policies" / name).read_text(encoding="utf-8")
            yield Template(f"policies/{name}", text, policy.written_lines(name))


def is_whole(session: pytest.Session) -> bool:
    """Whether every test ran, so that a policy without a count is a policy without a test.

    A test is skipped if a program that it needs is missing; in CI all programs must be installed.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    kinds = ("deselected",) if os.environ.get("CI") else ("deselected", "skipped")
    incomplete = reporter is None or any(reporter.stats.get(kind) for kind in kinds)
    return _is_everything(session.config) and not incomplete


def _is_everything(config: pytest.Config) -> bool:
    """Whether pytest was started for all tests, without an option that selects some of them."""
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(
        # The options of disabled plugins do not exist.
        config.getoption(option, default=None)
        for option in _SELECTING
    )
