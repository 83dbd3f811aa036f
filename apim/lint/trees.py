"""Syntax trees of expressions, for rules that need more than the compiler's facts."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache

from apim.compiled_documents import LocatedExpression, within
from apim.csharp.language import syntax
from apim.csharp.language.statement_parser import parse


def nodes(part: object) -> Iterator[syntax.Node]:
    """A part of a tree and its descendants, in the order of the source."""
    waiting = [part]
    while waiting:
        current = waiting.pop()
        if isinstance(current, tuple):
            waiting += reversed(current)
            continue
        if isinstance(current, syntax.Node):
            yield current
        waiting += [getattr(current, name) for name in _field_names(type(current))]


@lru_cache(maxsize=1024)
def all_nodes(source: str) -> tuple[syntax.Node, ...]:
    """The nodes of an expression that compiles, in source order; cached, because several rules read them."""
    return tuple(nodes(parse(source)))


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    """The fields of a class of nodes in reverse order; empty for a class that is not a node."""
    return tuple(field.name for field in reversed(fields(kind))) if is_dataclass(kind) else ()


def at(located: LocatedExpression, offset: int) -> tuple[int, int]:
    """Line and column in the document for an offset in the expression's text."""
    before = located.expression.source[:offset]
    inner = before.count("\n") + 1, offset - before.rfind("\n")
    return within(located.line, located.column, *inner)


@dataclass(frozen=True, slots=True)
class NamedKey:
    """An element that is read by a constant key, with an indexer or a method.

    Attributes:
        collection: the object that it is read from.
        key: the constant key.
        method: the method's name; "" for the indexer.
        arguments: the number of arguments of the method.
    """

    collection: syntax.Node
    key: str
    method: str
    arguments: int


def named_key(node: syntax.Node) -> NamedKey | None:
    """The element that a node reads by a constant key, or None."""
    if not isinstance(node, syntax.Index | syntax.Call) or not node.args:
        return None
    key = node.args[0].value
    if not isinstance(key, syntax.Literal) or not isinstance(key.value, str):
        return None
    if isinstance(node, syntax.Index):
        return NamedKey(unwrapped(node.target), key.value, "", 1)
    if isinstance(node.target, syntax.Member):
        return NamedKey(unwrapped(node.target.target), key.value, node.target.name, len(node.args))
    return None


def unwrapped(node: syntax.Node) -> syntax.Node:
    """A node without the parentheses around it."""
    while isinstance(node, syntax.Paren):
        node = node.inner
    return node
