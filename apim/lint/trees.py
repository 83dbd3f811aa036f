"""Syntax trees of expressions, for rules that the compiler's facts do not answer."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache

from apim.compiler import Placed, within
from apim.csharp import syntax
from apim.csharp.statement_parser import parse


@lru_cache(maxsize=1024)
def tree(source: str) -> syntax.Node:
    """The tree of an expression that compiles."""
    return parse(source)


def nodes(part: object) -> Iterator[syntax.Node]:
    """Everything in a part of a tree, itself included, in the order of the source."""
    if isinstance(part, tuple):
        for one in part:
            yield from nodes(one)
    elif is_dataclass(part):
        if isinstance(part, syntax.Node):
            yield part
        for field in fields(part):
            yield from nodes(getattr(part, field.name))


def at(placed: Placed, offset: int) -> tuple[int, int]:
    """Line and column in the document of an offset of the expression's text."""
    before = placed.expression.source[:offset]
    inner = before.count("\n") + 1, offset - before.rfind("\n")
    return within(placed.line, placed.column, *inner)
