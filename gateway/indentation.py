"""Indents a rendered policy by the nesting of its elements, so that a deployed policy can be read.

Macros and includes insert lines with the indentation that their own templates have.
"""

import re
from collections.abc import Sequence

from apim import rawxml
from apim.findings import PolicyError
from apim.rawxml import Element, Value

_STEP = 4
_CLOSING = re.compile(r"</([\w.:-]+)>")


def indented(text: str, lines: Sequence[str]) -> list[str]:
    """The lines of a policy document, indented; unchanged when the document cannot be parsed.

    Args:
        text: the document.
        lines: its lines, with source marks (`gateway.source_map`), which the document does not contain.
    """
    try:
        root = rawxml.parse(text, "policy")
    except PolicyError:
        return list(lines)
    plan = _Plan(text.split("\n"))
    plan.element(root, 0)
    plan.closing_tags()
    return [
        line if number not in plan.indents else " " * plan.indents[number] + line.lstrip()
        for number, line in enumerate(lines, 1)
    ]


class _Plan:
    """The new indentation of lines, by their numbers."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._starts: dict[int, tuple[str, int]] = {}
        self.indents: dict[int, int] = {}

    def element(self, element: Element, depth: int) -> None:
        """Plans the lines of an element, except for its closing tag."""
        if _width(self._lines[element.line - 1]) == element.column - 1:
            self._starts[element.line] = element.name, depth
            self.indents[element.line] = depth * _STEP
        for value in (*element.attributes.values(), element.text):
            if value is not None and value.expression:
                self._expression(value, depth * _STEP)
        for child in element.children:
            self.element(child, depth + 1)

    def closing_tags(self) -> None:
        """Plans closing tags on separate lines: each is indented like the last opened element of its name."""
        opened: list[tuple[str, int]] = []
        for number, line in enumerate(self._lines, 1):
            if number in self._starts:
                opened.append(self._starts[number])
                continue
            closing = _CLOSING.match(line.strip())
            if closing is None or number in self.indents:
                continue
            while opened:
                name, depth = opened.pop()
                if name == closing[1]:
                    self.indents[number] = depth * _STEP
                    break

    def _expression(self, value: Value, indent: int) -> None:
        """Plans the lines after the first line of an expression: one step deeper, otherwise unchanged."""
        first, last = value.line + 1, value.line + value.text.count("\n")
        if self._lines[last - 1].strip().startswith("}") and value.text.startswith("@{") and last >= first:
            self.indents[last] = indent
            last -= 1
        inner = {
            number: _width(self._lines[number - 1])
            for number in range(first, last + 1)
            if self._lines[number - 1].strip()
        }
        minimum = min(inner.values(), default=0)
        for number, width in inner.items():
            self.indents[number] = indent + _STEP + width - minimum


def _width(line: str) -> int:
    """The indentation of a line, in characters."""
    return len(line) - len(line.lstrip())
