"""A plugin of pytest that runs the tests of a template's lines against each mutant of the template."""

import gc
import json
import multiprocessing
import resource
import shutil
import time
import weakref
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from unittest import mock

import pytest

from apim import coverage
from apim.gateway import Gateway
from apim.messages import InboundRequest, OutboundResponse
from gateway import policy
from tests.mutation.mutants import Mutant, mutants
from tests.policies.engine.harness import Harness
from tests.policies.oauth import flow
from tests.policies.oauth.flow import GATEWAY
from tests.stacks import planned_service

ROOT = Path(__file__).resolve().parents[2]

_FIRST_TESTS = 10
"""The number of tests that run in the order of their rank; the others run module by module."""

_RECENT_TESTS = 4
"""The number of tests that run first, because they failed with the previous mutants of the template."""

_WAIT = 900
"""The longest time in seconds for one process, which may have to wait for processor time."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of the tests with one mutant.

    Attributes:
        file: the template.
        mutant: the changed template.
        tests: the number of tests that were chosen for the mutant.
        found_by: the test that failed; None if all passed.
    """

    file: str
    mutant: Mutant
    tests: int
    found_by: str | None

    def __str__(self) -> str:
        outcome = f"fails {self.found_by}" if self.found_by else f"SURVIVES {self.tests} tests"
        return f"policies/{self.file}:{self.mutant.line}: {self.mutant.change}: {outcome}"


@dataclass(slots=True)
class _Test:
    """A test that passes with the unchanged templates, with its duration and the points that it covers."""

    item: pytest.Item
    seconds: float
    points: frozenset[coverage.Point]


_Measured = dict[str, tuple[float, frozenset[coverage.Point]]]
"""The duration of each test that passes, and the points that it covers, by the test's id."""


def _save(measured: _Measured, file: Path) -> None:
    points = {
        point: number
        for number, point in enumerate({point for _, covered in measured.values() for point in covered})
    }
    tests = {
        name: [seconds, [points[point] for point in covered]] for name, (seconds, covered) in measured.items()
    }
    file.write_text(json.dumps({"points": [astuple(point) for point in points], "tests": tests}))


def _load(file: Path) -> _Measured:
    saved = json.loads(file.read_text())
    points = [coverage.Point(*values) for values in saved["points"]]
    return {
        name: (seconds, frozenset(points[number] for number in numbers))
        for name, (seconds, numbers) in saved["tests"].items()
    }


class _Recorder:
    """Records which points of the templates each test covers."""

    def __init__(self) -> None:
        self._marks: weakref.WeakKeyDictionary[Gateway, list[coverage.Mark]] = weakref.WeakKeyDictionary()
        self._used: weakref.WeakSet[Gateway] = weakref.WeakSet()

    def watch(self, gateway: Gateway) -> None:
        self._marks[gateway] = coverage.marks(gateway)

    @contextmanager
    def requests(self) -> Generator[None]:
        """Records which gateways receive requests, because a test covers only points of these gateways."""
        handle = Gateway.handle

        def noted(gateway: Gateway, request: InboundRequest) -> Awaitable[OutboundResponse]:
            self._used.add(gateway)
            return handle(gateway, request)

        with mock.patch.object(Gateway, "handle", noted):
            yield

    def take(self) -> frozenset[coverage.Point]:
        """The points that were covered since the last call."""
        covered = [
            mark for gateway in self._used for mark in self._marks.get(gateway, ()) if mark[1][mark[2]]
        ]
        # A policy and the part of a policy that begins with it share one mark.
        for _, hits, index in covered:
            hits[index] = 0
        self._used.clear()
        return frozenset(point for point, _, _ in covered)


