"""Compiles an expression and evaluates it."""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from apim.csharp import members
from apim.csharp.context import Context
from apim.csharp.dotnet.values import to_python
from apim.csharp.errors import CompileError, CSharpError, DotNetException, UnsupportedError
from apim.csharp.language import flow, syntax
from apim.csharp.language.statement_parser import parse
from apim.csharp.lowering.scope import shared_names
from apim.csharp.lowering.source import loaded
from apim.csharp.lowering.statements import Statements

members.load()
# Members raise only .NET's exceptions. A Python exception is a defect of a member or of the compiler.
_PYTHON: Final = (
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    NameError,
    ValueError,
    AttributeError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A branch point of an expression: `if`, `?:`, `&&`, `||`, `??`, `?.`, a loop, a case, a handler."""

    line: int
    column: int
    kind: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A static fact about an expression, with its position."""

    name: str
    line: int
    column: int


class Expression:
    """A compiled expression. Its Python code is compiled when it is evaluated for the first time.

    Attributes:
        source: its text, including `@( )` or `@{ }`.
        name: the document's name.
        reads: static facts. Paths below `context` in lower case, such as `request.body`, `response.body`,
            `request.headers`, `variables`; `variables:name` for a constant name; `message.body` if it reads
            the body of a message in a variable; `unqualified:System.Net.WebUtility` if it uses a type
            without its namespace and the namespace may not be imported; `clock` if it reads the time;
            `culture` if the result in .NET depends on the culture (the twin uses the invariant culture);
            `references` if `==` compares references.
        facts: the facts in `reads`, with positions in the document.
        decisions: its branch points.
        hits: two bytes for each decision, set to 1 for a true and for a false outcome, if they are counted.
    """

    __slots__ = ("_make", "_run", "decisions", "facts", "hits", "name", "reads", "source")

    def __init__(
        self, source: str, name: str, make: Callable[[], Callable[[Context], Any]], hits: bytearray
    ) -> None:
        self.source = source
        self.name = name
        self._make = make
        self._run: Callable[[Context], Any] = self._first
        self.hits = hits
        self.reads: frozenset[str] = frozenset()
        self.facts: tuple[Fact, ...] = ()
        self.decisions: tuple[Decision, ...] = ()

    def _first(self, context: Context) -> Any:
        try:
            run = self._make()
        except (RecursionError, MemoryError):
            raise RecursionError from None
        except SyntaxError as error:
            raise AssertionError(str(error)) from error
        self._run = run
        del self._make  # The source is no longer needed.
        return run(context)

    def evaluate(self, context: Context) -> object:
        """The boxed value of the expression; strings are Python strings, not UTF-16 code units.

        Raises:
            DotNetException: the exception that the expression threw.
            UnsupportedError: the evaluator cannot compute the value.
        """
        try:
            value = self._run(context)
        except DotNetException:
            raise
        except RecursionError:
            raise UnsupportedError("an expression with this depth of nesting") from None
        except _PYTHON as error:
            raise UnsupportedError(
                f"{type(error).__name__} inside the evaluator, a defect of the twin"
            ) from error
        return to_python(value) if type(value) is str and not value.isascii() else value


class _Positions:
    """Converts offsets in an expression's text to lines and columns of its document."""

    def __init__(self, text: str, line: int, column: int) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._line = line
        self._column = column

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        index = bisect_right(self._starts, offset) - 1
        column = offset - self._starts[index]
        return self._line + index, column + (self._column if index == 0 else 1)


def compile_expression(
    text: str, *, name: str, line: int = 1, column: int = 1, counted: bool = True
) -> Expression:
    """Compiles `@( ... )` or `@{ ... }`.

    Args:
        text: the whole expression.
        name: the document's name, for errors.
        line: the line of the `@` in the document, from 1.
        column: the column of the `@`, from 1.
        counted: whether `hits` records the outcomes of its decisions.

    Raises:
        CSharpError: the expression is invalid, or the twin does not support it.
    """
    positions = _Positions(text, line, column)
    try:
        return _compile(text, name, positions, counted=counted)
    except CompileError as error:
        found_line, found_column = positions.at(error.at)
        raise CSharpError(
            error.message, name=name, line=found_line, column=found_column, construct=error.construct
        ) from None
    except _PYTHON as error:
        raise CSharpError(
            f"the twin cannot compile this: {type(error).__name__} in the compiler, a defect of the twin",
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
            "this expression is nested too deeply", name=name, line=line, column=column, construct="nesting"
        ) from None


def _compile(text: str, name: str, positions: _Positions, *, counted: bool) -> Expression:
    if not text.startswith(("@(", "@{")):
        raise CompileError("an expression must start with @( or @{", 0, "@")
    tree = parse(text)
    lowering = Statements(shared_names(tree) if "=>" in text else frozenset(), counted=counted)
    if isinstance(tree, syntax.Block):
        lines = lowering.body(tree)
    else:
        flow.check_value(tree)
        lines = lowering.value(tree)
    source = lowering.source
    expression = Expression(text, name, lambda: loaded(source.program(lines), source.table), lowering.hits)
    expression.reads = frozenset(lowering.reads)
    expression.facts = tuple(Fact(fact, *positions.at(at)) for fact, at in lowering.reads.items())
    expression.decisions = tuple(
        Decision(*positions.at(branch.at), branch.kind) for branch in lowering.branches
    )
    return expression
