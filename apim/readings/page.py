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
    lines += [_row(each) for each in TABLE]
    lines += ["", "## Tests under every reading", ""]
    lines += _paragraph(
        f"`{_UNDER_EACH}` runs each of these tests on one running twin under every option that is not the "
        "default, under all hostile options together, and under all others together:"
    )
    lines += ["", *(f"- `{name}`" for name in _functions(root / _UNDER_EACH))]
    for each in TABLE:
        lines += ["", *_section(each, tests.get(each.name, []))]
    return "\n".join(lines)


def _row(asked: Question) -> str:
    options = ", ".join(f"`{option.name}`" for option in asked.options)
    return (
        f"| {asked.id} | [`{asked.name}`](#{_anchor(asked)}) | {options} | "
        f"{'the twin' if asked.services else 'the engine'} |"
    )


def _section(asked: Question, tests: list[str]) -> Iterator[str]:
    yield _heading(asked)
    yield ""
    yield from _paragraph(asked.text)
    yield ""
    for option in asked.options:
        note = " (default)" if option is asked.default else ""
        note += " (the most demanding for the policies)" if option.name == asked.hostile else ""
        yield from _item(f"`{option.name}`{note}: {option.meaning}")
    yield ""
    yield from _paragraph(f"**Evidence.** {asked.evidence}")
    yield ""
    if asked.sources:
        yield from (f"- [{source.title}]({source.url})" for source in asked.sources)
        yield ""
    yield from _paragraph(f"**What to check first after a deployment.** {asked.check}")
    yield ""
    yield from _paragraph(f"**Remedy.** {asked.remedy}")
    yield ""
    yield "**Tests** that choose it:"
    yield ""
    for test in tests:
        yield f"- {test}"


def _heading(asked: Question) -> str:
    return f"## {asked.id}: {asked.name}"


def _anchor(asked: Question) -> str:
    """The anchor that GitHub generates for the heading."""
    return re.sub(r"[^\w -]", "", f"{asked.id}: {asked.name}".lower()).replace(" ", "-")


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
        each.name
        for each in TABLE
        if each.field in arguments
        # An f-string has the name alone: f"named-value-order={order}".
        or strings & {f"{each.name}=", *(f"{each.name}={option.name}" for option in each.options)}
    }


def _functions(file: Path) -> list[str]:
    return [
        function.name
        for function in ast.parse(file.read_text("utf-8")).body
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
    ]
