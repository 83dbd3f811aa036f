"""The members of Regex that API Management allows."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from apim.csharp.dotnet.date_times import TimeSpan
from apim.csharp.dotnet.regex import Group, Groups, Match, Matches, Regex, expand, expansion
from apim.csharp.dotnet.regex_translation import translate
from apim.csharp.dotnet.signature import NOT_CONSTANT, Checked, define, prepared_by
from apim.csharp.dotnet.values import EnumValue
from apim.csharp.errors import argument_null, out_of_range


def _input(regex: Regex, text: str | None) -> str:
    if text is None:
        raise argument_null("input")
    return regex.pattern.check(text)


def _is_match(regex: Regex, text: str | None) -> bool:
    return regex.pattern.compiled.search(_input(regex, text)) is not None


def _match(regex: Regex, text: str | None) -> Match:
    return Match(regex.pattern, regex.pattern.compiled.search(_input(regex, text)))


def _match_from(regex: Regex, text: str | None, start: int) -> Match:
    subject = _input(regex, text)
    if not 0 <= start <= len(subject):
        raise out_of_range("startat")
    return Match(regex.pattern, regex.pattern.compiled.search(subject, start))


def _all_in(regex: Regex, text: str) -> Iterator[re.Match[str]]:
    """All matches. After an empty match, .NET continues one character later, even if a match starts here."""
    position = 0
    while position <= len(text):
        for found in regex.pattern.compiled.finditer(text, position):
            yield found
            if not found[0]:
                position = found.end() + 1
                break
        else:
            return


def _matches(regex: Regex, text: str | None) -> Matches:
    return Matches([Match(regex.pattern, match) for match in _all_in(regex, _input(regex, text))])


def _split(regex: Regex, text: str | None, count: int = 0) -> list[str]:
    subject = _input(regex, text)
    if count < 0:
        raise out_of_range("count")
    if count == 1:
        return [subject]
    pieces: list[str] = []
    position = 0
    for index, found in enumerate(_all_in(regex, subject)):
        if count and index >= count - 1:
            break
        pieces.append(subject[position : found.start()])
        match = Match(regex.pattern, found)
        groups = [match.group(number) for number in range(1, len(regex.pattern.numbers))]
        pieces.extend(group.value for group in groups if group.success)
        position = found.end()
    return [*pieces, subject[position:]]


def _replaced(regex: Regex, text: str | None, make: Callable[[re.Match[str]], str | None], count: int) -> str:
    subject = _input(regex, text)
    if count < -1:
        raise out_of_range("count")
    found = _all_in(regex, subject)
    pieces, position = [], 0
    for match in found if count == -1 else islice(found, count):
        pieces += subject[position : match.start()], make(match) or ""
        position = match.end()
    return "".join([*pieces, subject[position:]])


def _replace(regex: Regex, text: str | None, replacement: str | None, count: int = -1) -> str:
    if replacement is None:
        raise argument_null("replacement")
    if "$" not in replacement:
        return _replaced(regex, text, lambda _match: replacement, count)
    return _replaced(regex, text, expansion(regex.pattern, replacement), count)


def _evaluate(
    regex: Regex, text: str | None, evaluator: Callable[[Match], str | None], count: int = -1
) -> str:
    return _replaced(regex, text, lambda match: evaluator(Match(regex.pattern, match)), count)


def _unescape(text: str | None) -> str:
    if text is None:
        raise argument_null("str")
    simple = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
    return re.sub(
        r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))",
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else simple.get(m[3], m[3]),
        text,
        flags=re.DOTALL,
    )


def _check(pattern: Any, options: Any = None, _timeout: Any = None) -> None:
    if isinstance(pattern, str):
        known = options if isinstance(options, EnumValue) else None
        if options is None or known is not None:
            translate(pattern, known.number if known is not None else 0)


def _check_second(_input_value: Any, pattern: Any, *rest: Any) -> None:
    options = next((argument for argument in rest if isinstance(argument, EnumValue)), None)
    if isinstance(pattern, str) and NOT_CONSTANT is not pattern:
        translate(pattern, options.number if options is not None else 0)


def _static(function: Callable[..., Any]) -> Checked:
    """The static method, whose parameters are the input, the pattern, others, and the options."""

    def prepare(pattern: str | None, *rest: Any) -> Callable[[str | None], Any] | None:
        if function is not _is_match or pattern is None or rest:
            return None
        regex = Regex(pattern)
        return lambda text: _is_match(regex, text)

    @prepared_by(prepare)
    def call(text: str | None, pattern: str | None, *rest: Any) -> Any:
        # The timeout is ignored.
        rest = rest[:-1] if rest and isinstance(rest[-1], TimeSpan) else rest
        options = rest[-1] if rest and isinstance(rest[-1], EnumValue) else None
        return function(Regex(pattern, options), text, *(rest[:-1] if options is not None else rest))

    return Checked(call, _check_second)


_METHODS = {
    "bool IsMatch": (_is_match, ""),
    "Match Match": (_match, ""),
    "MatchCollection Matches": (_matches, ""),
    "string[] Split": (_split, ""),
    "string Replace": (_replace, ", string replacement"),
}
_REPLACE = "string Replace"
_OPTIONS = ("", ", RegexOptions options", ", RegexOptions options, TimeSpan matchTimeout")
_REGEX = "System.Text.RegularExpressions"
define(
    f"class {_REGEX}.Regex",
    {
        "new(string pattern)": Checked(Regex, _check),
        "new(string pattern, RegexOptions options)": Checked(Regex, _check),
        "new(string pattern, RegexOptions options, TimeSpan matchTimeout)": Checked(
            lambda pattern, options, _timeout: Regex(pattern, options), _check
        ),
        **{
            f"static {name}(string input, string pattern{more}{options})": _static(function)
            for name, (function, more) in _METHODS.items()
            for options in _OPTIONS
        },
        **{
            f"static {_REPLACE}(string input, string pattern, MatchEvaluator evaluator{options})": (
                _static(_evaluate)
            )
            for options in _OPTIONS
        },
        **{f"{name}(string input{more})": function for name, (function, more) in _METHODS.items()},
        "string Replace(string input, MatchEvaluator evaluator)": _evaluate,
        "string Replace(string input, string replacement, int count)": _replace,
        "string Replace(string input, MatchEvaluator evaluator, int count)": _evaluate,
        "string[] Split(string input, int count)": _split,
        "Match Match(string input, int startat)": _match_from,
        "string ToString()": Regex.clr_text,
        "static string Unescape(string str)": _unescape,
    },
)
define(
    f"class {_REGEX}.Capture",
    {
        "string Value": lambda group: group.value,
        "int Index": lambda group: group.index,
        "int Length": lambda group: len(group.value),
        "string ToString()": Group.clr_text,
    },
)
define(f"class {_REGEX}.Group : Capture", {"bool Success": lambda group: group.success})


def _result(match: Match, replacement: str | None) -> str:
    if replacement is None:
        raise argument_null("replacement")
    return expand(match, replacement)


define(
    f"class {_REGEX}.Match : Group",
    {
        "GroupCollection Groups": Groups,
        "Match NextMatch()": Match.following,
        "string Result(string replacement)": _result,
    },
)
define(
    f"class {_REGEX}.GroupCollection : IEnumerable0",
    {
        "int Count": len,
        "Group this[int groupnum]": lambda groups, number: groups.match.group(number),
        "Group this[string groupname]": lambda groups, name: groups.match.named(name),
    },
)
define("class MatchCollection : IReadOnlyList<Match>", {"int Count": len, "Match this[int i]": Matches.at})
