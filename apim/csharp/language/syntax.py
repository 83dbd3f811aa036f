"""The nodes of the syntax tree, which the parser creates; they have no types yet.

`at` is an offset in the expression's text.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TypeName:
    """`List<string>[]`, `int?`, `System.Uri`; `var` is a name like any other."""

    name: str
    at: int
    args: "tuple[TypeName, ...]" = ()


class Node:
    """An expression or a statement."""

    __slots__ = ()
    at: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant; `type` is the .NET name of its type, or `null` for null."""

    at: int
    type: str
    value: object


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole in an interpolated string."""

    value: Node
    alignment: Node | None
    format: str | None


@dataclass(frozen=True, slots=True)
class Interpolated(Node):
    """`$"..."`: its unescaped strings and its holes."""

    at: int
    parts: tuple[str | Hole, ...]


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A simple name or a predefined type, used as an expression."""

    at: int
    name: str
    args: tuple[TypeName, ...] = ()


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`target.name<args>`."""

    at: int
    target: Node
    name: str
    args: tuple[TypeName, ...] = ()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument; `mode` is "" or "out"; `declares` is the T of `out T x`; `name` is set for `name: x`."""

    value: Node
    mode: str = ""
    name: str | None = None
    declares: TypeName | None = None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`target(args)`."""

    at: int
    target: Node
    args: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`target[args]`."""

    at: int
    target: Node
    args: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`target?.rest`; the innermost node of `rest` is a Receiver."""

    at: int
    target: Node
    rest: Node


@dataclass(frozen=True, slots=True)
class Receiver(Node):
    """The value before the nearest `?.`, or the object of an initializer."""

    at: int


@dataclass(frozen=True, slots=True)
class Initializer:
    """`{ ... }` after `new T`, with elements, `Name = value` or `[key] = value`."""

    at: int
    elements: tuple["Element", ...]


@dataclass(frozen=True, slots=True)
class Element:
    """One element: the `values` for Add, or a `member` or an `index` with a value or an initializer."""

    at: int
    values: "tuple[Node | Initializer, ...]"
    member: str | None = None
    index: tuple[Argument, ...] | None = None


@dataclass(frozen=True, slots=True)
class New(Node):
    """`new T(args) { ... }`."""

    at: int
    type: TypeName
    args: tuple[Argument, ...]
    initializer: Initializer | None


@dataclass(frozen=True, slots=True)
class NewAnonymous(Node):
    """`new { name = value, x.Name }`."""

    at: int
    members: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class NewArray(Node):
    """`new T[size]`, `new T[] {...}`, `new[] {...}` (element None), `{...}` in a declaration."""

    at: int
    element: TypeName | None
    size: Node | None
    items: tuple[Node, ...] | None


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    """`x => body`, `(x, y) => { ... }`."""

    at: int
    parameters: tuple[tuple[TypeName | None, str], ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`- + ! ~` and prefix `++`, `--`."""

    at: int
    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Postfix(Node):
    """`x++`, `x--`."""

    at: int
    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """A binary operation; `at` is the offset of the operator."""

    at: int
    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`target op value`, with `=`, `+=` and so on."""

    at: int
    op: str
    target: Node
    value: Node


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    """`condition ? yes : no`."""

    at: int
    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """`(T)operand`."""

    at: int
    type: TypeName
    operand: Node


@dataclass(frozen=True, slots=True)
class As(Node):
    """`operand as T`."""

    at: int
    operand: Node
    type: TypeName


@dataclass(frozen=True, slots=True)
class Is(Node):
    """`operand is pattern`."""

    at: int
    operand: Node
    pattern: "Pattern"


@dataclass(frozen=True, slots=True)
class Pattern:
    """`T`, `T name`, `var name`, or a constant. A single name is parsed as a type; it may be a constant."""

    at: int
    type: TypeName | None = None
    name: str | None = None
    constant: Node | None = None


@dataclass(frozen=True, slots=True)
class Default(Node):
    """`default(T)`."""

    at: int
    type: TypeName


@dataclass(frozen=True, slots=True)
class ThrowValue(Node):
    """`throw e` as an expression."""

    at: int
    value: Node


@dataclass(frozen=True, slots=True)
class Paren(Node):
    """`(inner)`, kept because it ends a `?.` chain and separates string concatenations."""

    at: int
    inner: Node


@dataclass(frozen=True, slots=True)
class Block(Node):
    """`{ ... }`."""

    at: int
    statements: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Local(Node):
    """`T a = x, b;`."""

    at: int
    type: TypeName
    variables: tuple[tuple[str, int, Node | None], ...]
    constant: bool


@dataclass(frozen=True, slots=True)
class Do(Node):
    """An expression as a statement."""

    at: int
    value: Node


@dataclass(frozen=True, slots=True)
class If(Node):
    """`if`."""

    at: int
    condition: Node
    yes: Node
    no: Node | None


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """`for`, `while`, `do`; the condition is evaluated first unless `body_first` is set."""

    at: int
    setup: tuple[Node, ...]
    condition: Node | None
    step: tuple[Node, ...]
    body: Node
    body_first: bool = False


@dataclass(frozen=True, slots=True)
class ForEach(Node):
    """`foreach (T name in values) body`."""

    at: int
    type: TypeName
    name: str
    values: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Jump(Node):
    """`break` or `continue`."""

    at: int
    kind: str


@dataclass(frozen=True, slots=True)
class Return(Node):
    """`return value;`."""

    at: int
    value: Node | None


@dataclass(frozen=True, slots=True)
class Throw(Node):
    """`throw value;`, or `throw;`."""

    at: int
    value: Node | None


@dataclass(frozen=True, slots=True)
class Catch:
    """`catch (T name) when (filter) body`."""

    at: int
    type: TypeName | None
    name: str | None
    filter: Node | None
    body: Block


@dataclass(frozen=True, slots=True)
class Try(Node):
    """`try`."""

    at: int
    body: Block
    catches: tuple[Catch, ...]
    final: Block | None


@dataclass(frozen=True, slots=True)
class Section:
    """A group of `case` labels (None is `default`) with guards, and their statements."""

    at: int
    labels: tuple[tuple[Pattern | None, Node | None], ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Switch(Node):
    """`switch (value) { ... }`."""

    at: int
    value: Node
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Using(Node):
    """`using (resource) body`."""

    at: int
    resource: Node
    body: Node
