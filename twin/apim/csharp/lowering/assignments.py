"""Assignments, `op=`, `++` and `--`."""

from collections.abc import Callable
from typing import Any

from twin.apim.csharp import syntax
from twin.apim.csharp.bound import NOT_CONSTANT, ArgumentValue, Bound, Frame, constant
from twin.apim.csharp.conversions import explicit, same
from twin.apim.csharp.errors import DotNetException, null_reference
from twin.apim.csharp.lowering.creation import Creation
from twin.apim.csharp.overloads import convertible
from twin.apim.csharp.scope import changes_something
from twin.apim.csharp.signature import Settable
from twin.apim.csharp.types import BYTE, DYNAMIC, INT32, NUMBERS, ClrType, clr, is_enum, substitute
from twin.apim.csharp.values import Array, integer, type_of

Setter = Callable[[Frame, Any], None]


class Assignments(Creation):
    """What can be set, and how."""

    def bind_assign(self, node: syntax.Assign) -> Bound:
        """`target op value`."""
        if node.op == "=":
            return self.assign_value(node.target, node.value, self.bind(node.value), node.at)
        read, of, write = self._place_once(node.target)
        result = self.binary(node.op[:-1], read, self.bind(node.value), node.at)
        value = self._narrowed(result, of, node.at)
        slot = self._plain_slot(node.target)
        return self._store(of, write, value, node.at) if slot is None else _stored(of, slot, value, node.at)

    def assign_value(self, place: syntax.Node, node: syntax.Node, value: Bound, at: int) -> Bound:
        """`place = value`. The parts of a place are evaluated before the value, where that can be told."""
        if isinstance(place, syntax.Name) or (_is_fixed(place) and not changes_something(node)):
            of, write = self._place(place)
            return self._store(of, write, self.convert(value, of), at)
        keep, target, arguments = self._kept_place(place)
        if isinstance(place, syntax.Member):
            of, write = self._property(target, place)
        else:
            of, write = self._element_of(target, arguments, at)
        run = self.convert(value, of).run

        def store(frame: Frame) -> Any:
            keep(frame)
            found = run(frame)
            write(frame, found)
            return found

        return Bound(of, store, at)

    def _plain_slot(self, node: syntax.Node) -> int | None:
        """The slot of a variable that lives in the frame itself."""
        variable = self.scope.find(node.name) if isinstance(node, syntax.Name) else None
        return variable.slot if variable is not None and not variable.cell else None

    def _store(self, of: ClrType, write: Setter, value: Bound, at: int) -> Bound:
        run = value.run

        def store(frame: Frame) -> Any:
            found = run(frame)
            write(frame, found)
            return found

        return Bound(of, store, at)

    def _narrowed(self, result: Bound, of: ClrType, at: int) -> Bound:
        """The result of `x op y`, converted back to the type of x."""
        if convertible(result, of) is not None:
            return self.convert(result, of)
        converter = explicit(result.type, of)
        if converter is None or not (_plain(of).name in NUMBERS or is_enum(of)):
            self.refuse(f"{result.type} cannot become {of}", at, "CS0029")
        return Bound(of, self.compose(result.run, converter), at)

    def increment(self, op: str, target: syntax.Node, at: int, *, prefix: bool) -> Bound:
        """`++` and `--`."""
        read, of, write = self._place_once(target)
        if _plain(of).name not in NUMBERS:
            self.refuse(f"`{op}` does not apply to {of}", at, "CS0023")
        plain = self._plain_slot(target)
        if plain is not None and of is INT32:
            return _stepped(plain, 1 if op == "++" else -1, at, prefix=prefix)
        slot = self.scope.slot()
        old = Bound(of, lambda frame: frame[slot], at)
        new = self._narrowed(self.binary(op[0], old, constant(INT32, 1, at), at), of, at).run
        get = read.run

        def run(frame: Frame) -> Any:
            before = frame[slot] = get(frame)
            after = new(frame)
            write(frame, after)
            return after if prefix else before

        return Bound(of, run, at)

    def _place_once(self, node: syntax.Node) -> tuple[Bound, ClrType, Setter]:
        """A place that is read and then written: its parts are evaluated once."""
        if isinstance(node, syntax.Paren):
            return self._place_once(node.inner)
        if isinstance(node, syntax.Name):
            of, write = self._place(node)
            return self.bind(node), of, write
        keep, target, arguments = self._kept_place(node)
        if isinstance(node, syntax.Member):
            read = self.member_of(target, node)
            of, write = self._property(target, node)
        else:
            read = self.index_of(target, arguments, node.at)
            of, write = self._element_of(target, arguments, node.at)
        get = read.run

        def run(frame: Frame) -> Any:
            keep(frame)
            return get(frame)

        return Bound(read.type, run, node.at), of, write

    def _kept_place(self, node: syntax.Node) -> tuple[Callable[[Frame], None], Bound, list[ArgumentValue]]:
        """The parts of `target.name` or `target[arguments]`, and what evaluates them once."""
        if not isinstance(node, (syntax.Member, syntax.Index)):
            self.refuse("only a variable, a property or an element can be assigned", node.at, "CS0131")
        target, keep_target = self._kept(self.bind(node.target))
        if isinstance(node, syntax.Member):
            return keep_target, target, []
        arguments, keeps = self._kept_arguments(self.arguments(node.args))

        def keep(frame: Frame) -> None:
            keep_target(frame)
            for keep_argument in keeps:
                keep_argument(frame)

        return keep, target, arguments

    def _kept(self, bound: Bound) -> tuple[Bound, Callable[[Frame], None]]:
        """A value that is evaluated once and then read from a slot."""
        slot, run = self.scope.slot(), bound.run

        def keep(frame: Frame) -> None:
            frame[slot] = run(frame)

        return Bound(bound.type, lambda frame: frame[slot], bound.at, bound.const, bound.path), keep

    def _kept_arguments(
        self, arguments: list[ArgumentValue]
    ) -> tuple[list[ArgumentValue], list[Callable[[Frame], None]]]:
        kept: list[ArgumentValue] = []
        keeps: list[Callable[[Frame], None]] = []
        for argument in arguments:
            if argument.bound is None or argument.lambda_node is not None:
                self.refuse("an index is a value", argument.at, "CS0131")
            bound, keep = self._kept(argument.bound)
            kept.append(ArgumentValue(bound, argument.node, argument.at, argument.mode, argument.name))
            keeps.append(keep)
        return kept, keeps

    def _place(self, node: syntax.Node) -> tuple[ClrType, Setter]:
        """The type of a place, and what sets it."""
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
        set_, run = member.function.set, target.run
        bindings = dict(zip(member.owner.parameters, holder.args, strict=True))

        def write(frame: Frame, value: Any) -> None:
            owner = run(frame)
            if owner is None:
                raise null_reference()
            set_(owner, value)

        return substitute(member.signature.returns, bindings), write

    def _element_of(self, target: Bound, arguments: list[ArgumentValue], at: int) -> tuple[ClrType, Setter]:
        if target.type is DYNAMIC:
            self.refuse("assigning to a dynamic value; cast it first", at, "dynamic")
        if target.type.name == "[]":
            return self._array_place(target, arguments, at)
        choice = self.indexer(target, arguments, at)
        function = choice.candidate.member.function
        if not isinstance(function, Settable):
            self.refuse(f"an element of {target.type} cannot be assigned", at, "CS0200")
        set_, run, key = function.set, target.run, self.slot_run(choice.slots[0])

        def write(frame: Frame, value: Any) -> None:
            owner = run(frame)
            if owner is None:
                raise null_reference()
            set_(owner, key(frame), value)

        return choice.returns, write

    def _array_place(self, target: Bound, arguments: list[ArgumentValue], at: int) -> tuple[ClrType, Setter]:
        if len(arguments) != 1 or arguments[0].bound is None:
            self.refuse("an array has one index", at, "CS0022")
        index = arguments[0].bound
        position = self.convert(index, INT32 if convertible(index, INT32) is not None else clr("Int64")).run
        element, array = target.type.args[0], target.run
        store = int if element is BYTE else same

        def write(frame: Frame, value: Any) -> None:
            owner: Array | None = array(frame)
            place = position(frame)
            if owner is None:
                raise null_reference()
            if not 0 <= place < len(owner.items):
                raise DotNetException(
                    "IndexOutOfRangeException", "Index was outside the bounds of the array."
                )
            # An object[] may be a string[] at run time, and then takes only strings.
            if owner.clr_type.args[0] is not element and value is not None:
                _check_element(owner.clr_type.args[0], value)
            owner.items[place] = store(value)

        return element, write


