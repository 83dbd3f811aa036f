"""Parses JQL into a tree of conditions.

query   := [or] ["ORDER BY" field ["ASC" | "DESC"] {"," ...}]
or      := and {"OR" and}          and := not {"AND" not}        not := ["NOT"] ("(" or ")" | clause)
clause  := field operator operand
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from twin.jira.errors import JiraError, bad_request

Item = TypeVar("Item")

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<operator>!=|!~|<=|>=|=|~|<|>|&&|\|\||!)
    | (?P<mark>[(),])
    | (?P<word>[^\s"'=!~<>&|(),]+)
    )""",
    re.VERBOSE,
)
_RESERVED = {"and", "or", "not", "in", "is", "order", "by", "empty", "null"}
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Value:
    """A literal without its quotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Empty:
    """`EMPTY` or `NULL`."""


@dataclass(frozen=True, slots=True)
class Function:
    """A call such as `currentUser()`; the name is in lower case."""

    name: str
    arguments: tuple[str, ...]


Operand = Value | Empty | Function


@dataclass(frozen=True, slots=True)
class Clause:
    """`field operator operands`; the operator is in lower case (`=`, `not in`, ...)."""

    field: str
    operator: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    operand: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """All conditions (AND)."""

    operands: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one condition (OR)."""

    operands: tuple["Condition", ...]


Condition = Clause | Not | And | Or


@dataclass(frozen=True, slots=True)
class Order:
    """One term of ORDER BY."""

    field: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; without a condition it finds all issues."""

    condition: Condition | None
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.lower() == word


def parse(text: str) -> Query:
    """Parses a query.

    Raises:
        JiraError: 400, with Jira's message about the error and its position.
    """
    return _Parser(text).query()


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _error(f"The character '{text[at:].strip()[0]}' is not allowed here", at)
        word = match[match.lastgroup]
        if match.lastgroup == "quoted":
            word = _ESCAPE.sub(r"\1", word[1:-1])
        yield _Token(match.lastgroup, word, match.start(match.lastgroup))
        at = match.end()
    yield _Token("end", "", end)


def _error(problem: str, at: int) -> JiraError:
    return bad_request(f"Error in the JQL Query: {problem}. (line 1, character {at + 1})")


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def query(self) -> Query:
        starts_with_order = self._token.kind == "end" or self._token.is_word("order")
        condition = None if starts_with_order else self._or()
        orders: tuple[Order, ...] = ()
        if self._take_word("order"):
            if not self._take_word("by"):
                self._fail("Expecting 'by'")
            orders = tuple(self._separated(self._order))
        if self._token.kind != "end":
            self._fail("Expecting either 'OR' or 'AND'")
        return Query(condition, orders)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._token
        self._at += 1
        return token

    def _fail(self, expected: str) -> NoReturn:
        token = self._token
        got = f"but got '{token.text}'" if token.kind != "end" else "before the end of the query"
        raise _error(f"{expected} {got}", token.at)

    def _take_word(self, word: str) -> bool:
        is_word = self._token.is_word(word)
        self._at += is_word
        return is_word

    def _take(self, kind: str, *texts: str) -> bool:
        matches = self._token.kind == kind and self._token.text in texts
        self._at += matches
        return matches

    def _or(self) -> Condition:
        operands = [self._and()]
        while self._take_word("or") or self._take("operator", "||"):
            operands.append(self._and())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _and(self) -> Condition:
        operands = [self._not()]
        while self._take_word("and") or self._take("operator", "&&"):
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _not(self) -> Condition:
        if self._take_word("not") or self._take("operator", "!"):
            return Not(self._not())
        if self._take("mark", "("):
            condition = self._or()
            if not self._take("mark", ")"):
                self._fail("Expecting ')'")
            return condition
        return self._clause()

    def _clause(self) -> Clause:
        field = self._field()
        operator = self._operator()
        if operator in {"in", "not in"}:
            return Clause(field, operator, self._list())
        operand = self._operand()
        if operator in {"is", "is not"} and not isinstance(operand, Empty):
            raise bad_request(f"Error in the JQL Query: The operator '{operator}' takes EMPTY or NULL only.")
        return Clause(field, operator, (operand,))

    def _field(self) -> str:
        token = self._token
        if token.kind not in {"word", "quoted"} or (token.kind == "word" and token.text.lower() in _RESERVED):
            self._fail("Expecting a field name")
        return self._next().text

    def _operator(self) -> str:
        if self._token.kind == "operator" and self._token.text not in {"&&", "||", "!"}:
            return self._next().text
        if self._take_word("in"):
            return "in"
        if self._take_word("is"):
            return "is not" if self._take_word("not") else "is"
        if self._take_word("not"):
            if not self._take_word("in"):
                self._fail("Expecting 'in'")
            return "not in"
        return self._fail("Expecting operator")

    def _list(self) -> tuple[Operand, ...]:
        if not self._take("mark", "("):
            operand = self._operand()
            if not isinstance(operand, Function):
                self._fail("Expecting '('")
            return (operand,)
        operands = tuple(self._separated(self._operand))
        if not self._take("mark", ")"):
            self._fail("Expecting ')'")
        return operands

    def _operand(self) -> Operand:
        token = self._token
        if token.kind == "quoted":
            return Value(self._next().text)
        if token.kind != "word":
            self._fail("Expecting a value, list or function")
        word = token.text.lower()
        if word in {"empty", "null"}:
            self._next()
            return Empty()
        if word in _RESERVED:
            self._fail("Expecting a value, list or function")
        self._next()
        return Function(word, self._arguments()) if self._take("mark", "(") else Value(token.text)

    def _arguments(self) -> tuple[str, ...]:
        if self._take("mark", ")"):
            return ()
        arguments = tuple(self._separated(lambda: self._next().text))
        if not self._take("mark", ")"):
            self._fail("Expecting ')'")
        return arguments

    def _separated(self, item: Callable[[], Item]) -> Iterator[Item]:
        yield item()
        while self._take("mark", ","):
            yield item()

    def _order(self) -> Order:
        field = self._field()
        descending = self._take_word("desc")
        if not descending:
            self._take_word("asc")
        return Order(field, descending)
