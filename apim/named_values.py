"""Replaces `{{name}}` in policy documents, before C# is parsed.

https://learn.microsoft.com/azure/api-management/api-management-howto-properties
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from apim.rawxml import Value

_MENTION = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def mentioned(text: str) -> frozenset[str]:
    """The names of the named values that a string mentions."""
    return frozenset(_MENTION.findall(text))


class UndeclaredError(Exception):
    """A mention of a named value that is not declared, at `line` and `column` of the document."""

    def __init__(self, name: str, line: int, column: int) -> None:
        super().__init__(f"the named value {name} is not declared")
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Substituted:
    """A value whose named values were replaced, with the source locations of the original text.

    Attributes:
        spans: for each mention, its position in the new text, and its length before and after the
            replacement.
    """

    value: Value
    original: Value
    spans: tuple[tuple[int, int, int], ...]

    def location(self, line: int, column: int) -> tuple[int, int]:
        """Converts a line and column in the new text to those in the document."""
        if not self.spans:
            return line, column
        offset = _offset(self.value, line, column)
        shift = 0
        for start, was, now in self.spans:
            if offset >= start + now:
                shift += was - now
            elif offset >= start:
                shift += start - offset
        return _location(self.original, max(offset + shift, 0))


def substitute(value: Value, named_values: Mapping[str, str], used: set[str]) -> Substituted:
    """Replaces the named values in a value.

    Args:
        value: the value in the document.
        named_values: the named values, by name.
        used: receives the names that the value mentions.

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
            raise UndeclaredError(name, *_location(value, mention.start()))
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
    """The offset in the value's text of a line and column of the document."""
    if line <= value.line:
        return max(column - value.column, 0)
    offset = 0
    for _ in range(line - value.line):
        offset = value.text.find("\n", offset) + 1
    return offset + column - 1


def _location(value: Value, offset: int) -> tuple[int, int]:
    before = value.text[:offset]
    lines = before.count("\n")
    if not lines:
        return value.line, value.column + offset
    return value.line + lines, offset - before.rindex("\n")
