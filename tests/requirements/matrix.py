"""Renders the table of requirements in docs/authorization.md, with the source, policies and tests of each."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "authorization.md"
_TABLE = Path(__file__).with_name("table.toml")
_TEST = re.compile(r"^ *(?:async )?def test_([a-f]\d+[a-z]?)_", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement.

    Attributes:
        id: its number, such as `D5`.
        text: the requirement in a sentence.
        source: the specification that requires it.
        files: the policies that implement it, below `policies/`.
        program: the files of the Pulumi program that implement it.
    """

    id: str
    text: str
    source: str
    files: Sequence[str]
    program: Sequence[str] = ()

    @property
    def paths(self) -> Sequence[str]:
        """The files that implement it, relative to the project's folder."""
        return [*(f"policies/{file}" for file in self.files), *self.program]


def load() -> Sequence[Requirement]:
    """All requirements, in the order of the table."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return [Requirement(id=id_, **row) for id_, row in table.items()]


def find_tests(root: Path = ROOT) -> Mapping[str, Sequence[str]]:
    """The test files by the requirement whose number is in the names of their tests."""
    tests_by_number: dict[str, set[str]] = {}
    for file in (root / "tests").rglob("test_*.py"):
        for name in _TEST.findall(file.read_text(encoding="utf-8")):
            number = name[:1].upper() + name[1:]
            tests_by_number.setdefault(number, set()).add(file.relative_to(root).as_posix())
    return {number: sorted(files) for number, files in tests_by_number.items()}


def render(requirements: Sequence[Requirement], tests: Mapping[str, Sequence[str]]) -> str:
    """The table as Markdown, with links."""
    lines = ["| | requirement | specified in | policies and program | tests |", "|---|---|---|---|---|"]
    for requirement in requirements:
        policies = "<br>".join(
            f"[`{path.removeprefix('policies/')}`](../{path})" for path in requirement.paths
        )
        files = "<br>".join(f"[`{Path(file).name}`](../{file})" for file in tests.get(requirement.id, ()))
        lines.append(
            f"| {requirement.id} | {requirement.text} | {requirement.source} | {policies} | {files} |"
        )
    return "\n".join(lines)