class Mutation:
    """Runs the tests of each mutant in a new process; the process that forks it has not run any test.

    Attributes:
        files: the templates, as paths below `policies/`.
        seconds: how long the tests of one mutant may take together; the most specific tests run first.
        saved: the file with the points that each test covers; it is written if it does not exist. None: the
            points are not saved.
        results: the outcome of each mutant.
    """

    def __init__(self, files: Sequence[str], seconds: float, saved: Path | None = None) -> None:
        self.files = files
        self.seconds = seconds
        self.saved = saved
        self.results: list[Result] = []
        self._failed: list[str] = []
        self._found_by: dict[str, deque[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        # The processes share the compiled expressions of unchanged templates and the slow creation of a key.
        Harness(planned_service(GATEWAY))
        flow.signing_key()
        policy._environment.cache_clear()
        gc.freeze()
        if self.saved is not None and self.saved.exists():
            measured = _load(self.saved)
        else:
            measured = _in_child(session, lambda: self._measure(session)) or {}
            if self.saved is not None:
                _save(measured, self.saved)
        tests = [_Test(item, *measured[item.nodeid]) for item in session.items if item.nodeid in measured]
        reporter.write_line(f"\n{len(tests)} tests pass without a mutant.")
        with TemporaryDirectory() as folder, mock.patch.object(policy, "_FOLDER", Path(folder)):
            shutil.copytree(ROOT / "policies", folder, dirs_exist_ok=True)
            for file in self.files:
                text = (ROOT / "policies" / file).read_text(encoding="utf-8")
                for mutant in mutants(text, csharp=".cs" in Path(file).suffixes):
                    (Path(folder) / file).write_text(mutant.text, encoding="utf-8")
                    result = self._run(session, file, mutant, tests)
                    self.results.append(result)
                    reporter.write_line(str(result))
                    reporter.flush()
                (Path(folder) / file).write_text(text, encoding="utf-8")
        count_found = sum(result.found_by is not None for result in self.results)
        reporter.write_line(f"{count_found} of {len(self.results)} mutants fail a test.")
        return True

    def _measure(self, session: pytest.Session) -> _Measured:
        recorder = _Recorder()
        measured: _Measured = {}
        with mock.patch.object(coverage, "recorder", return_value=recorder), recorder.requests():
            for item, following in zip(session.items, [*session.items[1:], None], strict=True):
                started = time.process_time()
                if self._first_failure([item], following) is None:
                    measured[item.nodeid] = time.process_time() - started, recorder.take()
        return measured

    def _run(self, session: pytest.Session, file: str, mutant: Mutant, tests: list[_Test]) -> Result:
        # A test that failed with a mutant of the template often fails with the next one.
        recent = [item for item in session.items if item.nodeid in self._found_by.get(file, ())]
        chosen = self._chosen(f"policies/{file}", mutant.line, tests)
        chosen = [*recent, *(item for item in chosen if item not in recent)]
        if not chosen:
            return Result(file, mutant, 0, None)
        limit = round(10 + 3 * self.seconds)
        found_by = _in_child(session, lambda: self._first_failure(chosen) or "", processor_seconds=limit)
        if found_by:
            self._found_by.setdefault(file, deque(maxlen=_RECENT_TESTS)).append(found_by)
        return Result(file, mutant, len(chosen), "a timeout" if found_by is None else found_by or None)

    def _chosen(self, file: str, line: int, tests: list[_Test]) -> list[pytest.Item]:
        """The tests that run the template, in the order in which they are run against a mutant of a line.

        The first tests cover points of the line that few tests cover; if the line has no point, the nearest
        line before it that has one counts. Of tests that cover the same points, those that cover the fewest
        points after the line come first, from each module in turn. Most mutants fail one of the first tests.
        The other tests run module by module, because the tests of a module share fixtures.
        A test that would exceed the time of a mutant is left out.
        """
        used = Counter(point for test in tests for point in test.points if point.file == file)
        covered = max((point.line for point in used if point.line <= line), default=0)
        ranked = []
        for test in tests:
            points = [point for point in test.points if point.file == file]
            rarity = sum(1 / used[point] for point in points if point.line == covered)
            if points or not used:
                later = sum(point.line > covered for point in points)
                ranked.append((-round(rarity, 9), later, test.seconds, test.item))
        ranked.sort(key=lambda entry: entry[:3])
        turns: Counter[tuple[float, Path]] = Counter()
        ordered = []
        for rank, _, seconds, item in ranked:
            ordered.append((rank, turns[rank, item.path], seconds, item))
            turns[rank, item.path] += 1
        left = self.seconds
        first: list[pytest.Item] = []
        others: dict[Path, list[pytest.Item]] = {}
        for *_, seconds, item in sorted(ordered, key=lambda entry: entry[:3]):
            if seconds > left:
                continue
            left -= seconds
            if len(first) < _FIRST_TESTS:
                first.append(item)
            else:
                others.setdefault(item.path, []).append(item)
        return [*first, *(item for items in others.values() for item in items)]

    def _first_failure(self, items: Sequence[pytest.Item], last: pytest.Item | None = None) -> str | None:
        """Runs tests until one fails, and returns the id of this test; None if all pass."""
        self._failed.clear()
        for item, following in zip(items, [*items[1:], last], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed[0]
        return None


_T = TypeVar("_T")


def _in_child(
    session: pytest.Session, compute: Callable[[], _T], *, processor_seconds: int | None = None
) -> _T | None:
    """The result of a function in a forked process; None if the process ends early.

    Args:
        session: the session of the tests.
        compute: the function.
        processor_seconds: the processor time after which the process ends. It is not elapsed time, so that a
            busy machine does not look like a test that fails.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        if processor_seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds))
        session.config.pluginmanager.unregister(name="terminalreporter")
        sender.send(compute())

    process = context.Process(target=work)
    process.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(_WAIT) else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