def _is_fixed(place: syntax.Node) -> bool:
    """Whether the parts of a place are variables and constants."""
    parts: list[syntax.Node] = []
    if isinstance(place, (syntax.Member, syntax.Index)):
        parts.append(place.target)
    if isinstance(place, syntax.Index):
        parts.extend(argument.value for argument in place.args)
    return bool(parts) and all(
        isinstance(part, (syntax.Name, syntax.Literal, syntax.Receiver)) for part in parts
    )


def _stored(of: ClrType, slot: int, value: Bound, at: int) -> Bound:
    """An assignment to a slot of the frame."""
    run = value.run

    def store(frame: Frame) -> Any:
        found = frame[slot] = run(frame)
        return found

    return Bound(of, store, at)


def _stepped(slot: int, step: int, at: int, *, prefix: bool) -> Bound:
    """`++` or `--` of an int in a slot of the frame."""

    def run(frame: Frame) -> int:
        before = frame[slot]
        after = before + step
        if not -0x80000000 <= after <= 0x7FFFFFFF:  # noqa: PLR2004 -- the bounds of an int
            after = integer("Int32", after)
        frame[slot] = after
        return after if prefix else before

    return Bound(INT32, run, at)


def _check_element(element: ClrType, value: Any) -> None:
    if explicit(type_of(value), element) is not same:
        raise DotNetException(
            "ArrayTypeMismatchException",
            "Attempted to access an element as a type incompatible with the array.",
        )


def _plain(of: ClrType) -> ClrType:
    return of.args[0] if of.name == "Nullable" else of
