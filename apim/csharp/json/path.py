"""The paths of SelectToken, and the path of a token.

https://github.com/JamesNK/Newtonsoft.Json/blob/13.0.3/Src/Newtonsoft.Json/Linq/JsonPath/JPath.cs
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final

from apim.csharp.dotnet.values import Long
from apim.csharp.errors import DotNetException, argument_null
from apim.csharp.json.query import Comparison, Operand, Query, all_of, any_of
from apim.csharp.json.reader import SIMPLE_ESCAPES
from apim.csharp.json.tokens import JArray, JConstructor, JObject, JProperty, JToken, JValue, quoted_name

Step = Callable[[JToken, Iterable[JToken], bool], Iterator[JToken]]
"""One step of a path: a function of the root, the current tokens, and whether it must find a token."""

_OPERATOR = re.compile(r"===|==|=~|!==|!=|<>|<=|<|>=|>")
_NUMBER = re.compile(r"[-0-9][^ )]*(?=[ )])")
_WORD = re.compile(r"true|false|null")
_WORDS: Final = {"true": True, "false": False, "null": None}
_REGEX = re.compile(r"/(?:\\.|[^/\\])*/[^\W\d_]*", re.DOTALL)
_QUOTED = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_ENDS_OPERAND: Final = frozenset("=<!>|&")


def _error(message: str) -> DotNetException:
    return DotNetException("JsonException", message)


def _missing(strict: bool, message: str) -> None:
    if strict:
        raise _error(message)


class _PathReader:
    """Parses one path from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def path(self) -> list[Step]:
        self._space()
        start = self.position
        if self._here() == "$" and (len(self.text) == 1 or self.text[self.position + 1 :][:1] in {".", "["}):
            if len(self.text) == 1:
                return []
            self.position += 1
            start = self.position
        steps, ended = self._steps(start, query=False)
        if not ended:
            at = self.position
            self._space()
            if self.position < len(self.text):
                raise _error(f"Unexpected character while parsing path: {self.text[at]}")
        return steps

    def _here(self) -> str:
        return self.text[self.position : self.position + 1]

    def _need(self, message: str) -> str:
        if self.position >= len(self.text):
            raise _error(message)
        return self.text[self.position]

    def _space(self) -> None:
        while self._here() == " ":
            self.position += 1

    def _steps(self, start: int, *, query: bool) -> tuple[list[Step], bool]:  # noqa: C901 -- one case per character
        """The steps of a path or of an operand of a query, and whether the text ends after them."""
        steps: list[Step] = []
        scan = after_index = after_dot = False

        def member() -> None:
            nonlocal scan
            if self.position > start:
                steps.append(_fields(self.text[start : self.position], scan))
                scan = False

        while here := self._here():
            if here in "[(":
                member()
                steps.append(self._indexer("]" if here == "[" else ")", scan))
                scan = False
                self.position += 1
                start = self.position
                after_index, after_dot = True, False
            elif here in "]) " or (query and here in _ENDS_OPERAND):
                break
            elif here == ".":
                member()
                if self.text.startswith("..", self.position):
                    scan = True
                    self.position += 1
                self.position += 1
                start = self.position
                after_index, after_dot = False, True
            elif after_index:
                raise _error(f"Unexpected character following indexer: {here}")
            else:
                self.position += 1
        ended = self.position == len(self.text)
        if self.position > start:
            steps.append(_fields(self.text[start : self.position].rstrip(), scan))
        elif after_dot and (ended or query):
            raise _error("Unexpected end while parsing path.")
        return steps, ended

    def _indexer(self, closing: str, scan: bool) -> Step:
        self.position += 1
        self._need("Path ended with open indexer.")
        self._space()
        here = self._need("Path ended with open indexer.")
        if here == "'":
            return self._names(closing, scan)
        if here != "?":
            return self._places(closing)
        self.position += 1
        if self._need("Path ended with open indexer.") != "(":
            raise _error(f"Unexpected character while parsing path indexer: {self._here()}")
        self.position += 1
        query = self._query()
        self.position += 1
        self._need("Path ended with open indexer.")
        self._space()
        self._expect(closing)
        return _matching(query, scan)

    def _expect(self, closing: str) -> None:
        if self._need("Path ended with open indexer.") != closing:
            raise _error(f"Unexpected character while parsing path indexer: {self._here()}")

    def _names(self, closing: str, scan: bool) -> Step:
        names: list[str] = []
        while True:
            names.append(self._quoted())
            self._space()
            if self._need("Path ended with open indexer.") == closing:
                return _fields(names[0], scan, star=False) if len(names) == 1 else _named(names, scan)
            self._expect(",")
            self.position += 1
            self._space()

    def _quoted(self) -> str:
        match = _QUOTED.match(self.text, self.position)
        if match is None:
            raise _error("Path ended with an open string.")
        self.position = match.end()

        def escaped(found: re.Match[str]) -> str:
            if found[1] not in SIMPLE_ESCAPES:
                raise _error(f"Unknown escape character: \\{found[1]}")
            return SIMPLE_ESCAPES[found[1]]

        return re.sub(r"\\(.)", escaped, match[1], flags=re.DOTALL)

    def _places(self, closing: str) -> Step:
        """One or more indexes, a slice, or all items."""
        end = self.text.find(closing, self.position)
        if end < 0:
            raise _error("Path ended with open indexer.")
        inside = self.text[self.position : end].strip(" ")
        strange = re.search(r"[^\d\-,:* ]|(?<=\d) +(?=[\d-])", inside)
        if strange is not None or (inside != "*" and "*" in inside) or (":" in inside and "," in inside):
            raise _error(f"Unexpected character while parsing path indexer: {inside}")
        self.position = end
        if inside == "*":
            return _all_items
        pieces = [piece.strip(" ") for piece in re.split("[,:]", inside)]
        if ":" not in inside:
            if not all(pieces):
                raise _error("Array index expected.")
            return _items([_index(piece) for piece in pieces])
        start, stop, step = [_index(piece) if piece else None for piece in (*pieces, "", "")][:3]
        return _slice(start, stop, step)

    # Queries

    def _query(self) -> Query:
        """Conditions with `&&` and `||` of equal precedence; each change of operator nests a group."""
        group: list[Query] = []
        joined = ""
        outermost: Query | None = None
        while self.position < len(self.text):
            left = self._operand()
            if self._here() in {")", "|", "&"}:
                condition: Query = Comparison("", left, None)
            else:
                condition = Comparison(self._operator(), left, self._operand())
            here = self._here()
            if here == ")":
                if outermost is None:
                    return condition
                group.append(condition)
                return outermost
            if here in {"&", "|"}:
                if not self.text.startswith(here * 2, self.position):
                    raise _error(f"Unexpected character while parsing path query: {here}")
                self.position += 2
                if joined != here:
                    conditions: list[Query] = []
                    opened = (all_of if here == "&" else any_of)(conditions)
                    if outermost is None:
                        outermost = opened
                    else:
                        group.append(opened)
                    group, joined = conditions, here
                group.append(condition)
        raise _error("Path ended with open query.")

    def _operand(self) -> Operand:
        self._space()
        here = self._need("Path ended with open query.")
        if here in "$@":
            self.position += 1
            steps, ended = self._steps(self.position, query=True)
            if ended:
                raise _error("Path ended with open query.")
            found = _path_operand(steps, of_root=here == "$")
        else:
            found = _constant(self._value(here))
        self._space()
        self._need("Path ended with open query.")
        return found

    def _value(self, here: str) -> JToken:
        if here == "'":
            return JValue(self._quoted())
        for pattern in (_NUMBER, _WORD, _REGEX):
            match = pattern.match(self.text, self.position)
            if match is not None:
                self.position = match.end()
                return self._plain(match[0])
        raise _error(f"Unexpected character while parsing path query: {here}")

    def _plain(self, text: str) -> JToken:
        if text in _WORDS:
            return JValue(_WORDS[text])
        if text[0] == "/":
            return JValue(text)
        try:
            return JValue(float(text) if any(c in text for c in ".eE") else Long(text))
        except ValueError:
            raise _error(f"Unexpected character while parsing path query: {self._here()}") from None

    def _operator(self) -> str:
        match = _OPERATOR.match(self.text, self.position)
        if match is None:
            raise _error("Could not read query operator.")
        self.position = match.end()
        return match[0]


