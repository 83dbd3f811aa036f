"""Parses policy documents in the `rawxml` format, which is not XML.

Attributes and texts contain C# without escapes, including quotes and `<`. For a value that begins with
`@(` or `@{` this parser finds the end with the bracket scanner for C#.
https://learn.microsoft.com/azure/api-management/api-management-howto-policies
"""

import html
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

from apim.csharp import CSharpError, find_end
from apim.findings import Finding, PolicyError

_NAME = re.compile(r"[A-Za-z_][\w.:-]*")
_SPACE = re.compile(r"\s*")
_ENTITY = re.compile(r"&(?:quot|apos|lt|gt|amp|#\d+|#[xX][0-9A-Fa-f]+);")
_ENCODED_QUOTE = re.compile(r"&(?:quot|apos|#0*34|#0*39|#[xX]0*22|#[xX]0*27);")
_CSHARP_OPAQUE = re.compile(
    r"""\$?@\$?"(?:[^"]|"")*"|\$?"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/""", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An attribute's value or an element's text: a literal, or one whole expression, never a mixture.

    Attributes:
        text: a literal with its entities resolved, or C# including its `@( )` or `@{ }`.
        expression: whether it is an expression.
        line: line of the first character of `text`, from 1.
        column: column of the first character of `text`, from 1.
        decoded: whether C# was written with XML entities and has been decoded.
    """

    text: str
    expression: bool
    line: int
    column: int
    decoded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An element with the source locations of its parts.

    Attributes:
        text: None when the element contains only white space, comments and elements.
    """

    name: str
    line: int
    column: int
    attributes: dict[str, Value] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    text: Value | None = None


def parse(source: str, document: str) -> Element:
    """The root element of a policy document. The result is cached and must not be changed.

    Raises:
        PolicyError: the document cannot be parsed; the finding has the location of the first error.
    """
    return _read(source, document)[0]


def comments(source: str, document: str) -> tuple[Value, ...]:
    """The comments of a policy document, without `<!--` and `-->`.

    Raises:
        PolicyError: the document cannot be parsed.
    """
    return _read(source, document)[1]


@lru_cache(maxsize=2048)
def _read(source: str, document: str) -> tuple[Element, tuple[Value, ...]]:
    """The root element and the comments, cached because lint rules and gateways read them many times."""
    reader = _Reader(source, document)
    return reader.document(), tuple(reader.comments)


@dataclass(slots=True)
class _Content:
    """The text of an element so far; comments and elements may be between its parts."""

    texts: list[str] = field(default_factory=list)
    first: int | None = None
    expression: Value | None = None


class _Reader:
    def __init__(self, source: str, document: str) -> None:
        self._source = source
        self._document = document
        self._at = 0
        self.comments: list[Value] = []
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]

    def document(self) -> Element:
        self._misc()
        root = self._element()
        self._misc()
        if self._at < len(self._source):
            self._fail(self._at, "text after the end of the root element")
        return root

    def _location(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _fail(self, offset: int, message: str) -> NoReturn:
        line, column = self._location(offset)
        raise PolicyError([Finding(document=self._document, line=line, column=column, message=message)])

    def _space(self) -> None:
        match = _SPACE.match(self._source, self._at)
        if match:
            self._at = match.end()

    def _skip_past(self, end: str, what: str) -> str:
        start, found = self._at, self._source.find(end, self._at)
        if found < 0:
            self._fail(start, f"{what} is not closed with {end}")
        self._at = found + len(end)
        return self._source[start:found]

    def _misc(self) -> None:
        """Skips white space, comments and processing instructions around the root element."""
        if self._source.startswith("\ufeff", self._at):
            self._at += 1
        while True:
            self._space()
            if self._source.startswith("<!--", self._at):
                self._comment()
            elif self._source.startswith("<?", self._at):
                self._skip_past("?>", "this processing instruction")
            else:
                return

    def _comment(self) -> None:
        self._at += 4
        line, column = self._location(self._at)
        text = self._skip_past("-->", "this comment")
        self.comments.append(Value(text=text, expression=False, line=line, column=column))

    def _name(self, what: str) -> str:
        match = _NAME.match(self._source, self._at)
        if match is None:
            self._fail(self._at, f"{what} expected")
        self._at = match.end()
        return match[0]

    def _element(self) -> Element:
        start = self._at
        if not self._source.startswith("<", start):
            self._fail(start, "expected an element such as <policies>")
        self._at += 1
        name = self._name("an element's name")
        line, column = self._location(start)
        element = Element(name=name, line=line, column=column, attributes=self._attributes(name))
        if self._source.startswith("/>", self._at):
            self._at += 2
            return element
        if not self._source.startswith(">", self._at):
            self._fail(self._at, f"expected an attribute, > or /> of <{name}>")
        self._at += 1
        text = self._content(element)
        return Element(
            name=name,
            line=line,
            column=column,
            attributes=element.attributes,
            children=element.children,
            text=text,
        )

    def _attributes(self, element: str) -> dict[str, Value]:
        attributes: dict[str, Value] = {}
        while True:
            before = self._at
            self._space()
            if self._at >= len(self._source) or self._source[self._at] in "/>":
                return attributes
            if self._at == before:
                self._fail(self._at, f"expected white space between the attributes of <{element}>")
            start = self._at
            name = self._name(f"an attribute's name in <{element}>")
            if name in attributes:
                self._fail(start, f"the attribute {name} occurs twice in <{element}>")
            self._space()
            if not self._source.startswith("=", self._at):
                self._fail(self._at, f"expected = after the attribute {name}")
            self._at += 1
            self._space()
            attributes[name] = self._attribute_value(name)

    def _attribute_value(self, name: str) -> Value:
        source, start = self._source, self._at
        quote = source[start : start + 1]
        if quote not in {'"', "'"}:
            self._fail(start, f"the value of {name} must be in quotes")
        self._at += 1
        expression = self._expression(quote, f"the attribute {name}")
        if expression is not None:
            self._space()
            if not source.startswith(quote, self._at):
                self._fail(
                    self._at,
                    f"expected the closing quote after the expression in {name}; "
                    "a value must be a literal or one whole expression",
                )
            self._at += 1
            return expression
        raw = self._skip_past(quote, f"the value of {name}")
        if "<" in raw:
            self._fail(
                start + 1 + raw.index("<"), f"< is not allowed in the literal value of {name}: write &lt;"
            )
        line, column = self._location(start + 1)
        return Value(text=self._resolve(raw, start + 1), expression=False, line=line, column=column)

    def _expression(self, closing: str, where: str) -> Value | None:
        """The expression that begins here, after white space; None for a literal, which `closing` ends."""
        source = self._source
        match = _SPACE.match(source, self._at)
        start = match.end() if match else self._at
        if source[start : start + 2] not in {"@(", "@{"}:
            return None
        line, column = self._location(start)
        literal_end = source.find(closing, start)
        encoded = source[start : literal_end if literal_end >= 0 else len(source)]
        if "&" in encoded and _ENCODED_QUOTE.search(_CSHARP_OPAQUE.sub("", encoded)):
            decoded = html.unescape(encoded).rstrip()
            self._at = start + len(encoded)
            if self._end(decoded, 0, start, where) != len(decoded):
                self._fail(start, f"{where} contains more than one expression")
            return Value(text=decoded, expression=True, line=line, column=column, decoded=True)
        end = self._end(source, start, start, where)
        self._at = end
        text = source[start:end]
        if "&" in text and _ENTITY.search(_CSHARP_OPAQUE.sub("", text)):
            return Value(text=html.unescape(text), expression=True, line=line, column=column, decoded=True)
        return Value(text=text, expression=True, line=line, column=column)

    def _end(self, source: str, start: int, location: int, where: str) -> int:
        try:
            return find_end(source, start)
        except CSharpError as error:
            self._fail(location, f"the expression in {where} is not closed: {error.message}")

    def _content(self, element: Element) -> Value | None:
        """Parses the content and the end tag; adds the children and returns the text."""
        source, content = self._source, _Content()
        while self._at < len(source):
            if source.startswith("</", self._at):
                self._end_tag(element)
                return self._text(content)
            if source.startswith("<!--", self._at):
                self._comment()
            elif source.startswith("<![CDATA[", self._at):
                self._at += 9
                self._characters(element, content, "]]>")
                self._at += 3
            elif source.startswith("<?", self._at):
                self._skip_past("?>", "this processing instruction")
            elif source[self._at] == "<":
                element.children.append(self._element())
            else:
                self._characters(element, content, "<")
        message = f"<{element.name}> is not closed"
        finding = Finding(document=self._document, line=element.line, column=element.column, message=message)
        raise PolicyError([finding])

    def _end_tag(self, element: Element) -> None:
        start = self._at
        self._at += 2
        name = self._name("an element's name")
        if name != element.name:
            self._fail(start, f"</{name}> does not match <{element.name}> in line {element.line}")
        self._space()
        if not self._source.startswith(">", self._at):
            self._fail(self._at, f"expected > after </{name}")
        self._at += 1

    def _characters(self, element: Element, content: "_Content", closing: str) -> None:
        """Parses text up to `closing`: a literal or one expression."""
        start, source = self._at, self._source
        expression = self._expression(closing, f"<{element.name}>")
        if expression is not None:
            if content.expression is not None or "".join(content.texts).strip():
                self._fail(start, _MIXED.format(element.name))
            content.expression = expression
            start = self._at
        end = source.find(closing, start)
        if end < 0 and closing != "<":
            self._fail(start, f"this CDATA section is not closed with {closing}")
        end = len(source) if end < 0 else end
        raw = source[start:end]
        mixed = _EXPRESSION_START.search(raw)
        if raw.strip() and (content.expression is not None or mixed):
            self._fail(start + (mixed.start() if mixed else 0), _MIXED.format(element.name))
        content.first = start if content.first is None else content.first
        content.texts.append(raw if closing == "]]>" else self._resolve(raw, start))
        self._at = end

    def _text(self, content: "_Content") -> Value | None:
        if content.expression is not None:
            return content.expression
        text = "".join(content.texts)
        if not text.strip() or content.first is None:
            return None
        line, column = self._location(content.first)
        return Value(text=text, expression=False, line=line, column=column)

    def _resolve(self, raw: str, offset: int) -> str:
        """A literal with its entities resolved."""
        if "&" not in raw:
            return raw
        for match in re.finditer("&", raw):
            if not _ENTITY.match(raw, match.start()):
                self._fail(offset + match.start(), "& is not allowed in a literal: write &amp;")
        return html.unescape(raw)


_EXPRESSION_START = re.compile(r"(?<![\w.])@[({]")
_MIXED = "<{}> mixes text and an expression: write the whole value as one expression"
