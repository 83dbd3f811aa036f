"""The mutants of a template: copies with one small change of a condition, a limit or a statement."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NOT_CODE = re.compile(
    r"""//[^\n]*|@"(?:[^"]|"")*"|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|\[#.*?#\]""", re.DOTALL
)
_TOKENS = re.compile(r"(?P<open>[(\[{])|(?P<close>[)\]}])|&&|\|\||=>|[=!<>]=|\?\?|\?\.|\breturn\b|[;,=?:]")
_NO_BOUNDARY = ("==", "!=", "<=", ">=", "??", "?.")
_STATEMENTS = re.compile(
    r"^[ \t]*(?:\[\[ .* \]\]|<(?!base|fragment)[a-z-]+ [^\n]*/>|\[\"\w+\"\] = .*)[ \t]*$", re.MULTILINE
)
_GUARDS = re.compile(r"\[\[ guard\.(?:unless|when)\(.*\]\]")
_CHANGES = [
    (re.compile(pattern), new)
    for pattern, new in (
        ("==", "!="),
        ("!=", "=="),
        (" <= ", " < "),
        (" < ", " <= "),
        (" >= ", " > "),
        (" > ", " >= "),
    )
]
_SWAPS = [(re.compile("&&"), "||"), (re.compile(r"\|\|"), "&&")]
_PATTERNS = [
    (re.compile(r'(?<=@")\^'), ""),
    (re.compile(r'\\?\\z(?=["\'])'), ""),
    (re.compile("IgnoreCase"), ""),
]
_NUMBER = re.compile(r"(?<![\w.\-])\d{2,}(?![\w.])")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed template.

    Attributes:
        line: the first changed line, from 1.
        change: a description of the change.
        text: the whole text of the template.
    """

    line: int
    change: str
    text: str


def mutants(text: str, *, csharp: bool) -> Iterator[Mutant]:
    """All mutants of a template, each once.

    Args:
        text: the template.
        csharp: whether all of it is C#, and not a policy with expressions.
    """
    seen = {text}
    for start, end, new, change in _edits(text, csharp=csharp):
        changed = text[:start] + new + text[end:]
        if changed not in seen:
            seen.add(changed)
            yield Mutant(text.count("\n", 0, start) + 1, " ".join(change.split()), changed)


_Edit = tuple[int, int, str, str]


def _edits(text: str, *, csharp: bool) -> Iterator[_Edit]:
    for match in _STATEMENTS.finditer(text):
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        yield start, match.end(), "", f"remove {match[0].strip()}"
    for start, end in [(0, len(text))] if csharp else _expressions(text):
        if text.endswith('condition="@(', 0, start):
            yield start, end, "true", f"always: {text[start:end]}"
            yield start, end, "false", f"never: {text[start:end]}"
        for at, to, new, change in _edits_of_csharp(text[start:end]):
            yield start + at, start + to, new, change
    for guard in () if csharp else _GUARDS.finditer(text):
        for pattern, new in (*_CHANGES, *_SWAPS):
            for match in pattern.finditer(text, *guard.span()):
                yield *match.span(), new, f"{match[0]} becomes {new} in {guard[0]}"
    for pattern, new in _PATTERNS:
        for match in pattern.finditer(text):
            yield *match.span(), new, f"{match[0]} becomes '{new}'"


def _expressions(text: str) -> Iterator[tuple[int, int]]:
    """The expressions of a policy, `@(...)` and `@{...}`."""
    for match in re.finditer(r"@[({]", text):
        yield match.end(), match.end() + _length(_masked(text[match.end() :]))


def _edits_of_csharp(text: str) -> Iterator[_Edit]:
    masked = _masked(text)
    for operator, left, right in _operations(masked):
        start, end = operator.span()
        yield left, end, "", f"keep the right operand: {text[left:right]}"
        yield start, right, "", f"keep the left operand: {text[left:right]}"
    for match in re.finditer(r"\bif \(", masked):
        end = match.end() + _length(masked[match.end() :])
        yield match.end(), end, "false", f"never: {text[match.end() : end]}"
    for pattern, new in _CHANGES:
        for match in pattern.finditer(masked):
            yield *match.span(), new, f"{match[0]} becomes {new}: {_around(text, match)}"
    for match in _NUMBER.finditer(masked):
        yield (
            *match.span(),
            str(int(match[0]) + 1),
            f"{match[0]} becomes {int(match[0]) + 1}: {_around(text, match)}",
        )


def _operations(masked: str) -> Iterator[tuple[re.Match[str], int, int]]:
    """Each `&&` and `||` with the start of its left operand and the end of the right one."""
    tokens: list[tuple[re.Match[str], int]] = []
    depth = 0
    for match in _TOKENS.finditer(masked):
        depth += match["open"] is not None
        if match[0] not in _NO_BOUNDARY:
            tokens.append((match, depth))
        depth -= match["close"] is not None
    for index, (operator, inside) in enumerate(tokens):
        if operator[0] in ("&&", "||"):
            weaker = ("&&",) if operator[0] == "||" else ()
            same = [
                (at, token)
                for at, (token, level) in enumerate(tokens)
                if level == inside and token[0] not in weaker
            ]
            left = max((token.end() for at, token in same if at < index), default=0)
            right = min((token.start() for at, token in same if at > index), default=len(masked))
            yield operator, left, right


def _length(masked: str) -> int:
    """The length of what precedes the closing bracket."""
    depth = 1
    for position, character in enumerate(masked):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return position
    return len(masked)


def _masked(text: str) -> str:
    """The text with blanks in place of strings and comments."""
    return _NOT_CODE.sub(lambda match: " " * len(match[0]), text)


def _around(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - 40) : match.end() + 40]
