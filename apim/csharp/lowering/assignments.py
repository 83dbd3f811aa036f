"""Assignments, `op=`, `++` and `--`."""

from apim.csharp.dotnet.conversions import explicit
from apim.csharp.dotnet.signature import NOT_CONSTANT, Settable
from apim.csharp.dotnet.types import DYNAMIC, INT32, NUMBERS, ClrType, clr, is_enum, substitute
from apim.csharp.language import syntax
from apim.csharp.lowering import runtime
from apim.csharp.lowering.bound import ArgumentValue, Bound, Setter, constant
from apim.csharp.lowering.creation import Creation
from apim.csharp.lowering.overloads import convertible
from apim.csharp.lowering.scope import changes_something


class Assignments(Creation):
    """Lowers assignments and increments."""

    def bind_assign(self, node: syntax.Assign) -> Bound:
        """`target op value`."""
        if node.op == "=":
            return self.assign_value(node.target, node.value, self.bind(node.value), node.at)
        read, of, write = self._place_once(node.target)
        value = self.bind(node.value)
        result = self.binary(node.op[:-1], read, value, node.at)
        fits = convertible(result, of) is not None or convertible(value, of) is not None
        if not fits and node.op not in {"<<=", ">>="}:
            self.refuse(
                f"{result.type} cannot be converted implicitly to {of}; add a cast", node.at, "CS0266"
            )
        return Bound(of, write(self.text(self._narrowed(result, of, node.at))), node.at)

    def assign_value(self, place: syntax.Node, node: syntax.Node, value: Bound, at: int) -> Bound:
        """`place = value`. The target is evaluated before the value if the order makes a difference."""
        if isinstance(place, syntax.Name) or (_is_fixed(place) and not changes_something(node)):
            of, write = self._place(place)
            return Bound(of, write(self.text(self.convert(value, of))), at)
        keeps, target, arguments = self._evaluated_place(place)
        if isinstance(place, syntax.Member):
            of, write = self._property(target, place)
        else:
            of, write = self._element_of(target, arguments, at)
        return Bound(of, _after(keeps, write(self.text(self.convert(value, of)))), at)

    def _narrowed(self, result: Bound, of: ClrType, at: int) -> Bound:
        """The result of `x op y`, converted back to the type of x."""
        if convertible(result, of) is not None:
            return self.convert(result, of)
        converter = explicit(result.type, of)
        if converter is None or not (_plain(of).name in NUMBERS or is_enum(of)):
            self.refuse(f"{result.type} cannot be converted to {of}", at, "CS0029")
        return Bound(of, self.apply(converter, self.text(result)), at)

    def increment(self, op: str, target: syntax.Node, at: int, *, prefix: bool) -> Bound:
        """`++` and `--`."""
        read, of, write = self._place_once(target)
        if _plain(of).name not in NUMBERS:
            self.refuse(f"`{op}` does not apply to {of}", at, "CS0023")
        kept = self.temporary()
        old = Bound(of, kept, at)
        new = self._narrowed(self.binary(op[0], old, constant(INT32, 1, at), at), of, at)
        steps = f"({kept} := {self.text(read)}), {write(self.text(new))}"
        return Bound(of, f"({steps})[{1 if prefix else 0}]", at)

    def _place_once(self, node: syntax.Node) -> tuple[Bound, ClrType, Setter]:
        """The value, type and setter of an expression that is read and then assigned, evaluated once."""
        if isinstance(node, syntax.Paren):
            return self._place_once(node.inner)
        if isinstance(node, syntax.Name):
            of, write = self._place(node)
            return self.bind(node), of, write
        keeps, target, arguments = self._evaluated_place(node)
        if isinstance(node, syntax.Member):
            read = self.member_of(target, node)
            of, write = self._property(target, node)
        else:
            read = self.index_of(target, arguments, node.at)
            of, write = self._element_of(target, arguments, node.at)
        return Bound(read.type, _after(keeps, self.text(read)), node.at), of, write

    def _evaluated_place(self, node: syntax.Node) -> tuple[list[str], Bound, list[ArgumentValue]]:
        """The code that evaluates the parts of `target.name` or `target[arguments]` once, and the parts."""
        if not isinstance(node, (syntax.Member, syntax.Index)):
            self.refuse("only a variable, a property or an element can be assigned", node.at, "CS0131")
        target, keep = self._kept(self.bind(node.target))
        if isinstance(node, syntax.Member):
            return [keep], target, []
        kept, keeps = [], [keep]
        for argument in self.arguments(node.args):
            if argument.bound is None or argument.lambda_node is not None:
                self.refuse("an index must be a value", argument.at, "CS0131")
            bound, keep = self._kept(argument.bound)
            kept.append(ArgumentValue(bound, argument.node, argument.at, argument.mode, argument.name))
            keeps.append(keep)
        return keeps, target, kept

    def _kept(self, bound: Bound) -> tuple[Bound, str]:
        """A value that is stored in a temporary variable, and the code that stores it."""
        kept = self.temporary()
        made = Bound(bound.type, kept, bound.at, bound.const, bound.path, bound.present)
        return made, f"({kept} := {self.text(bound)})"

    def _place(self, node: syntax.Node) -> tuple[ClrType, Setter]:
        """The type and the setter of an assignable expression."""
        if isinstance(node, syntax.Paren):
            return self._place(node.inner)
        if isinstance(node, syntax.Name):
            variable = self.scope.find(node.name)
            if variable is None:
                self.refuse(f"there is no variable `{node.name}`", node.at, "CS0103")
            if not variable.writable or variable.const is not NOT_CONSTANT:
                self.refuse(f"`{node.name}` cannot be assigned", node.at, "CS1656")
            return variable.type, self.writer(variable)
        if isinstance(node, syntax.Member):
            return self._property(self.bind(node.target), node)
        if not isinstance(node, syntax.Index):
            self.refuse("only a variable, a property or an element can be assigned", node.at, "CS0131")
        return self._element_of(self.bind(node.target), self.arguments(node.args), node.at)

    def _property(self, target: Bound, node: syntax.Member) -> tuple[ClrType, Setter]:
        found = self.find_property(target.type, node.name) if target.type is not DYNAMIC else None
        if found is None:
            self.no_member(target.type, node.name, node.at)
        holder, member = found
        if not isinstance(member.function, Settable):
            self.refuse(f"`{node.name}` of {target.type} cannot be assigned", node.at, "CS0200")
        names = self.text(target), self.source.name(member.function.set)
        bindings = dict(zip(member.owner.parameters, holder.args, strict=True))
        of = substitute(member.signature.returns, bindings)
        return of, lambda value: self.source.call(runtime.set_property, value, *names)

    def _element_of(self, target: Bound, arguments: list[ArgumentValue], at: int) -> tuple[ClrType, Setter]:
        if target.type is DYNAMIC:
            self.refuse("assigning to a dynamic value is not supported; cast it first", at, "dynamic")
        if target.type.name == "[]":
            return self._array_place(target, arguments, at)
        choice = self.indexer(target, arguments, at)
        function = choice.candidate.member.function
        if not isinstance(function, Settable):
            self.refuse(f"an element of {target.type} cannot be assigned", at, "CS0200")
        owner, key = self.checked(target), self.slot_text(choice.slots[0])
        store = self.source.name(function.set)
        return choice.returns, lambda value: self.source.call(runtime.set_element, value, owner, key, store)

    def _array_place(self, target: Bound, arguments: list[ArgumentValue], at: int) -> tuple[ClrType, Setter]:
        if len(arguments) != 1 or arguments[0].bound is None:
            self.refuse("an array needs exactly one index", at, "CS0022")
        index = arguments[0].bound
        position = self.convert(index, INT32 if convertible(index, INT32) is not None else clr("Int64"))
        element = target.type.args[0]
        names = self.text(target), self.text(position), self.source.name(element)
        return element, lambda value: self.source.call(runtime.set_item, value, *names)


def _is_fixed(place: syntax.Node) -> bool:
    """Whether the parts of an assignable expression are variables and constants."""
    parts: list[syntax.Node] = []
    if isinstance(place, (syntax.Member, syntax.Index)):
        parts.append(place.target)
    if isinstance(place, syntax.Index):
        parts.extend(argument.value for argument in place.args)
    return bool(parts) and all(
        isinstance(part, (syntax.Name, syntax.Literal, syntax.Receiver)) for part in parts
    )


def _after(steps: list[str], value: str) -> str:
    """The code that evaluates the steps and then the value."""
    return f"({', '.join([*steps, value])})[{len(steps)}]"


def _plain(of: ClrType) -> ClrType:
    return of.args[0] if of.name == "Nullable" else of
