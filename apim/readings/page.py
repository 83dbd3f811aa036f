"""Generates a part of docs/readings.md: the table of readings, with the tests that run under each."""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from apim.readings.question import Question
from apim.readings.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "readings.md"
_WIDTH = 118
_UNDER_EACH = "tests/e2e/test_readings.py"
_ABOUT_CHOOSING = {"tests/policies/test_readings.py", "tests/twin/test_control.py", "tests/twin/test_up.py"}
"""Tests of how a reading is chosen, whichever it is."""


def readings(root: Path = ROOT) -> str:
    """The generated part.

    Args:
        root: the repository; its tests are searched for the names of readings.
    """
    tests = _tests(root)
    lines = ["| | reading | options, the default first | implemented by |", "|---|---|---|---|"]
    lines += [_row(entry) for entry in TABLE]
    lines += ["", "## Tests under every reading", ""]
    lines += _paragraph(
        f"`{_UNDER_EACH}` runs each of these tests on one running twin under every option that is not the "
        "default, under the most demanding options together, and under all others together:"
    )
    lines += ["", *(f"- `{name}`" for name in _functions(root / _UNDER_EACH))]
    for entry in TABLE:
        lines += ["", *_section(entry, tests.get(entry.name, []))]
    return "\n".join(lines)


def _row(entry: Question) -> str:
    options = ", ".join(f"`{option.name}`" for option in entry.options)
    return (
        f"| {entry.id} | [`{entry.name}`](#{_anchor(entry)}) | {options} | "
        f"{'the twin' if entry.services else 'the engine'} |"
    )


def _section(entry: Question, tests: list[str]) -> Iterator[str]:
    yield _heading(entry)
    yield ""
    yield from _paragraph(entry.text)
    yield ""
    for option in entry.options:
        note = " (default)" if option is entry.default else ""
        note += " (the most demanding for the policies)" if option.name == entry.strict else ""
        yield from _item(f"`{option.name}`{note}: {option.meaning}")
    yield ""
    yield from _paragraph(f"**Evidence.** {entry.evidence}")
    yield ""
    if entry.sources:
        yield from (f"- [{source.title}]({source.url})" for source in entry.sources)
        yield ""
    yield from _paragraph(f"**What to check first after a deployment.** {entry.check}")
    yield ""
    yield from _paragraph(f"**Remedy.** {entry.remedy}")
    yield ""
    yield "**Tests** that choose it:"
    yield ""
    for test in tests:
        yield f"- {test}"


def _heading(entry: Question) -> str:
    return f"## {entry.id}: {entry.name}"


def _anchor(entry: Question) -> str:
    """The anchor that GitHub generates for the heading."""
    return re.sub(r"[^\w -]", "", f"{entry.id}: {entry.name}".lower()).replace(" ", "-")


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _item(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _tests(root: Path) -> dict[str, list[str]]:
    """The tests that choose a reading, by the reading's name."""
    found: dict[str, list[str]] = {}
    for file in sorted((root / "tests").rglob("test_*.py")):
        path = file.relative_to(root).as_posix()
        if path in _ABOUT_CHOOSING:
            continue
        for function in ast.parse(file.read_text("utf-8")).body:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                for name in _chosen(function):
                    found.setdefault(name, []).append(f"`{function.name}` in `{path}`")
    return found


def _chosen(function: ast.FunctionDef) -> set[str]:
    """The readings that a test chooses, as in `"query=raw"` or in `unit_clocks="apart"`."""
    nodes = list(ast.walk(function))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    arguments = {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg and "_" in node.arg}
    return {
        entry.name
        for entry in TABLE
        if entry.field in arguments
        # An f-string has the name alone: f"named-value-order={order}".
        or strings & {f"{entry.name}=", *(f"{entry.name}={option.name}" for option in entry.options)}
    }


def _functions(file: Path) -> list[str]:
    return [
        function.name
        for function in ast.parse(file.read_text("utf-8")).body
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
    ]
