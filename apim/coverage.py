"""Which policies ran, and which way their C# went, by the lines of the templates that they came from.

Processes count side by side, each for itself, and keep what they counted as files of one folder; whoever
wants to know reads them together. A place that was rendered into several documents counts as one: it ran if
any of them did.
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
"""The environment variable that names the folder; processes count when it is set."""
RAN, YES, NO = "ran", "yes", "no"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """Something that a run does or does not do.

    Attributes:
        file: the template.
        line: from 1; so does `column`, which is 1 where only the line is known.
        kind: the policy's name, or the kind of a decision such as `if`, `&&` or `?.`.
        ordinal: tells decisions of one kind apart where only the line is known; from 0.
        outcome: of a policy, that it ran; of a decision, that it went yes, or that it went no.
    """

    file: str
    line: int
    column: int
    kind: str
    ordinal: int
    outcome: str

    @property
    def is_element(self) -> bool:
        """Whether it is a policy that ran, and not a branch of C#."""
        return self.outcome == RAN


@dataclass(slots=True)
class Coverage:
    """What was counted.

    Attributes:
        points: whether each happened.
        lines: of which templates' lines documents were made, by file.
    """

    points: dict[Point, bool] = field(default_factory=dict)
    lines: dict[str, set[int]] = field(default_factory=dict)

    def add(self, point: Point, *, happened: bool) -> None:
        """Counts a point; what happened once has happened."""
        self.points[point] = happened or self.points.get(point, False)

    def rendered(self, file: str, line: int) -> None:
        """Notes that a document holds the line of a template."""
        self.lines.setdefault(file, set()).add(line)

    def save(self, folder: Path) -> None:
        """Keeps it as a new file of a folder."""
        content = {
            "points": [[*astuple(point), happened] for point, happened in self.points.items()],
            "lines": {file: sorted(lines) for file, lines in self.lines.items()},
        }
        folder.mkdir(parents=True, exist_ok=True)
        # Under another name first, so that nobody reads the half of it.
        file = folder / f"{uuid.uuid4().hex}.json"
        file.with_suffix(".part").write_text(json.dumps(content), encoding="utf-8")
        file.with_suffix(".part").rename(file)

    @classmethod
    def load(cls, folder: Path) -> "Coverage":
        """What all files of a folder hold together; nothing for a folder that does not exist."""
        found = cls()
        for file in sorted(folder.glob("*.json")):
            content = json.loads(file.read_text(encoding="utf-8"))
            for *of, happened in content["points"]:
                found.add(Point(*of), happened=happened)
            for name, lines in content["lines"].items():
                found.lines.setdefault(name, set()).update(lines)
        return found


class Recorder:
    """Counts what the gateways of a process run, as far as their policies come from templates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._watched: list[_Watched] = []

    def watch(self, gateway: Gateway) -> None:
        """Counts what this gateway runs; it must have been made with `counted=True`."""
        self._watched.append(_Watched(gateway))

    def save(self) -> None:
        """Keeps what was counted so far, once."""
        if not self._watched:
            return
        coverage = Coverage()
        for watched in self._watched:
            watched.count(coverage)
        self._watched.clear()
        coverage.save(self._folder)


@cache
def recorder() -> Recorder | None:
    """The recorder of this process, when it is asked to count."""
    folder = os.environ.get(FOLDER)
    return Recorder(Path(folder)) if folder else None


class _Watched:
    """The marks that a gateway leaves, with what each means; the gateway itself may go."""

    def __init__(self, gateway: Gateway) -> None:
        maps = [document.source_map for document in documents(gateway.service)]
        self._lines = {line for source_map in maps if source_map is not None for line in source_map.lines()}
        locations = SourceLocations(gateway.service)
        self._marks = [*_elements(gateway, locations), *_branches(gateway, locations)]

    def count(self, coverage: Coverage) -> None:
        for file, line in self._lines:
            coverage.rendered(file, line)
        for point, marks, index in self._marks:
            coverage.add(point, happened=bool(marks[index]))


_Mark = tuple[Point, bytearray, int]


def _elements(gateway: Gateway, locations: SourceLocations) -> Iterator[_Mark]:
    for statement in gateway.statements:
        place = locations.find(statement.document, statement.line, statement.column)
        if place is not None:
            yield Point(*place, statement.element, 0, RAN), statement.ran, 0


def _branches(gateway: Gateway, locations: SourceLocations) -> Iterator[_Mark]:
    for placed in gateway.expressions:
        seen: Counter[tuple[SourceLocation, str]] = Counter()
        for index, decision in enumerate(placed.expression.decisions):
            place = locations.find(placed.document, *placed.place(decision.line, decision.column))
            if place is None:
                continue
            # With a column the place is one, however often a template's loop repeats it.
            ordinal = seen[place, decision.kind] if place.column == 1 else 0
            seen[place, decision.kind] += 1
            # A handler runs, or nothing is thrown that it would handle: the latter is no way of its own.
            outcomes = (YES,) if decision.kind == "catch" else (YES, NO)
            for offset, outcome in enumerate(outcomes):
                point = Point(*place, decision.kind, ordinal, outcome)
                yield point, placed.expression.hits, 2 * index + offset
