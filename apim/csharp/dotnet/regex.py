"""Regular expressions and their matches."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from apim.csharp.dotnet.regex_translation import Pattern, translate
from apim.csharp.dotnet.types import clr
from apim.csharp.dotnet.values import EnumValue
from apim.csharp.errors import DotNetException, argument_null, index_out_of_range

_REPLACEMENT = re.compile(r"\$(?:(\d+)|\{(\w+)\}|([$&`'_+]))")


class Regex:
    """A compiled regular expression."""

    __slots__ = ("pattern", "text")
    clr_type = clr("Regex")

    def __init__(self, pattern: str | None, options: Any = None) -> None:
        if pattern is None:
            raise argument_null("pattern")
        self.text = pattern
        self.pattern: Pattern = translate(pattern, options.number if isinstance(options, EnumValue) else 0)

    def clr_text(self) -> str:
        """The pattern."""
        return self.text


class Group:
    """A group; group 0 is the whole match. A group that did not participate is unsuccessful and empty."""

    __slots__ = ("index", "success", "value")
    clr_type = clr("Group")

    def __init__(self, value: str | None, index: int) -> None:
        self.success = value is not None
        self.value = value or ""
        self.index = index if value is not None else 0

    def clr_text(self) -> str:
        """The value."""
        return self.value


class Match(Group):
    """A match."""

    __slots__ = ("found", "pattern")
    clr_type = clr("Match")

    def __init__(self, pattern: Pattern, found: re.Match[str] | None) -> None:
        super().__init__(found[0] if found else None, found.start() if found else 0)
        self.pattern = pattern
        self.found = found

    def following(self) -> "Match":
        """NextMatch(): the next match in the same string."""
        found = self.found
        if found is None:
            return self
        # After an empty match, .NET continues one character later, even if another match starts here.
        start = found.end() + (not found[0])
        later = self.pattern.compiled.search(found.string, start) if start <= len(found.string) else None
        return Match(self.pattern, later)

    def group(self, number: int) -> Group:
        """The group with .NET's number."""
        if number == 0:
            return self
        if self.found is None or not 0 < number < len(self.pattern.numbers):
            return Group(None, 0)
        own = self.pattern.numbers[number]
        return Group(self.found[own], self.found.start(own))

    def named(self, name: str | None) -> Group:
        """The group with this name."""
        if name is None:
            raise argument_null("groupname")
        return self.group(self.pattern.names.get(name, -1))


class Groups:
    """GroupCollection."""

    __slots__ = ("match",)
    clr_type = clr("GroupCollection")

    def __init__(self, match: Match) -> None:
        self.match = match

    def __len__(self) -> int:
        return len(self.match.pattern.numbers) if self.match.found is not None else 1

    def __iter__(self) -> Iterator[Group]:
        return (self.match.group(number) for number in range(len(self)))


class Matches:
    """MatchCollection."""

    __slots__ = ("items",)
    clr_type = clr("MatchCollection")

    def __init__(self, items: list[Match]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Match]:
        return iter(self.items)

    def at(self, index: int) -> Match:
        """The match at an index."""
        if not 0 <= index < len(self.items):
            raise index_out_of_range()
        return self.items[index]


def expand(match: Match, replacement: str) -> str:
    """Replaces `$1`, `${name}`, `$&` and so on in a replacement pattern by the parts of a match."""
    if match.found is None:
        raise DotNetException("NotSupportedException", "Result cannot be called on a failed Match.")
    return expansion(match.pattern, replacement)(match.found)


def expansion(pattern: Pattern, replacement: str) -> Callable[[re.Match[str]], str]:
    """The function that expands a replacement pattern for a match."""
    parts: list[Callable[[re.Match[str]], str]] = []
    position = 0
    for mark in _REPLACEMENT.finditer(replacement):
        parts += _literal(replacement[position : mark.start()]), _part(pattern, mark)
        position = mark.end()
    parts.append(_literal(replacement[position:]))
    return lambda found: "".join([part(found) for part in parts])


def _literal(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _found: text


def _part(pattern: Pattern, mark: re.Match[str]) -> Callable[[re.Match[str]], str]:
    number, name, sign = mark.groups()
    if sign is None:
        wanted = pattern.names.get(str(int(number)) if number else name)
        return _literal(mark[0]) if wanted is None else _group(pattern, wanted)
    if sign == "+":
        return _group(pattern, len(pattern.numbers) - 1)
    return _SIGNS[sign]


def _group(pattern: Pattern, number: int) -> Callable[[re.Match[str]], str]:
    own = pattern.numbers[number]
    return lambda found: found[own] or ""


_SIGNS: Final[dict[str, Callable[[re.Match[str]], str]]] = {
    "$": lambda _found: "$",
    "&": lambda found: found[0],
    "`": lambda found: found.string[: found.start()],
    "'": lambda found: found.string[found.end() :],
    "_": lambda found: found.string,
}
