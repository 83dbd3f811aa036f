"""The Python program that an expression is translated to.

It consists of generated names, numbers and punctuation, and contains no text of the policy. Strings,
functions and all other objects are in a table under the names k0, k1, ...; variables are called v2,
intermediate values t3, lambdas f4, and the Context cx. The program can only access its table, not even
Python's built-in functions.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any, Final

CONTEXT: Final = "cx"
_NAMES: Final = re.compile(r"\b(?:v\d+|cx)\b")
_LAMBDAS: Final = re.compile(r"\bf\d+\b")
_BUILTINS: Final = frozenset({"type", "str", "len", "int", "float", "bool"})
_BRACKETS: Final = re.compile(r"[()\[\]{}]")


class Source:
    """The state of one program: the table of its objects, and its lambdas."""

    def __init__(self) -> None:
        self.table: dict[str, Any] = {"__builtins__": {}}
        self.lambdas: dict[str, list[str]] = {}
        self._names: dict[int, str] = {}
        self._made = 0

    def new(self, kind: str) -> str:
        """A new name that starts with `kind`, such as v for variables."""
        self._made += 1
        return f"{kind}{self._made}"

    def name(self, value: Any) -> str:
        """The name of an object, which is added to the table."""
        known = self._names.get(id(value))
        if known is None:
            own = getattr(value, "__name__", "")
            known = own if own in _BUILTINS and value is _builtin(own) else f"k{len(self._names)}"
            self._names[id(value)] = known
            self.table[known] = value
        return known

    def literal(self, value: object) -> str:
        """The code for a constant."""
        if value is None or value is True or value is False:
            return repr(value)
        if type(value) is int:
            return repr(value) if value >= 0 else f"({value!r})"
        return self.name(value)

    def call(self, function: Callable[..., Any], *arguments: str) -> str:
        """The code for a call of a function."""
        return f"{self.name(function)}({', '.join(arguments)})"

    def program(self, lines: list[str]) -> str:
        """The whole program: its lambdas, and the function `run` of the Context."""
        parts = ["\n".join([f"def run({CONTEXT}):", *indented(lines)])]
        needed, seen = mentioned_lambdas(parts[0]), set[str]()
        while needed:
            name = needed.pop()
            if name not in seen and name in self.lambdas:
                seen.add(name)
                text = "\n".join(self.lambdas[name])
                parts.append(text)
                needed |= mentioned_lambdas(text)
        return "\n".join(parts)


def _builtin(name: str) -> object:
    return {"type": type, "str": str, "len": len, "int": int, "float": float, "bool": bool}[name]


def indented(lines: list[str]) -> list[str]:
    """Lines with one more level of indentation; `pass` if there are none."""
    return [f" {line}" for line in lines] if lines else [" pass"]


def variables_in(text: str) -> set[str]:
    """The names of variables and of the Context in a part of a program."""
    return set(_NAMES.findall(text))


def mentioned_lambdas(text: str) -> set[str]:
    """The names of lambdas in a part of a program."""
    return set(_LAMBDAS.findall(text))


def depth(text: str) -> int:
    """The depth of nested brackets; programs have no string literals, so every bracket counts."""
    most = current = 0
    for bracket in _BRACKETS.findall(text):
        current += 1 if bracket in "([{" else -1
        most = max(most, current)
    return most


@lru_cache(maxsize=2048)
def _compiled(program: str) -> CodeType:
    """The code of a program; expressions of the same shape share it."""
    return compile(program, "<expression>", "exec", dont_inherit=True, optimize=1)


def loaded(program: str, table: dict[str, Any]) -> Callable[[Any], Any]:
    """The function `run` of a program.

    Raises:
        RecursionError, MemoryError, SyntaxError: Python cannot compile it.
    """
    scope = dict(table)
    exec(_compiled(program), scope)  # noqa: S102 -- it contains generated names only
    return scope["run"]