def _index(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", text):
        raise DotNetException("FormatException", f"The input string '{text}' was not in a correct format.")
    if not -(2**31) <= int(text) < 2**31:
        raise DotNetException("OverflowException", "Value was either too large or too small for an Int32.")
    return int(text)


def _path_operand(path: list[Step], *, of_root: bool) -> Operand:
    return lambda root, token: _walk(path, root, root if of_root else token, strict=False)


def _constant(value: JToken) -> Operand:
    return lambda _root, _token: [value]


# Steps


def _fields(name: str, scan: bool, *, star: bool = True) -> Step:
    if star and name == "*":
        return _scan_all if scan else _all_values
    return _named([name], scan)


def _named(names: list[str], scan: bool) -> Step:
    def select(_root: JToken, tokens: Iterable[JToken], strict: bool) -> Iterator[JToken]:
        for token in tokens:
            if scan:
                for descendant in _below(token):
                    if isinstance(descendant, JProperty) and descendant.name in names:
                        yield descendant.value
                continue
            for name in names:
                found = token.get(name) if isinstance(token, JObject) else None
                if found is not None:
                    yield found
                if found is None or len(names) > 1:
                    _missing(strict, f"Property '{name}' does not exist on {token.clr_type}.")

    return select


def _all_values(_root: JToken, tokens: Iterable[JToken], strict: bool) -> Iterator[JToken]:
    for token in tokens:
        if isinstance(token, JObject):
            for item in token.properties.values():
                yield item.value
        else:
            _missing(strict, f"Property '*' not valid on {token.clr_type}.")


def _scan_all(_root: JToken, tokens: Iterable[JToken], _strict: bool) -> Iterator[JToken]:
    for token in tokens:
        yield token
        for descendant in _below(token):
            if not isinstance(descendant, JProperty):
                yield descendant


def _all_items(_root: JToken, tokens: Iterable[JToken], strict: bool) -> Iterator[JToken]:
    for token in tokens:
        if isinstance(token, (JArray, JConstructor)):
            yield from token.items
        else:
            _missing(strict, f"Index * not valid on {token.clr_type}.")


def _items(indexes: list[int]) -> Step:
    def select(_root: JToken, tokens: Iterable[JToken], strict: bool) -> Iterator[JToken]:
        for token in tokens:
            for index in indexes:
                if not isinstance(token, JArray):
                    _missing(strict, f"Index {index} not valid on {token.clr_type}.")
                elif index >= len(token.items):
                    _missing(strict, f"Index {index} outside the bounds of JArray.")
                else:
                    yield token.at(index)

    return select


def _slice(start: int | None, stop: int | None, step: int | None) -> Step:
    def select(_root: JToken, tokens: Iterable[JToken], strict: bool) -> Iterator[JToken]:
        if step == 0:
            raise _error("Step cannot be zero.")
        for token in tokens:
            found = token.items[start:stop:step] if isinstance(token, JArray) else []
            if not found:
                _missing(strict, "Array slice returned no results.")
            yield from found

    return select


def _matching(query: Query, scan: bool) -> Step:
    def select(root: JToken, tokens: Iterable[JToken], _strict: bool) -> Iterator[JToken]:
        for token in tokens:
            for candidate in descendants(token) if scan else token.children():
                if query(root, candidate):
                    yield candidate

    return select


@lru_cache(maxsize=256)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        DotNetException: JsonException, or FormatException for an index that is not a number.
    """
    return tuple(_PathReader(path).path())


def _walk(path: Iterable[Step], root: JToken, token: JToken, *, strict: bool) -> Iterable[JToken]:
    current: Iterable[JToken] = [token]
    for step in path:
        current = step(root, current, strict)
    return current


def select(token: JToken, path: str | None, error: bool = False) -> list[JToken]:
    """All tokens at a path.

    Args:
        token: where the path starts.
        path: in JSONPath.
        error: whether each step must find a token.

    Raises:
        DotNetException: ArgumentNullException; JsonException, for an invalid path or a missing token.
    """
    if path is None:
        raise argument_null("path")
    return list(_walk(steps(path), token, token, strict=error))


def _below(token: JToken) -> list[JToken]:
    return descendants(token)[1:]


def descendants(token: JToken) -> list[JToken]:
    """The token and its descendants, in document order."""
    found = [token]
    for child in token.children():
        found.extend(descendants(child))
    return found


def select_one(token: JToken, path: str | None, error: bool = False) -> JToken | None:
    """SelectToken: the token at a path; None if it does not exist.

    Raises:
        DotNetException: as `select`; JsonException, if there are several tokens.
    """
    found = select(token, path, error)
    if len(found) > 1:
        raise _error("Path returned multiple tokens.")
    return found[0] if found else None


def path_of(token: JToken) -> str:
    """JToken.Path."""
    text = ""
    current: JToken | None = token
    while current is not None and current.parent is not None:
        parent = current.parent
        if isinstance(current, JProperty):
            piece = quoted_name(current.name)
            text = piece + (text if not text or text[0] == "[" else f".{text}")
        elif isinstance(parent, JArray):
            index = next(i for i, item in enumerate(parent.items) if item is current)
            text = f"[{index}]" + (text if not text or text[0] == "[" else f".{text}")
        current = parent
    return text
