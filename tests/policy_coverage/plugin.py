"""Counts coverage while pytest runs, in its workers and in the twins of tests, and checks whole runs."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from apim import coverage
from gateway import policy
from tests.policy_coverage import report
from tests.policy_coverage.verdict import Template, Verdict, judge

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = ".policy-coverage"
# HTML and styles are rendered into documents with their own lines.
_NOT_POLICIES = "pages/"
# Pytest's options with which not every test runs.
_CHOOSING = (
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
    """The main process passes a folder for the counts to the other processes, and reads the counts."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="policy-coverage-")
        os.environ[coverage.FOLDER] = self._folder.name
        self._verdict: Verdict | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        # Outermost, so that workers and the processes of fixtures have ended.
        result = yield
        save()
        counted = coverage.Coverage.load(Path(self._folder.name))
        self._folder.cleanup()
        self._verdict = judge(counted, templates())
        report.write(self._verdict, _ROOT / _PAGES)
        if is_whole(session) and session.exitstatus == pytest.ExitCode.OK and not self._verdict.good:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        verdict = self._verdict
        if verdict is None:
            return
        terminalreporter.section("policies")
        if not verdict.good:
            terminalreporter.write_line(report.text(verdict))
        terminalreporter.write_line(
            f"Covered: {verdict.elements} policy elements and {verdict.branches} branches of C#. "
            f"Line by line: {_PAGES}/index.html, {_PAGES}/report.txt"
        )


def configure(config: pytest.Config) -> None:
    """Counts in complete runs, or with an option."""
    if hasattr(config, "workerinput"):
        return
    if config.option.policy_coverage or _is_everything(config):
        config.pluginmanager.register(Counting(), "policy-coverage")


def save() -> None:
    """Stores the counts of this process."""
    if (recorder := coverage.recorder()) is not None:
        recorder.save()


def templates() -> Iterator[Template]:
    """The project's own templates."""
    for name in policy.templates():
        if not name.startswith(_NOT_POLICIES):
            text = (_ROOT / "policies" / name).read_text(encoding="utf-8")
            yield Template(f"policies/{name}", text, policy.written_lines(name))


def is_whole(session: pytest.Session) -> bool:
    """Whether every test ran, so that missing counts are missing tests.

    A test is skipped if a program that it needs is missing; in CI all programs must be installed.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    kinds = ("deselected",) if os.environ.get("CI") else ("deselected", "skipped")
    left_out = reporter is None or any(reporter.stats.get(kind) for kind in kinds)
    return _is_everything(session.config) and not left_out


def _is_everything(config: pytest.Config) -> bool:
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(
        # The options of disabled plugins do not exist.
        config.getoption(option, default=None)
        for option in _CHOOSING
    )
