"""Splits C# into tokens, and finds the end of an expression.

The token of an interpolated string contains the tokens of its holes, nested to any depth.
Source: the chapter "Lexical structure" of the C# 7.3 specification.
"""

import re
from dataclasses import dataclass
from typing import Final

from apim.csharp.errors import CompileError, CSharpError

KEYWORDS: Final = frozenset(
    [
        "abstract",
        "as",
        "base",
        "bool",
        "break",
        "byte",
        "case",
        "catch",
        "char",
        "checked",
        "class",
        "const",
        "continue",
        "decimal",
        "default",
        "delegate",
        "do",
        "double",
        "else",
        "enum",
        "event",
        "explicit",
        "extern",
        "false",
        "finally",
        "fixed",
        "float",
        "for",
        "foreach",
        "goto",
        "if",
        "implicit",
        "in",
        "int",
        "interface",
        "internal",
        "is",
        "lock",
        "long",
        "namespace",
        "new",
        "null",
        "object",
        "operator",
        "out",
        "override",
        "params",
        "private",
        "protected",
        "public",
        "readonly",
        "ref",
        "return",
        "sbyte",
        "sealed",
        "short",
        "sizeof",
        "stackalloc",
        "static",
        "string",
        "struct",
        "switch",
        "this",
        "throw",
        "true",
        "try",
        "typeof",
        "uint",
        "ulong",
        "unchecked",
        "unsafe",
        "ushort",
        "using",
        "virtual",
        "void",
        "volatile",
        "while",
    ]
)

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\r\n]*|/\*[\s\S]*?\*/)
  | (?P<interpolated>\$@"|@\$"|\$")
  | (?P<verbatim>@"(?:[^"]|"")*")
  | (?P<raw>\$*\"{3,})
  | (?P<string>"(?:[^"\\\r\n]|\\.)*")
  | (?P<char>'(?:[^'\\\r\n]|\\[^\r\n][^'\r\n]*)')
  | (?P<number>0[xX][0-9a-fA-F_]+[uUlL]*|0[bB][01_]+[uUlL]*
      |(?:\d[\d_]*)?\.\d[\d_]*(?:[eE][+-]?\d+)?[fFdDmM]?|\d[\d_]*[eE][+-]?\d+[fFdDmM]?|\d[\d_]*(?:[fFdDmM]|[uUlL]+)?)
  | (?P<name>@?[^\W\d]\w*)
  | (?P<op>\?\?=|<<=|=>|->|::|\+\+|--|&&|\|\||==|!=|<=|>=|\+=|-=|\*=|/=|%=|&=|\|=|\^=|<<|\?\?|\.\.
      |[-+*/%&|^~!=<>?:;,.(){}\[\]])
    """,
    re.VERBOSE,
)
# Tokens that `find_end` skips: they are not brackets, and brackets inside them are not counted.
_SKIPPED = re.compile(
    r"""
    (?:
        \s+|//[^\r\n]*|/\*[\s\S]*?\*/
      | @"(?:[^"]|"")*"
      | (?!"{3})"(?:[^"\\\r\n]|\\.)*"
      | '(?:[^'\\\r\n]|\\[^\r\n][^'\r\n]*)'
      | @?[^\W\d]\w*|\d\w*
      | (?!/\*)[-+*/%&|^~!=<>?:;,.]
    )*+
    """,
    re.VERBOSE,
)
_OPEN: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSE: Final = frozenset(_OPEN.values())
_BRACKETS: Final = _CLOSE | _OPEN.keys()
_UNFINISHED: Final = {
    '"': "a string that is not closed on its line",
    "'": "a character literal that is not closed",
    "/": "a comment that is not closed",
    "@": "a verbatim string that is not closed",
    "#": "a preprocessor directive",
    "`": "a character that C# does not allow",
}


@dataclass(frozen=True, slots=True)
class Hole:
    """`{tokens,alignment:format}` of an interpolated string."""

    tokens: "tuple[Token, ...]"
    alignment: "tuple[Token, ...]"
    format: str | None


@dataclass(frozen=True, slots=True)
class Token:
    """One token; the `parts` of an interpolated string are its raw strings and its holes."""

    kind: str
    text: str
    start: int
    end: int
    parts: tuple[str | Hole, ...] = ()


def find_end(source: str, start: int) -> int:
    """The index just after the `)` or `}` that closes the expression starting with `@` at `start`.

    Raises:
        CSharpError: the expression is not closed; line and column are positions in `source`, the name is
            empty.
    """
    try:
        return _closed_at(source, start + 1)
    except CompileError as error:
        line = source.count("\n", 0, error.at) + 1
        column = error.at - (source.rfind("\n", 0, error.at) + 1) + 1
        raise CSharpError(
            error.message, name="", line=line, column=column, construct=error.construct
        ) from None


def tokens_of(source: str, start: int, end: int) -> tuple[Token, ...]:
    """The tokens between two offsets, followed by one of kind `end`."""
    tokens: list[Token] = []
    position = start
    while position < end:
        token, position = _next(source, position, end)
        if token is not None:
            tokens.append(token)
    tokens.append(Token("end", "", end, end))
    return tuple(tokens)


def _next(source: str, position: int, end: int) -> tuple[Token | None, int]:
    match = _TOKEN.match(source, position, end)
    if match is None:
        unfinished = _UNFINISHED.get(
            source[position], f"the character {source[position]!r} is not allowed in C#"
        )
        raise CompileError(unfinished, position)
    kind = match.lastgroup or ""
    if kind == "space":
        return None, match.end()
    if kind == "raw" and match.group() not in {'""', '$""'}:
        raise CompileError("raw string literals are newer than C# 7", position, "raw string")
    if kind == "interpolated":
        parts, after = _interpolated(source, match.end(), end, verbatim="@" in match.group())
        return Token("interpolated", match.group(), position, after, parts), after
    text = match.group()
    if kind == "op" and text == "/" and source.startswith("/*", position):
        raise CompileError(_UNFINISHED["/"], position)
    if kind == "name" and text in KEYWORDS:
        kind = "keyword"
    return Token(kind, text, position, match.end()), match.end()


def _closed_at(source: str, position: int) -> int:
    """The index just after the bracket that closes the one at `position`."""
    if source[position - 1] != "@" or source[position : position + 1] not in {"(", "{"}:
        raise CompileError("an expression must start with @( or @{", position - 1)
    waiting: list[tuple[str, int]] = []
    end = len(source)
    while position < end:
        character = source[position]
        if character not in _BRACKETS:
            _, position = _next(source, position, end)
        elif _follow(character, position, waiting):
            return position + 1
        else:
            position += 1
        if skipped := _SKIPPED.match(source, position):
            position = skipped.end()
    bracket, opened = waiting[-1] if waiting else ("", position)
    raise CompileError(f"this bracket is not closed with {bracket}", opened, "bracket")


def _follow(text: str, start: int, waiting: list[tuple[str, int]]) -> bool:
    """Updates the stack of open brackets; returns True if the first one has been closed."""
    if text in _OPEN:
        waiting.append((_OPEN[text], start))
    elif text in _CLOSE:
        expected = waiting.pop()[0] if waiting else "no bracket"
        if expected != text:
            raise CompileError(f"expected {expected} to close a bracket, not {text}", start, "bracket")
        return not waiting
    return False


def _interpolated(
    source: str, position: int, end: int, *, verbatim: bool
) -> tuple[tuple[str | Hole, ...], int]:
    """The parts of an interpolated string, and the index after its closing quote."""
    opening = position
    parts: list[str | Hole] = []
    text = position
    while position < end:
        character = source[position]
        two = source[position : position + 2]
        if (verbatim and two == '""') or two in {"{{", "}}"} or (character == "\\" and not verbatim):
            position += 2
        elif character == '"':
            parts.append(source[text:position])
            return tuple(parts), position + 1
        elif character == "{":
            parts.append(source[text:position])
            hole, position = _hole(source, position, end)
            parts.append(hole)
            text = position
        elif character == "}" or (character in "\r\n" and not verbatim):
            raise CompileError("this interpolated string has a lone } or a line break", position)
        else:
            position += 1
    raise CompileError("this interpolated string is not closed", opening)


def _hole(source: str, position: int, end: int) -> tuple[Hole, int]:
    """The hole that starts with `{`, and the index after its `}`."""
    opening = position
    position += 1
    sections: list[list[Token]] = [[]]
    waiting: list[tuple[str, int]] = []
    while position < end:
        token, after = _next(source, position, end)
        if token is not None and token.kind == "op" and not waiting and token.text in {"}", ",", ":", "::"}:
            if token.text == "}":
                return _finish_hole(sections, None, position), after
            if token.text == ",":
                sections.append([])
            else:
                return _format(source, token.start + 1, end, sections)
        elif token is not None:
            if token.kind == "op":
                _follow(token.text, token.start, waiting)
            sections[-1].append(token)
        position = after
    raise CompileError("an expression in this interpolated string is not closed", opening)


def _format(source: str, position: int, end: int, sections: list[list[Token]]) -> tuple[Hole, int]:
    closing = source.find("}", position, end)
    text = source[position:closing]
    if closing < 0 or '"' in text or "{" in text or "\\" in text or source.startswith("}}", closing):
        raise CompileError("quotes, braces and escapes in a format are not supported", position, "format")
    return _finish_hole(sections, text, closing), closing + 1


def _finish_hole(sections: list[list[Token]], text: str | None, at: int) -> Hole:
    if len(sections) > 2 or not sections[0]:  # noqa: PLR2004 -- an expression and at most one alignment
        raise CompileError("expected one expression and at most one alignment", at, "interpolation")
    ended = [(*tokens, Token("end", "", at, at)) if tokens else () for tokens in sections]
    return Hole(tuple(ended[0]), tuple(ended[1]) if len(ended) > 1 else (), text)
