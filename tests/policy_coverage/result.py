"""Compares the recorded coverage with the content of the templates."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apim.coverage import NO, YES, Coverage, Point

LEAST_BRANCHES = 95.0
"""The required percentage of branches. All elements must have run."""
_EXCLUSION = re.compile(r"\[# not covered:(?P<reason>.*?)#\]")


@dataclass(frozen=True, slots=True)
class Template:
    """A file below `policies/`.

    Attributes:
        name: its path in the repository.
        text: the source.
        written: the lines that are rendered into documents, from 1.
    """

    name: str
    text: str
    written: frozenset[int]

    def exclusions(self) -> dict[int, str]:
        """The lines that need not be covered, with reasons.

        A comment `[# not covered: reason #]` applies to its own line, or to the next line that is rendered.
        """
        reasons: dict[int, str] = {}
        for number, line in enumerate(self.text.split("\n"), 1):
            for comment in _EXCLUSION.finditer(line):
                subject = min((line for line in self.written if line >= number), default=number)
                reasons[subject] = comment["reason"].strip()
        return reasons


@dataclass(frozen=True, slots=True)
class Level:
    """The number of covered elements or branches, and the total."""

    done: int
    total: int

    @property
    def percent(self) -> float:
        """An empty total counts as fully covered."""
        return 100 * self.done / self.total if self.total else 100.0

    def __str__(self) -> str:
        if not self.total:
            return "none"
        return f"{self.done} of {self.total} ({self.percent:.1f} %)"


@dataclass(frozen=True, slots=True)
class File:
    """The coverage of one template.

    Attributes:
        missed: by line, a description of the missing coverage.
        excluded: by line, the reason for the exclusion.
        ran: the lines of which an element or a branch ran.
    """

    template: Template
    elements: Level
    branches: Level
    missed: Mapping[int, tuple[str, ...]]
    excluded: Mapping[int, str]
    ran: frozenset[int]


@dataclass(frozen=True, slots=True)
class Result:
    """The coverage of all templates.

    Attributes:
        problems: exclusions without a reason, or for covered lines.
    """

    files: tuple[File, ...]
    problems: tuple[str, ...]

    @property
    def elements(self) -> Level:
        """Policies that ran; a line that is not rendered into any document counts as not run."""
        return _sum(file.elements for file in self.files)

    @property
    def branches(self) -> Level:
        """Outcomes of decisions in C#."""
        return _sum(file.branches for file in self.files)

    @property
    def sufficient(self) -> bool:
        """Whether the required coverage is reached, and no exclusion has a problem."""
        all_elements = self.elements.done == self.elements.total
        return all_elements and self.branches.percent >= LEAST_BRANCHES and not self.problems

    def missed(self) -> list[str]:
        """The missing coverage, with its source location."""
        return [
            f"{file.template.name}:{line}: {description}"
            for file in self.files
            for line, descriptions in sorted(file.missed.items())
            for description in descriptions
        ]


def compare(coverage: Coverage, templates: Iterable[Template]) -> Result:
    """Compares the recorded coverage with the templates."""
    problems: list[str] = []
    files = tuple(_file(coverage, template, problems) for template in templates)
    return Result(files, tuple(problems))


def _file(coverage: Coverage, template: Template, problems: list[str]) -> File:
    """The coverage of one template; problems of its exclusions are appended to the list."""
    points = {point: covered for point, covered in coverage.points.items() if point.file == template.name}
    excluded = template.exclusions()
    lines = template.text.split("\n")
    missed: dict[int, list[str]] = {}
    for point in sorted(point for point, covered in points.items() if not covered):
        missed.setdefault(point.line, []).append(_description(point, len(lines[point.line - 1])))
    unrendered = template.written - coverage.lines.get(template.name, set())
    for line in unrendered:
        missed.setdefault(line, []).append("no tested stack renders this line")
    for line, reason in sorted(excluded.items()):
        if not reason:
            problems.append(f"{template.name}:{line}: say why it is not covered: [# not covered: reason #]")
        if line not in missed:
            problems.append(f"{template.name}:{line}: is covered: remove [# not covered: ... #]")
    counted = {point: covered for point, covered in points.items() if point.line not in excluded or covered}
    elements = [covered for point, covered in counted.items() if point.is_element]
    branches = [covered for point, covered in counted.items() if not point.is_element]
    return File(
        template=template,
        elements=Level(sum(elements), len(elements) + len(unrendered - excluded.keys())),
        branches=Level(sum(branches), len(branches)),
        missed={line: tuple(descriptions) for line, descriptions in missed.items() if line not in excluded},
        excluded={line: reason for line, reason in excluded.items() if line in missed},
        ran=frozenset(point.line for point, covered in points.items() if covered),
    )


def _description(point: Point, width: int) -> str:
    """What a test run did not cover at a point in a line of this width."""
    if point.is_element:
        return f"{point.kind} never ran"
    # If a Jinja filter wrote the line, its columns are not the template's.
    position = f"at column {point.column}" if 1 < point.column <= width else f"number {point.ordinal + 1}"
    return f"`{point.kind}` {position} never had the outcome {YES if point.outcome == YES else NO}"


def _sum(levels: Iterable[Level]) -> Level:
    added = list(levels)
    return Level(sum(level.done for level in added), sum(level.total for level in added))
