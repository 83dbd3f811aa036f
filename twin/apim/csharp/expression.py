"""Compiles an expression and evaluates it."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from twin.apim.csharp import flow, members, syntax
from twin.apim.csharp.bound import Run
from twin.apim.csharp.context import Context
from twin.apim.csharp.errors import CSharpError, DotNetException, RefusedError, UnsupportedError
from twin.apim.csharp.lowering.statements import Statements
from twin.apim.csharp.scope import captured_names
from twin.apim.csharp.statement_parser import parse
from twin.apim.csharp.types import LAMBDA, VOID
from twin.apim.csharp.values import outward

members.load()
# The tables raise .NET's exceptions only. Should there be a gap in them, it must not look like an answer.
_PYTHON: Final = (
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A place where an expression decides: `if`, `?:`, `&&`, `||`, `??`, `?.`, a loop, a case, a handler."""

    line: int
    column: int
    kind: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of an expression without running it, and where it shows."""

    name: str
    line: int
    column: int


class Expression:
    """A compiled expression.

    Attributes:
        source: its text, with `@( )` or `@{ }`.
        reads: static facts. Paths below `context` in lower case, such as `request.body`, `response.body`,
            `request.headers`, `variables`; `variables:name` for a constant name; `message.body` when the body
            of a message is read that came from a variable; `clock`; `culture` when .NET's answer depends on
            the culture (the twin answers as the invariant culture does).
        facts: the same with positions in the document.
        decisions: where it decides.
        hits: two bytes for each decision, set to 1 once it went yes, once it went no.
    """

    __slots__ = ("_run", "_slots", "decisions", "facts", "hits", "name", "reads", "source")

    def __init__(self, source: str, name: str, run: Run, slots: int, hits: bytearray) -> None:
        self.source = source
        self.name = name
        self._run = run
        self._slots = [None] * (slots - 1)
        self.hits = hits
        self.reads: frozenset[str] = frozenset()
        self.facts: tuple[Fact, ...] = ()
        self.decisions: tuple[Decision, ...] = ()

    def evaluate(self, context: Context) -> object:
        """The expression's value, boxed; strings are as Python writes them.

        Raises:
            DotNetException: what the expression threw.
        """
        try:
            value = self._run([context, *self._slots])
        except DotNetException:
            raise
        except RecursionError:
            raise UnsupportedError("an expression that nests this deeply") from None
        except _PYTHON as error:
            raise UnsupportedError(
                f"{type(error).__name__} inside the evaluator, a defect of the twin"
            ) from error
        return outward(value) if isinstance(value, str) else value


class _Positions:
    """Offsets of an expression's text as lines and columns of its document."""

    def __init__(self, text: str, line: int, column: int) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._line = line
        self._column = column

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        index = bisect_right(self._starts, offset) - 1
        column = offset - self._starts[index]
        return self._line + index, column + (self._column if index == 0 else 1)


def compile_expression(text: str, *, name: str, line: int = 1, column: int = 1) -> Expression:
    """Compiles `@( ... )` or `@{ ... }`.

    Args:
        text: the whole expression.
        name: the document's name, for errors.
        line: where the `@` stands in the document, from 1.
        column: where the `@` stands in its line, from 1.

    Raises:
        CSharpError: it is wrong, or outside of what the twin executes exactly.
    """
    positions = _Positions(text, line, column)
    try:
        return _compile(text, name, positions)
    except RefusedError as error:
        found_line, found_column = positions.at(error.at)
        raise CSharpError(
            error.message, name=name, line=found_line, column=found_column, construct=error.construct
        ) from None
    except _PYTHON as error:
        raise CSharpError(
            f"the twin cannot compile this: {type(error).__name__} inside of it, a defect of the twin",
            name=name,
            line=line,
            column=column,
            construct="defect",
        ) from error
    except UnsupportedError as error:
        raise CSharpError(
            error.message, name=name, line=line, column=column, construct="unsupported"
        ) from None
    except RecursionError:
        raise CSharpError(
            "this expression nests too deeply", name=name, line=line, column=column, construct="nesting"
        ) from None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> syntax.Node:
    """The tree of a text; templates repeat many expressions."""
    return parse(text)


def _compile(text: str, name: str, positions: _Positions) -> Expression:
    if not text.startswith(("@(", "@{")):
        raise RefusedError("an expression starts with @( or @{", 0, "@")
    tree = _parsed(text)
    lowering = Statements(captured_names(tree) if "=>" in text else frozenset())
    if isinstance(tree, syntax.Block):
        run = lowering.body(tree)
    else:
        flow.check_value(tree)
        bound = lowering.bind(tree)
        if bound.type in {VOID, LAMBDA}:
            raise RefusedError("an expression must give a value", bound.at, "CS0127")
        run = bound.run
    expression = Expression(text, name, run, lowering.scope.slots, lowering.hits)
    expression.reads = frozenset(lowering.reads)
    expression.facts = tuple(Fact(fact, *positions.at(at)) for fact, at in lowering.reads.items())
    expression.decisions = tuple(
        Decision(*positions.at(branch.at), branch.kind) for branch in lowering.branches
    )
    return expression
