"""Records which policies ran and which branches of their C# were taken, by the lines of their templates.

Each process records separately and saves its records as a file in one folder; a report combines all files. A
source location that was rendered into several documents counts once: it ran if it ran in any of them.
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from functools import cache
from pathlib import Path

from apim.gateway import Gateway
from apim.service import documents
from apim.source_locations import SourceLocations
from apim.source_map import SourceLocation

FOLDER = "TWIN_POLICY_COVERAGE"
"""The environment variable with the path of the folder; processes count if it is set."""
RAN, YES, NO = "ran", "yes", "no"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A policy or a branch that a test run covers or does not cover.

    Attributes:
        file: the template.
        line: from 1.
        column: from 1; it is 1 where only the line is known.
        kind: the policy's name, or the kind of a decision such as `if`, `&&` or `?.`.
        ordinal: distinguishes decisions of one kind where only the line is known; from 0.
        outcome: RAN for a policy; YES or NO for a decision.
    """

    file: str
    line: int
    column: int
    kind: str
    ordinal: int
    outcome: str

    @property
    def is_element(self) -> bool:
        """Whether it is a policy, and not a branch of C#."""
        return self.outcome == RAN


@dataclass(slots=True)
class Coverage:
    """The counts of one or more processes.

    Attributes:
        points: for each point, whether it was covered.
        lines: the lines of templates from which documents were rendered, by file.
    """

    points: dict[Point, bool] = field(default_factory=dict)
    lines: dict[str, set[int]] = field(default_factory=dict)

    def add(self, point: Point, *, covered: bool) -> None:
        """Adds a point, which is covered if it is covered here or was covered before."""
        self.points[point] = covered or self.points.get(point, False)

    def rendered(self, file: str, line: int) -> None:
        """Records that a document contains the line of a template."""
        self.lines.setdefault(file, set()).add(line)

    def save(self, folder: Path) -> None:
        """Saves the counts as a new file in a folder."""
        content = {
            "points": [[*astuple(point), covered] for point, covered in self.points.items()],
            "lines": {file: sorted(lines) for file, lines in self.lines.items()},
        }
        folder.mkdir(parents=True, exist_ok=True)
        # Written under another name first, so that no reader gets an incomplete file.
        file = folder / f"{uuid.uuid4().hex}.json"
        file.with_suffix(".part").write_text(json.dumps(content), encoding="utf-8")
        file.with_suffix(".part").rename(file)

    @classmethod
    def load(cls, folder: Path) -> "Coverage":
        """The counts of all files in a folder together; empty for a folder that does not exist."""
        found = cls()
        for file in sorted(folder.glob("*.json")):
            content = json.loads(file.read_text(encoding="utf-8"))
            for *of, covered in content["points"]:
                found.add(Point(*of), covered=covered)
            for name, lines in content["lines"].items():
                found.lines.setdefault(name, set()).update(lines)
        return found


class Recorder:
    """Counts what the gateways of a process run, for policies that were rendered from templates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._watched: list[_Watched] = []

    def watch(self, gateway: Gateway) -> None:
        """Counts what this gateway runs; it must have been created with `counted=True`."""
        self._watched.append(_Watched(gateway))

    def save(self) -> None:
        """Saves the counts of all watched gateways, and stops watching them."""
        if not self._watched:
            return
        coverage = Coverage()
        for watched in self._watched:
            watched.count(coverage)
        self._watched.clear()
        coverage.save(self._folder)


@cache
def recorder() -> Recorder | None:
    """The recorder of this process; None if it does not count."""
    folder = os.environ.get(FOLDER)
    return Recorder(Path(folder)) if folder else None


class _Watched:
    """The marks that a gateway sets, with the point of each; it does not keep the gateway alive."""

    def __init__(self, gateway: Gateway) -> None:
        maps = [document.source_map for document in documents(gateway.service)]
        self._lines = {line for source_map in maps if source_map is not None for line in source_map.lines()}
        self._marks = marks(gateway)

    def count(self, coverage: Coverage) -> None:
        for file, line in self._lines:
            coverage.rendered(file, line)
        for point, flags, index in self._marks:
            coverage.add(point, covered=bool(flags[index]))


Mark = tuple[Point, bytearray, int]
"""A point, with the array and the index of the byte that a gateway sets when it covers the point."""


def marks(gateway: Gateway) -> list[Mark]:
    """The marks that a gateway sets; it must have been created with `counted=True`."""
    locations = SourceLocations(gateway.service)
    return [*_elements(gateway, locations), *_branches(gateway, locations)]


def _elements(gateway: Gateway, locations: SourceLocations) -> Iterator[Mark]:
    for statement in gateway.statements:
        location = locations.find(statement.document, statement.line, statement.column)
        if location is not None:
            yield Point(*location, statement.element, 0, RAN), statement.ran, 0


def _branches(gateway: Gateway, locations: SourceLocations) -> Iterator[Mark]:
    for located in gateway.expressions:
        seen: Counter[tuple[SourceLocation, str]] = Counter()
        for index, decision in enumerate(located.expression.decisions):
            location = locations.find(located.document, *located.location(decision.line, decision.column))
            if location is None:
                continue
            # With a column the source location is unique, even if a loop of the template repeats it.
            ordinal = seen[location, decision.kind] if location.column == 1 else 0
            seen[location, decision.kind] += 1
            # A `catch` has one branch, the handler; its absence (no exception) is not counted.
            outcomes = (YES,) if decision.kind == "catch" else (YES, NO)
            for offset, outcome in enumerate(outcomes):
                point = Point(*location, decision.kind, ordinal, outcome)
                yield point, located.expression.hits, 2 * index + offset
