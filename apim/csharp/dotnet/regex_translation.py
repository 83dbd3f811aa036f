"""Translates .NET regular expressions to Python's, and rejects those with a different meaning in Python.

https://learn.microsoft.com/dotnet/standard/base-types/regular-expression-language-quick-reference
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from apim.csharp.errors import DotNetException, UnsupportedError
from apim.csharp.language.literals import SURROGATE

IGNORE_CASE, MULTILINE, EXPLICIT_CAPTURE, COMPILED, SINGLELINE, INVARIANT = 1, 2, 4, 8, 16, 512
_KNOWN: Final = IGNORE_CASE | MULTILINE | EXPLICIT_CAPTURE | COMPILED | SINGLELINE | INVARIANT
_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_GROUP_NAME = re.compile(r"\(\?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')")
_INLINE = re.compile(r"\(\?([imns]*)(?:-([imns]+))?([:)])")
_CATEGORIES: Final = {"L": "A-Za-z", "Lu": "A-Z", "Ll": "a-z", "N": "0-9", "Nd": "0-9"}
_PLAIN_ESCAPES: Final = frozenset("wWdDsSbBAafnrtv")
# Characters for which \w, \b, \s or case differ between .NET and Python.
_CLASSIFIED_DIFFERENTLY = re.compile(
    "[\x1c-\x1f\u200c\u200d\u0131\u0130\u017f\u212a\u0300-\u036f\u203f\u2040\u00b2\u00b3\u00b9\u00bc-\u00be]"
)

_CLASSES = re.compile(r"\\[wWdDsSbBpPkK]|\(\?[a-zA-Z-]*i")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern.

    Attributes:
        compiled: the pattern in Python.
        numbers: for each number of a group in .NET, its number in Python.
        names: the number in .NET of each group, by its name; the name of an unnamed group is its number.
        ascii_only: whether it contains Unicode categories, which are translated for ASCII only.
        classifies_characters: whether its matches depend on character classes or on upper and lower case.
    """

    compiled: re.Pattern[str]
    numbers: tuple[int, ...]
    names: dict[str, int]
    ascii_only: bool
    classifies_characters: bool

    def check(self, text: str) -> str:
        """Returns the string, if .NET and Python classify its characters in the same way.

        Raises:
            UnsupportedError: it contains characters that they classify differently.
        """
        if not self.classifies_characters:
            return text
        uncertain = not text.isascii() and (self.ascii_only or SURROGATE.search(text))
        if uncertain or _CLASSIFIED_DIFFERENTLY.search(text):
            raise UnsupportedError(
                "a regular expression on characters that .NET and Python classify differently"
            )
        return text


def parse_error(pattern: str, message: str) -> DotNetException:
    """The exception for an invalid pattern."""
    return DotNetException("RegexParseException", f"Invalid pattern '{pattern}'. {message}")


@lru_cache(maxsize=512)
def translate(pattern: str, options: int) -> Pattern:
    """The Python form of a .NET pattern.

    Raises:
        DotNetException: RegexParseException.
        UnsupportedError: a construct that Python does not have or interprets differently.
    """
    if options & ~_KNOWN:
        raise UnsupportedError(f"(RegexOptions){options & ~_KNOWN}")
    translator = _Translator(pattern, options)
    text = translator.run()
    flags = (
        (re.IGNORECASE if options & IGNORE_CASE else 0)
        | (re.MULTILINE if options & MULTILINE else 0)
        | (re.DOTALL if options & SINGLELINE else 0)
    )
    try:
        compiled = re.compile(text, flags)
    except re.error as error:
        if "look-behind" in error.msg:
            raise UnsupportedError("a look-behind of variable width in a regular expression") from None
        raise parse_error(pattern, error.msg) from None
    except (OverflowError, RecursionError):
        raise UnsupportedError("a regular expression that is too large for Python") from None
    unnamed = [index for index, name in enumerate(translator.groups, 1) if name is None]
    named = {name: index for index, name in enumerate(translator.groups, 1) if name is not None}
    numbers = (0, *unnamed, *named.values())
    if translator.references and unnamed and named:
        raise UnsupportedError("numbered references together with named groups in a regular expression")
    names = {str(number): number for number in range(len(numbers))}
    names.update({name: len(unnamed) + 1 + position for position, name in enumerate(named)})
    # Without classes, word boundaries and letter case, a pattern only compares code units.
    classifies = bool(flags & re.IGNORECASE or _CLASSES.search(pattern) or translator.ascii_only)
    return Pattern(compiled, numbers, names, translator.ascii_only, classifies)


