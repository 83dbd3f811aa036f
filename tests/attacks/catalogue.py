"""Reads attacks.toml, the list of attacks and failures, and renders it for docs/security-tests.md."""

import ast
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security-tests.md"
_TABLE = Path(__file__).with_name("attacks.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One attack or failure.

    Attributes:
        text: what the attacker does, or what fails.
        source: the document that describes it.
        tests: the files with its tests, or tests as `file::name`.
    """

    text: str
    source: str
    tests: Sequence[str]

    def missing(self) -> Sequence[str]:
        """The tests that do not exist."""
        return [test for test in self.tests if not _exists(test)]


def load() -> Mapping[str, Sequence[Entry]]:
    """All entries, by their kind: `attack` or `failure`."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {kind: [Entry(**row) for row in rows] for kind, rows in table.items()}


def render(entries: Sequence[Entry]) -> str:
    """The table as Markdown, with links."""
    lines = ["| | described in | tests |", "|---|---|---|"]
    lines += [
        f"| {entry.text} | {entry.source} | {'<br>'.join(map(_link, entry.tests))} |" for entry in entries
    ]
    return "\n".join(lines)


def _link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[`{name or Path(file).name}`](../{file})"


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    if not (ROOT / file).is_file():
        return False
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return not name or name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
