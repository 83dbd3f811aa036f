"""The base class of the lowering: names of types, conversions, facts and conditions."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from apim.csharp.dotnet import operators
from apim.csharp.dotnet.conversions import Converter, Downcast, explicit, same, to_string_cast
from apim.csharp.dotnet.types import BOOLEAN, DEFINITIONS, DYNAMIC, ClrType, clr, is_value_type
from apim.csharp.dotnet.values import Long
from apim.csharp.errors import CompileError
from apim.csharp.json.tokens import JArray, JObject
from apim.csharp.language import syntax
from apim.csharp.language.syntax import Node, TypeName
from apim.csharp.lowering import runtime
from apim.csharp.lowering.bound import (
    ArgumentValue,
    Bound,
    Concatenation,
    Known,
    NamespaceReference,
    TypeReference,
    constant,
)
from apim.csharp.lowering.overloads import Slot, convertible
from apim.csharp.lowering.scope import Scope
from apim.csharp.lowering.source import Source, depth, indented

Meaning = Bound | TypeReference | NamespaceReference
_LONG: Final = 400
"""The length in characters below which code is not checked for deep nesting."""
_DEEPEST: Final = 40
"""Python allows 200 nested brackets. Code that is nested more deeply becomes a function."""
MAX_BLOCKS: Final = 18
"""Python allows 20 nested loops and `try` statements in a function."""
MAX_INDENTS: Final = 90
"""Python allows 100 levels of indentation."""
_CLASSES: Final = {BOOLEAN: bool, clr("JObject"): JObject, clr("JArray"): JArray, clr("Int64"): Long}
"""Types whose values usually have the same Python class, so that a cast compares only the class."""
_FEW: Final = 4
"""The number of strings up to which `+` is faster than `join`."""
_PERHAPS_NOT_IMPORTED: Final = frozenset({"System.Net"})
"""Namespaces of allowed types for which the documentation does not state whether expressions import them."""
_WRITTEN: Final = re.compile(r"\b([vt]\d+) :=")
_KEPT: Final = re.compile(r"\bt\d+\b")


@dataclass(frozen=True, slots=True)
class Branch:
    """A decision whose outcomes are counted: `hits[2 * index]` is set for true, the next byte for false."""

    at: int
    kind: str


@dataclass(slots=True)
class Function:
    """The Python function that is being generated.

    Attributes:
        nested: nested functions, for code that is nested too deeply.
        unset: variables that only nested functions set.
        rounds: the number of enclosing loops.
        blocks: the number of enclosing blocks of the kinds that Python limits.
        indents: the number of enclosing blocks.
        jumps: the enclosing statements to which `break` and `continue` may apply, the innermost last.
        handlers: the number of enclosing catch blocks, for `throw;`.
        returned: in a lambda, the types of its returns; None in the expression itself, which returns object.
        expected: in a lambda, the type that it must return, if it is known.
    """

    nested: list[str] = field(default_factory=list)
    unset: set[str] = field(default_factory=set)
    rounds: int = 0
    blocks: int = 0
    indents: int = 0
    jumps: list["Jumps"] = field(default_factory=list)
    handlers: int = 0
    returned: list[ClrType] | None = None
    expected: ClrType | None = None

    def lines(self, body: list[str]) -> list[str]:
        """The lines of a body after those of the nested functions and variables that it needs."""
        unset = [f"{' = '.join(sorted(self.unset))} = None"] if self.unset else []
        return [*unset, *self.nested, *body]


@dataclass(slots=True)
class Jumps:
    """A statement that `break` leaves: `loop` or `switch`, or `finally`, which cannot be left.

    Attributes:
        turn: the variable of a switch that is lowered to a loop with one iteration; `continue` sets it.
        continues: whether a `continue` sets the variable.
    """

    kind: str
    turn: str | None = None
    continues: bool = False


class Base(ABC):
    """The state of the lowering of one expression, and the methods that its parts share.

    Args:
        shared: names of variables that lambdas use and that change.
        counted: whether the outcomes of decisions are recorded in `hits`.
    """

    def __init__(self, shared: frozenset[str], *, counted: bool) -> None:
        self.source = Source()
        self.scope = Scope(shared, self.source.new)
        self.function = Function()
        self.reads: dict[str, int] = {}
        """Facts, each with the offset of its first occurrence."""
        self.branches: list[Branch] = []
        self.hits = bytearray()
        self.counted = counted
        self.receivers: list[Bound] = []
        """The receivers of `?.` and initializers, the innermost last."""

    @abstractmethod
    def arguments(self, nodes: tuple[syntax.Argument, ...]) -> list[ArgumentValue]:
        """Binds the arguments of a call."""

    @abstractmethod
    def slot_text(self, slot: Slot) -> str:
        """The Python code for one parameter of a call."""

    @abstractmethod
    def bind_lambda(
        self, node: Any, parameters: Sequence[ClrType], returns: ClrType | None
    ) -> tuple[ClrType, str]:
        """The type that a lambda returns, and the code that creates its function."""

    @abstractmethod
    def block_of_lambda(self, body: syntax.Block, returns: ClrType | None) -> tuple[ClrType, list[str]]:
        """The type that the block of a lambda returns, and its lines."""

    @abstractmethod
    def assign_value(self, place: Node, node: Node, value: Bound, at: int) -> Bound:
        """`place = value`; `node` is the syntax of the value."""

    @abstractmethod
    def increment(self, op: str, target: Node, at: int, *, prefix: bool) -> Bound:
        """`++` and `--`."""

    def bind_any(self, node: Node) -> Meaning:
        """Binds a node to a value, a type or a namespace, with the method for its class."""
        found = getattr(self, _METHODS[type(node)])(node)
        return self.shallow(found) if isinstance(found, Bound) else found

    def bind(self, node: Node) -> Bound:
        """Binds an expression that must be a value.

        Raises:
            CompileError: it is invalid, or the name of a type or a namespace.
        """
        found = self.bind_any(node)
        if isinstance(found, TypeReference):
            self.refuse(f"`{found.type}` is a type; expected a value", found.at, "CS0119")
        if isinstance(found, NamespaceReference):
            self.refuse(
                f"the name `{found.name}` is not known here, and not on the list of allowed .NET types",
                found.at,
                found.name,
            )
        return found

    def bind_as(self, node: Node, target: ClrType) -> Bound:
        """Binds an expression and converts its value implicitly."""
        return self.convert(self.bind(node), target)

    def convert(self, bound: Bound, target: ClrType) -> Bound:
        """Converts a value implicitly.

        Raises:
            CompileError: there is no implicit conversion.
        """
        converter = convertible(bound, target)
        if converter is None and explicit(bound.type, target) is not None:
            self.refuse(
                f"{bound.type} cannot be converted implicitly to {target}; add a cast", bound.at, "CS0266"
            )
        if converter is None:
            self.refuse(f"{bound.type} cannot be converted to {target}", bound.at, "CS0029")
        return self.converted(bound, target, converter)

    def converted(self, bound: Bound, target: ClrType, converter: Converter) -> Bound:
        """Applies a conversion to a value; a constant is converted at compile time."""
        if converter is same:
            return Bound(target, self.text(bound), bound.at, bound.const, bound.path, bound.present)
        if bound.is_constant and is_value_type(target):
            return constant(target, converter(bound.const), bound.at)
        return Bound(target, self.apply(converter, self.text(bound)), bound.at, present=is_value_type(target))

    def text(self, bound: Bound) -> str:
        """The Python code for a value."""
        if bound.is_constant:
            return self.source.literal(bound.const)
        return self.joined(bound.parts) if isinstance(bound, Concatenation) else bound.code

    def joined(self, parts: Sequence[str | Known]) -> str:
        """The Python code for a concatenation of strings."""
        texts = [self.source.literal(part.text) if isinstance(part, Known) else part for part in parts]
        if len(texts) <= _FEW:
            return f"({' + '.join(texts)})"
        return self.source.call(runtime.join, f"({', '.join(texts)})")

    def checked(self, bound: Bound) -> str:
        """The Python code for a value, which throws NullReferenceException if the value is null."""
        text = self.text(bound)
        if bound.present or is_value_type(bound.type):
            return text
        throws = self.source.call(runtime.throw_null_reference)
        if text.isidentifier():
            return f"({text} if {text} is not None else {throws})"
        kept = self.temporary()
        return f"({kept} if ({kept} := {text}) is not None else {throws})"

    def apply(self, function: Callable[..., Any], *arguments: str) -> str:
        """The Python code for a call of a function; the simplest functions are inlined."""
        if function is same:
            return arguments[0]
        if len(arguments) == 2:  # noqa: PLR2004 -- the operands
            symbol = operators.SYMBOLS.get(function)
            if symbol is not None:
                return f"({arguments[0]} {symbol} {arguments[1]})"
        exact_class = str if function in {to_string_cast, runtime.from_python} else None
        if isinstance(function, Downcast):
            exact_class = _CLASSES.get(function.wanted)
        if exact_class is not None:
            kept, source = self.temporary(), self.source
            exact = f"{source.name(type)}({kept} := {arguments[0]}) is {source.name(exact_class)}"
            if function is runtime.from_python:
                exact += f" and {kept}.isascii()"
            return f"({kept} if {exact} else {source.call(function, kept)})"
        return self.source.call(function, *arguments)

    def temporary(self) -> str:
        """A new name for an intermediate value."""
        return self.source.new("t")

    def shallow(self, bound: Bound) -> Bound:
        """The value; its code becomes a function if it is nested too deeply for Python's parser."""
        text = bound.code
        if len(text) < _LONG or text.count("(") < _DEEPEST or depth(text) < _DEEPEST:
            return bound
        name = self.source.new("d")
        set_here = set(_WRITTEN.findall(text))
        written = sorted(found for found in set_here if found.startswith("v"))
        self.function.unset.update(written)
        outer = [f"nonlocal {', '.join(written)}"] if written else []
        kept = ", ".join(sorted(set(_KEPT.findall(text)) - set_here))
        self.function.nested += [f"def {name}({kept}):", *indented([*outer, f"return {text}"])]
        return Bound(bound.type, f"{name}({kept})", bound.at, bound.const, bound.path, bound.present)

    def note(self, fact: str, at: int) -> None:
        """Records a fact about the expression."""
        self.reads.setdefault(fact, at)

    def condition(self, node: Node, kind: str) -> str:
        """Binds a condition, whose outcomes are counted as a decision of this kind."""
        bound = self.bind(node)
        if bound.type is not DYNAMIC:
            bound = self.convert(bound, BOOLEAN)
        return self.decision(self.text(bound), node.at, kind)

    def decision(self, text: str, at: int, kind: str) -> str:
        """Adds a decision, and returns code that records its outcome in `hits` if decisions are counted."""
        # A lambda may be bound several times while overloads are tried; its decisions are added only once.
        branch = Branch(at, kind)
        if branch not in self.branches:
            self.branches.append(branch)
            self.hits.extend(b"\0\0")
        if not self.counted:
            return text
        return self.source.call(runtime.marker(self.hits, 2 * self.branches.index(branch)), text)

    def type_named(self, name: TypeName) -> ClrType:
        """The type with this name.

        Raises:
            CompileError: the type is unknown.
        """
        found = self.find_type(name)
        if found is None:
            self.refuse(
                f"`{name.name}` is not on the list of .NET types that API Management allows",
                name.at,
                name.name,
            )
        return found

    def find_type(self, name: TypeName) -> ClrType | None:
        """The type with this name; None if it is unknown."""
        if name.name in {"[]", "Nullable"} and len(name.args) == 1:
            inner = self.type_named(name.args[0])
            if name.name == "Nullable" and not is_value_type(inner):
                self.refuse(f"{inner}? is newer than C# 7", name.at, "CS0453")
            return clr(name.name, inner)
        if name.name == "dynamic":
            return DYNAMIC
        namespace, _, simple = name.name.rpartition(".")
        if simple == "Tuple" and name.args and namespace in {"", "System"}:
            return clr(f"Tuple{len(name.args)}", *map(self.type_named, name.args))
        known = DEFINITIONS.get(simple)
        # Types without a namespace are internal: C# cannot name them.
        if known is None or not known.namespace or namespace not in {"", known.namespace}:
            return None
        if not namespace and known.namespace in _PERHAPS_NOT_IMPORTED:
            self.note(f"unqualified:{known.namespace}.{simple}", name.at)
        if len(known.parameters) != len(name.args):
            self.refuse(f"`{simple}` takes {len(known.parameters)} type arguments", name.at, "CS0305")
        return clr(simple, *(self.type_named(arg) for arg in name.args))

    def refuse(self, message: str, at: int, construct: str) -> NoReturn:
        """Raises an error at an offset of the expression."""
        raise CompileError(message, at, construct)


_METHODS: Final[dict[type, str]] = {
    syntax.Literal: "bind_literal",
    syntax.Interpolated: "bind_interpolated",
    syntax.Name: "bind_name",
    syntax.Member: "bind_member",
    syntax.Call: "bind_call",
    syntax.Index: "bind_index",
    syntax.Conditional: "bind_conditional",
    syntax.Receiver: "bind_receiver",
    syntax.New: "bind_new",
    syntax.NewArray: "bind_new_array",
    syntax.NewAnonymous: "bind_new_anonymous",
    syntax.Lambda: "bind_lone_lambda",
    syntax.Unary: "bind_unary",
    syntax.Postfix: "bind_postfix",
    syntax.Binary: "bind_binary",
    syntax.Assign: "bind_assign",
    syntax.Ternary: "bind_ternary",
    syntax.Cast: "bind_cast",
    syntax.As: "bind_as_operator",
    syntax.Is: "bind_is",
    syntax.Default: "bind_default",
    syntax.ThrowValue: "bind_throw_value",
    syntax.Paren: "bind_paren",
}
