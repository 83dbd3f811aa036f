"""Maps every line of a rendered policy to its line in a template.

When a template is compiled, a mark is inserted before the first character of each of its lines; marks pass
through macros, includes and indentation like any other text, and are removed from the rendered text.

A guard is a call of a macro of `guards.xml.j2`. Its rendered text is mapped to the line of the call: no marks
are inserted into the macros, and each call passes a mark as the first argument.
"""

import re
from bisect import bisect_right
from collections.abc import Generator
from functools import cached_property
from itertools import zip_longest

from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from apim.source_map import SourceLocation

_GUARDS = "guards.xml.j2"
# The tokens that begin a call of one of its macros, which a template imports as `guard`.
_GUARD_CALL = ("guard", ".", ("unless", "when"), "(")
# Private-use characters, which no template contains.
_MARK = re.compile("\ue000([^\ue000\ue001]*):([0-9]+):([0-9]+)\ue001")
_CONTENT = re.compile(r"\S")
# The column in a mark that follows an inserted part of a line.
_UNKNOWN_COLUMN = 0


class TemplateSourceMap:
    """The source locations of one rendered document: for each line, columns in ascending order.

    Args:
        marked: the document with its marks, which are parsed at the first look-up.
    """

    def __init__(self, marked: str) -> None:
        self._marked = marked

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TemplateSourceMap) and self._marked == other._marked

    def __hash__(self) -> int:
        return hash(self._marked)

    def find(self, line: int, column: int = 1) -> SourceLocation | None:
        """The source location of a position in the document; None for text that is in no template."""
        if not 1 <= line <= len(self._lines) or not self._lines[line - 1]:
            return None
        marks = self._lines[line - 1]
        start, location = marks[max(bisect_right([start for start, _ in marks], column) - 1, 0)]
        if location.column == _UNKNOWN_COLUMN:
            return location._replace(column=1)
        return location._replace(column=max(location.column + column - start, 1))

    def lines(self) -> frozenset[tuple[str, int]]:
        """The templates and lines from which the document was rendered."""
        return frozenset((location.file, location.line) for line in self._lines for _, location in line)

    @cached_property
    def _lines(self) -> tuple[tuple[tuple[int, SourceLocation], ...], ...]:
        return tuple(map(_marks_in, self._marked.split("\n")))


class SourceMarks(Extension):
    """Inserts the marks into templates."""

    def filter_stream(self, stream: TokenStream) -> Generator[Token]:
        """The tokens, with a mark in each line of text, and another before a value in the same line."""
        name = stream.name or ""
        if name == _GUARDS:
            yield from stream
            return
        line_start = True
        tokens = list(stream)
        for index, (token, following) in enumerate(zip_longest(tokens, tokens[1:])):
            if token.type != "data":
                line_start = False
                yield token
                if _calls_a_guard(tokens[max(index - 3, 0) : index + 1]):
                    yield Token(token.lineno, "string", _mark(name, token.lineno, _UNKNOWN_COLUMN))
                    yield Token(token.lineno, "comma", ",")
                continue
            lines = token.value.split("\n")
            marked = [
                _marked(text, name, token.lineno + offset, starts_line=line_start or offset > 0)
                for offset, text in enumerate(lines)
            ]
            if following is not None and following.type == "variable_begin" and lines[-1].strip():
                # For a value, only the line is known, not the column.
                marked[-1] += _mark(name, token.lineno + len(lines) - 1, _UNKNOWN_COLUMN)
            line_start = len(lines) > 1
            yield Token(token.lineno, "data", "\n".join(marked))


def unmarked(text: str) -> str:
    """The text without its marks."""
    return _MARK.sub("", text) if "\ue000" in text else text


def _marks_in(line: str) -> tuple[tuple[int, SourceLocation], ...]:
    """The columns of the marks in a line, counted without the marks, and the locations that they name."""
    locations: list[tuple[int, SourceLocation]] = []
    removed = 0
    for mark in _MARK.finditer(line):
        location = SourceLocation(f"policies/{mark[1]}", int(mark[2]), int(mark[3]))
        locations.append((mark.start() - removed + 1, location))
        removed += len(mark[0])
    return tuple(locations)


def lines_of(environment: Environment, source: str, template: str) -> frozenset[int]:
    """The lines of a template that contain text, which are those with marks."""
    marks = SourceMarks(environment)
    tokens = marks.filter_stream(environment.lexer.tokenize(source, template))
    return frozenset(int(mark[2]) for token in tokens for mark in _MARK.finditer(str(token.value)))


def _calls_a_guard(tokens: list[Token]) -> bool:
    """Whether these tokens begin a call of a guard, up to its arguments."""
    return len(tokens) == len(_GUARD_CALL) and all(
        token.value in expected if isinstance(expected, tuple) else token.value == expected
        for token, expected in zip(tokens, _GUARD_CALL, strict=True)
    )


def _marked(text: str, template: str, line: int, *, starts_line: bool) -> str:
    """The text with a mark before its first visible character; blank text is returned unchanged.

    Args:
        text: a line of a template, or a part of one.
        template: the name of the template.
        line: the number of the line.
        starts_line: whether the text begins at the start of the line, so that its columns are known.
    """
    content = _CONTENT.search(text)
    if content is None:
        return text
    column = content.start() + 1 if starts_line else _UNKNOWN_COLUMN
    return f"{text[: content.start()]}{_mark(template, line, column)}{text[content.start() :]}"


def _mark(template: str, line: int, column: int) -> str:
    return f"\ue000{template}:{line}:{column}\ue001"
