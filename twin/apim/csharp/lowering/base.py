"""What all of the lowering shares: names of types, conversions, facts, and the one place for conditions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from twin.apim.csharp import syntax
from twin.apim.csharp.bound import ArgumentValue, Bound, Frame, NamespaceReference, Run, TypeReference
from twin.apim.csharp.conversions import explicit
from twin.apim.csharp.errors import RefusedError
from twin.apim.csharp.overloads import Slot, converted
from twin.apim.csharp.scope import Scope
from twin.apim.csharp.syntax import Node, TypeName
from twin.apim.csharp.types import BOOLEAN, DEFINITIONS, DYNAMIC, ClrType, clr, is_value_type

Meaning = Bound | TypeReference | NamespaceReference


@dataclass(frozen=True, slots=True)
class Branch:
    """A decision in an expression, for coverage: `hits[2 * index]` counts yes, the next one no."""

    at: int
    kind: str


class Base(ABC):
    """The state of one expression's lowering, and what its parts need of each other."""

    def __init__(self, captured: frozenset[str]) -> None:
        self.scope = Scope(captured)
        self.reads: dict[str, int] = {}
        """Facts, each with the offset where it was first found."""
        self.branches: list[Branch] = []
        self.hits = bytearray()
        self.returned: list[ClrType] | None = None
        """In a lambda: the types of its returns. None in the expression itself, which returns object."""
        self.expected: ClrType | None = None
        """In a lambda: the type that it must return, when that is known."""
        self.receivers: list[Bound] = []
        """The values that `?.` and initializers work on, the innermost last."""
        self.handlers = 0
        """How many catch blocks are around, for `throw;`."""

    @abstractmethod
    def arguments(self, nodes: tuple[syntax.Argument, ...]) -> list[ArgumentValue]:
        """Arguments with their values."""

    @abstractmethod
    def slot_run(self, slot: Slot) -> Run:
        """The value of one parameter of a call."""

    @abstractmethod
    def bind_lambda(
        self, node: Any, parameters: Sequence[ClrType], returns: ClrType | None
    ) -> tuple[ClrType, Run]:
        """The type that a lambda returns, and what makes the function of a frame."""

    @abstractmethod
    def block_of_lambda(self, body: syntax.Block, returns: ClrType | None) -> tuple[ClrType, Run]:
        """The same of a lambda's statements."""

    @abstractmethod
    def assign_value(self, place: Node, node: Node, value: Bound, at: int) -> Bound:
        """`place = value`; `node` is what the value was."""

    @abstractmethod
    def increment(self, op: str, target: Node, at: int, *, prefix: bool) -> Bound:
        """`++` and `--`."""

    def bind_any(self, node: Node) -> Meaning:
        """What a node means; the method for it is named after it."""
        return getattr(self, _METHODS[type(node)])(node)

    def bind(self, node: Node) -> Bound:
        """The value of an expression."""
        found = self.bind_any(node)
        if isinstance(found, TypeReference):
            self.refuse(f"`{found.type}` is a type, where a value should stand", found.at, "CS0119")
        if isinstance(found, NamespaceReference):
            self.refuse(
                f"the name `{found.name}` is not known here, and not on the list of allowed .NET types",
                found.at,
                found.name,
            )
        return found

    def bind_as(self, node: Node, target: ClrType) -> Bound:
        """The value of an expression, converted implicitly."""
        return self.convert(self.bind(node), target)

    def convert(self, bound: Bound, target: ClrType) -> Bound:
        """A value converted implicitly."""
        found = converted(bound, target)
        if found is None and explicit(bound.type, target) is not None:
            self.refuse(f"{bound.type} does not become {target} without a cast", bound.at, "CS0266")
        if found is None:
            self.refuse(f"{bound.type} cannot become {target}", bound.at, "CS0029")
        return found

    def note(self, fact: str, at: int) -> None:
        """Records a fact about the expression."""
        self.reads.setdefault(fact, at)

    def condition(self, node: Node, kind: str) -> Run:
        """A bool that decides something: every branch of the expression is made here."""
        bound = self.bind(node)
        if bound.type is not DYNAMIC:
            bound = self.convert(bound, BOOLEAN)
        return self.decision(bound.run, node.at, kind)

    def decision(self, run: Run, at: int, kind: str) -> Run:
        """The same truth value, with what was decided marked in `hits`."""
        # A lambda may be bound several times while overloads are tried: its branches are counted once.
        branch = Branch(at, kind)
        if branch not in self.branches:
            self.branches.append(branch)
            self.hits.extend(b"\0\0")
        yes = 2 * self.branches.index(branch)
        no = yes + 1
        hits = self.hits

        def decide(frame: Frame) -> Any:
            value = run(frame)
            hits[yes if value else no] = 1
            return value

        return decide

    def type_named(self, name: TypeName) -> ClrType:
        """The type of that name."""
        found = self.find_type(name)
        if found is None:
            self.refuse(
                f"`{name.name}` is not on the list of .NET types that API Management allows",
                name.at,
                name.name,
            )
        return found

    def find_type(self, name: TypeName) -> ClrType | None:
        """The type of that name, or None."""
        if name.name in {"[]", "Nullable"} and len(name.args) == 1:
            inner = self.type_named(name.args[0])
            if name.name == "Nullable" and not is_value_type(inner):
                self.refuse(f"{inner}? is C# newer than 7", name.at, "CS0453")
            return clr(name.name, inner)
        if name.name == "dynamic":
            return DYNAMIC
        namespace, _, simple = name.name.rpartition(".")
        if simple == "Tuple" and name.args and namespace in {"", "System"}:
            return clr(f"Tuple{len(name.args)}", *map(self.type_named, name.args))
        known = DEFINITIONS.get(simple)
        # A type without a namespace exists in the tables only.
        if known is None or not known.namespace or namespace not in {"", known.namespace}:
            return None
        if len(known.parameters) != len(name.args):
            self.refuse(f"`{simple}` takes {len(known.parameters)} type arguments", name.at, "CS0305")
        return clr(simple, *(self.type_named(arg) for arg in name.args))

    def refuse(self, message: str, at: int, construct: str) -> NoReturn:
        """The expression is not loaded."""
        raise RefusedError(message, at, construct)

    def compose(self, run: Run, function: Callable[[Any], Any]) -> Run:
        """A function of a value."""
        return lambda frame: function(run(frame))


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