class _Translator:
    def __init__(self, pattern: str, options: int) -> None:
        self.pattern = pattern
        self.explicit = bool(options & EXPLICIT_CAPTURE)
        self.position = 0
        self.groups: list[str | None] = []
        self.references = False
        # Categories are listed for ASCII only; input with other characters is rejected.
        self.ascii_only = False

    def run(self) -> str:
        pieces: list[str] = []
        while self.position < len(self.pattern):
            pieces.append(self._next())
        return "".join(pieces)

    def _next(self) -> str:  # noqa: PLR0911 -- one case per kind
        here = self.pattern[self.position]
        match here:
            case "\\":
                return self._escape(in_class=False)
            case "[":
                return self._class()
            case "(":
                return self._group()
            case "{":
                quantifier = _QUANTIFIER.match(self.pattern, self.position)
                self.position += 1
                if quantifier is None:
                    return "\\{"
                self.position = quantifier.end()
                return quantifier[0] + self._after_quantifier()
            case "*" | "+" | "?":
                self.position += 1
                return here + self._after_quantifier()
            case "}" | "]":
                self.position += 1
                return "\\" + here
        self.position += 1
        return here

    def _after_quantifier(self) -> str:
        """Reads the `?` of a lazy quantifier; rejects `*+`, an error in .NET and possessive in Python."""
        text = ""
        if self.pattern.startswith("?", self.position):
            self.position += 1
            text = "?"
        following = self.pattern[self.position : self.position + 1]
        if (following and following in "*+?") or _QUANTIFIER.match(self.pattern, self.position):
            raise parse_error(self.pattern, "Nested quantifier.")
        return text

    def _escape(self, *, in_class: bool) -> str:  # noqa: C901, PLR0911, PLR0912 -- one case per kind
        code = self.pattern[self.position + 1 : self.position + 2]
        if not code:
            raise parse_error(self.pattern, "Illegal \\ at end of pattern.")
        self.position += 2
        if in_class and code in "AB":
            raise parse_error(self.pattern, f"Unrecognized escape sequence \\{code}.")
        if code in _PLAIN_ESCAPES:
            return "\\" + code
        if code in {"u", "x"}:
            return self._code(code)
        if code == "e":
            return "\\x1b"
        if code == "z" and not in_class:
            return "\\Z"
        if code == "Z" and not in_class:
            return "(?=\\n?\\Z)"
        if code == "k" and not in_class:
            return self._named_reference()
        if code.isdigit():
            if code == "0" or in_class or self.pattern[self.position : self.position + 1].isdigit():
                raise UnsupportedError("octal codes and references above 9 in a regular expression")
            self.references = True
            return "(?:\\" + code + ")"
        if code in {"p", "P"} and not in_class:
            return self._category(negated=code == "P")
        if code in {"p", "P", "G", "c"}:
            raise UnsupportedError(f"\\{code} in a regular expression")
        if code.isalpha() or code == "_":
            raise parse_error(self.pattern, f"Unrecognized escape sequence \\{code}.")
        return re.escape(code)

    def _category(self, *, negated: bool) -> str:
        match = re.compile(r"\{(\w+)\}").match(self.pattern, self.position)
        members = _CATEGORIES.get(match[1]) if match is not None else None
        if match is None or members is None:
            category = f"\\{'P' if negated else 'p'}{match[0] if match else ''}"
            raise UnsupportedError(f"{category} in a regular expression")
        self.position = match.end()
        self.ascii_only = True
        return f"[{'^' if negated else ''}{members}]"

    def _code(self, kind: str) -> str:
        size = 4 if kind == "u" else 2
        digits = self.pattern[self.position : self.position + size]
        if not re.fullmatch(f"[0-9a-fA-F]{{{size}}}", digits):
            raise parse_error(self.pattern, "Insufficient hexadecimal digits.")
        self.position += size
        return f"\\{kind}{digits}"

    def _named_reference(self) -> str:
        match = re.compile(r"[<'](\w+)[>']").match(self.pattern, self.position)
        if match is None or match[1].isdigit():
            reference = f"\\k{match[0] if match else ''}"
            raise UnsupportedError(f"{reference} in a regular expression")
        self.position = match.end()
        return f"(?P={match[1]})"

    def _group(self) -> str:
        named = _GROUP_NAME.match(self.pattern, self.position)
        if named:
            name = named[1] or named[2]
            if name in self.groups:
                raise UnsupportedError("two groups with the same name in a regular expression")
            self.groups.append(name)
            self.position = named.end()
            return f"(?P<{name}>"
        for opening in ("(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"):
            if self.pattern.startswith(opening, self.position):
                self.position += len(opening)
                return opening
        inline = _INLINE.match(self.pattern, self.position)
        if inline is not None:
            return self._inline(inline)
        if self.pattern.startswith("(?#", self.position):
            end = self.pattern.find(")", self.position)
            if end < 0:
                raise parse_error(self.pattern, "Unterminated (?#...) comment.")
            self.position = end + 1
            return ""
        if self.pattern.startswith("(?", self.position):
            beginning = self.pattern[self.position : self.position + 3]
            raise UnsupportedError(f"a group that begins with {beginning} in a regular expression")
        self.position += 1
        if self.explicit:
            return "(?:"
        self.groups.append(None)
        return "("

    def _inline(self, match: re.Match[str]) -> str:
        on, off, closing = match.groups()
        if "n" in on or "n" in (off or ""):
            raise UnsupportedError("the inline option n in a regular expression")
        if closing == ")":
            if self.position:
                raise UnsupportedError("inline options that are not at the beginning of a regular expression")
            if off:
                raise UnsupportedError(f"{match[0]} at the beginning of a regular expression")
            self.position = match.end()
            return f"(?{on})" if on else ""
        self.position = match.end()
        return f"(?{on}-{off}:" if off else f"(?{on}:"

    def _class(self) -> str:
        start = self.position
        self.position += 1
        text = "["
        if self.pattern.startswith("^", self.position):
            self.position += 1
            text += "^"
        first = True
        while self.position < len(self.pattern):
            here = self.pattern[self.position]
            if here == "]" and not first:
                self.position += 1
                return text + "]"
            if self.pattern.startswith("-[", self.position) and not first:
                raise UnsupportedError("class subtraction in a regular expression")
            if here == "\\":
                text += self._escape(in_class=True)
            else:
                text += "\\" + here if here in "[]&~|#" else here
                self.position += 1
            first = False
        raise parse_error(self.pattern[start:], "Unterminated [] set.")
