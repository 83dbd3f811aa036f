"""`{{name}}` in a policy document: replaced before C# is parsed.

https://learn.microsoft.com/azure/api-management/api-management-howto-properties
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from apim.rawxml import Value

_MENTION = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def mentioned(text: str) -> frozenset[str]:
    """The names of the named values that a text mentions."""
    return frozenset(_MENTION.findall(text))


class UndeclaredError(Exception):
    """A mention of a named value that is not declared; `line` and `column` say where."""

    def __init__(self, name: str, line: int, column: int) -> None:
        super().__init__(f"the named value {name} is not declared")
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Substituted:
    """A value with its named values put in, which can still tell the places of the original.

    Attributes:
        spans: for each mention, its position in the new text, and its length before and after.
    """

    value: Value
    original: Value
    spans: tuple[tuple[int, int, int], ...]

    def place(self, line: int, column: int) -> tuple[int, int]:
        """The line and column in the document of a place in the new text."""
        if not self.spans:
            return line, column
        offset = _offset(self.value, line, column)
        shift = 0
        for start, was, now in self.spans:
            if offset >= start + now:
                shift += was - now
            elif offset >= start:
                shift += start - offset
        return _place(self.original, max(offset + shift, 0))


def substitute(value: Value, named_values: Mapping[str, str], used: set[str]) -> Substituted:
    """Puts the named values into a value.

    Args:
        value: as the document has it.
        named_values: name to value.
        used: the names found are added.

    Raises:
        UndeclaredError: a name is not in `named_values`.
    """
    if "{{" not in value.text:
        return Substituted(value, value, ())
    parts: list[str] = []
    spans: list[tuple[int, int, int]] = []
    position = length = 0
    for mention in _MENTION.finditer(value.text):
        name = mention[1]
        if name not in named_values:
            raise UndeclaredError(name, *_place(value, mention.start()))
        used.add(name)
        before, content = value.text[position : mention.start()], named_values[name]
        parts += [before, content]
        length += len(before)
        spans.append((length, len(mention[0]), len(content)))
        length += len(content)
        position = mention.end()
    text = "".join([*parts, value.text[position:]])
    expression = value.expression or text.lstrip()[:2] in {"@(", "@{"}
    return Substituted(replace(value, text=text, expression=expression), value, tuple(spans))


def _offset(value: Value, line: int, column: int) -> int:
    """The offset in the value's text of a place in the document."""
    if line <= value.line:
        return max(column - value.column, 0)
    offset = 0
    for _ in range(line - value.line):
        offset = value.text.find("\n", offset) + 1
    return offset + column - 1


def _place(value: Value, offset: int) -> tuple[int, int]:
    before = value.text[:offset]
    lines = before.count("\n")
    if not lines:
        return value.line, value.column + offset
    return value.line + lines, offset - before.rindex("\n")
