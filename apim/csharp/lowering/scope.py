"""The visible variables, and those that lambdas capture."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache

from apim.csharp.dotnet.types import ClrType
from apim.csharp.errors import CompileError
from apim.csharp.language import syntax
from apim.csharp.lowering.bound import Variable


class Scope:
    """Nested blocks of variables.

    Args:
        shared: the names of variables that lambdas use and that change.
        new: returns a new Python name with a prefix.
    """

    def __init__(self, shared: frozenset[str], new: Callable[[str], str]) -> None:
        self._blocks: list[dict[str, Variable]] = [{}]
        self._shared = shared
        self._new = new

    def enter(self) -> None:
        """Opens a block."""
        self._blocks.append({})

    def leave(self) -> None:
        """Closes the innermost block."""
        self._blocks.pop()

    def find(self, name: str) -> Variable | None:
        """The visible variable with this name; None if it does not exist."""
        for block in reversed(self._blocks):
            if name in block:
                return block[name]
        return None

    def visible(self) -> set[str]:
        """The Python names of all visible variables."""
        return {variable.code for block in self._blocks for variable in block.values()}

    def declare(self, name: str, of: ClrType, at: int, *, writable: bool = True) -> Variable:
        """Declares a new variable.

        Raises:
            CompileError: the name is already in use in this or an enclosing block.
        """
        if self.find(name) is not None or name == "context":
            raise CompileError(f"the name `{name}` is already in use here", at, "CS0128")
        variable = Variable(name, of, self._new("v"), name in self._shared, writable=writable)
        self._blocks[-1][name] = variable
        return variable


def shared_names(tree: object) -> frozenset[str]:
    """The names of variables that lambdas capture and that are assigned after their declaration."""
    found: set[str] = set()
    for node in _nodes(tree):
        if isinstance(node, syntax.Lambda):
            inside = {inner.name for inner in _nodes(node.body) if isinstance(inner, syntax.Name)}
            found |= inside - {name for _type, name in node.parameters}
    return frozenset(found & set(_changed(tree))) if found else frozenset()


def _changed(tree: object) -> Iterator[str]:
    """The names of variables that are assigned after their declaration."""
    for node in _nodes(tree):
        place: object = None
        if isinstance(node, syntax.Assign):
            place = node.target
        elif isinstance(node, syntax.Postfix) or (isinstance(node, syntax.Unary) and node.op in {"++", "--"}):
            place = node.operand
        elif isinstance(node, syntax.Argument) and node.mode == "out":
            place = node.value
        while isinstance(place, syntax.Paren):
            place = place.inner
        if isinstance(place, syntax.Name):
            yield place.name


def changes_something(tree: object) -> bool:
    """Whether an expression contains an assignment, an increment or an out argument."""
    return any(
        isinstance(node, (syntax.Assign, syntax.Postfix))
        or (isinstance(node, syntax.Unary) and node.op in {"++", "--"})
        or (isinstance(node, syntax.Argument) and node.mode == "out")
        for node in _nodes(tree)
    )


def _nodes(tree: object) -> Iterator[object]:
    """All nodes of a tree, without recursion, because trees may be deep."""
    waiting = [tree]
    while waiting:
        current = waiting.pop()
        if isinstance(current, tuple):
            waiting.extend(current)
        elif names := _field_names(type(current)):
            yield current
            waiting.extend([getattr(current, name) for name in names])


@cache
def _field_names(of: type) -> tuple[str, ...]:
    """The fields of a class of nodes; empty for any other class."""
    return tuple(field.name for field in fields(of)) if is_dataclass(of) else ()
