"""Names, members and indexers."""

from operator import itemgetter
from typing import Any, NoReturn

from twin.apim.csharp import syntax
from twin.apim.csharp.bound import (
    NOT_CONSTANT,
    ArgumentValue,
    Bound,
    Frame,
    NamespaceReference,
    Run,
    TypeReference,
    constant,
)
from twin.apim.csharp.collection_values import missing_key
from twin.apim.csharp.errors import DotNetException, null_reference
from twin.apim.csharp.json_values import dynamic_index, dynamic_member
from twin.apim.csharp.literals import utf16
from twin.apim.csharp.lowering.base import Base, Meaning
from twin.apim.csharp.overloads import Candidate, Choice, Overloads, convertible
from twin.apim.csharp.results import wrapper
from twin.apim.csharp.signature import Checked, Contextual, Culture, Member, Settable, Typed, lookup
from twin.apim.csharp.syntax import TypeName
from twin.apim.csharp.types import (
    BYTE,
    CHAR,
    DEFINITIONS,
    DYNAMIC,
    INT32,
    NULL,
    NUMBERS,
    STRING,
    ClrType,
    clr,
    is_value_type,
    nullable,
    substitute,
)
from twin.apim.csharp.values import BYTES_TABLE, INTEGER_CLASSES, Array, EnumValue

_CONSTANTS = frozenset(NUMBERS) | {"String", "Boolean"}
CONTEXT = clr("IProxyRequestContext")


class Names(Base):
    """Names, members and indexers."""

    def bind_literal(self, node: syntax.Literal) -> Bound:
        """A constant."""
        of = clr(node.type)
        value: Any = node.value
        if node.type in INTEGER_CLASSES:
            value = INTEGER_CLASSES[node.type](value)
        return constant(of, value, node.at)

    def bind_paren(self, node: syntax.Paren) -> Bound:
        """A value in parentheses."""
        return self.bind(node.inner)

    def bind_name(self, node: syntax.Name) -> Meaning:
        """A variable, `context`, or the beginning of a type's name."""
        if not node.args:
            variable = self.scope.find(node.name)
            if variable is not None:
                return self.read_variable(variable, node.at)
            if node.name == "context":
                return Bound(CONTEXT, lambda frame: frame[0], node.at, path="context")
        found = self.find_type(TypeName(node.name, node.at, node.args))
        return TypeReference(found, node.at) if found is not None else NamespaceReference(node.name, node.at)

    def read_variable(self, variable: Any, at: int) -> Bound:
        """The value of a variable."""
        if variable.const is not NOT_CONSTANT:
            return constant(variable.type, variable.const, at)
        slot = variable.slot
        run: Run = (lambda frame: frame[slot][0]) if variable.cell else itemgetter(slot)
        return Bound(variable.type, run, at)

    def bind_member(self, node: syntax.Member) -> Meaning:
        """`target.name`, which is not called."""
        target = self.bind_any(node.target)
        if isinstance(target, NamespaceReference):
            name = f"{target.name}.{node.name}"
            found = self.find_type(TypeName(name, node.at, node.args))
            if found is not None:
                return TypeReference(found, node.at)
            if not any(f"{known.namespace}.".startswith(name + ".") for known in DEFINITIONS.values()):
                self.refuse(
                    f"the name `{name}` is not known here, and not on the list of allowed .NET types",
                    target.at,
                    name,
                )
            return NamespaceReference(name, target.at)
        if isinstance(target, TypeReference):
            return self._static_property(target.type, node)
        return self.member_of(target, node)

    def _static_property(self, owner: ClrType, node: syntax.Member) -> Bound:
        known = DEFINITIONS.get(owner.name)
        if known is not None and node.name in known.values:
            return constant(owner, EnumValue(owner, known.values[node.name]), node.at)
        member = next(
            (
                member
                for _holder, member in lookup(owner, node.name)
                if member.signature.kind == "property" and member.signature.static
            ),
            None,
        )
        if member is None:
            self.no_member(owner, node.name, node.at)
        value, returns = member.function, member.signature.returns
        if isinstance(value, Contextual):
            read = value.function
            self.note("clock", node.at)
            return Bound(returns, lambda frame: read(frame[0]), node.at)
        if returns.name in _CONSTANTS:
            return constant(returns, value, node.at)
        return Bound(returns, lambda _frame: value, node.at)

    def member_of(self, target: Bound, node: syntax.Member) -> Bound:
        """An instance's property."""
        if target.type is DYNAMIC:
            name, run = node.name, target.run
            return Bound(DYNAMIC, lambda frame: dynamic_member(run(frame), name), node.at)
        found = self.find_property(target.type, node.name)
        if found is None:
            if target.type is NULL:
                self.refuse("null has no members", node.at, "CS0023")
            self.no_member(target.type, node.name, node.at)
        holder, member = found
        path = self._read_path(target, node) if target.path or node.name == "Body" else ""
        returns = substitute(member.signature.returns, _bindings(holder, member))
        get = member.function.get if isinstance(member.function, Settable) else member.function
        run = self.reader(target, get, holder)
        wrap = wrapper(returns)
        return Bound(returns, run if wrap is None else self.compose(run, wrap), node.at, path=path)

    def find_property(self, of: ClrType, name: str) -> tuple[ClrType, Member] | None:
        """The property of that name that a type has or inherits."""
        for holder, member in lookup(of, name):
            if member.signature.kind == "property" and not member.signature.static:
                return holder, member
        return None

    def reader(self, target: Bound, get: Any, holder: ClrType) -> Run:
        """Reads a property, after a check for null."""
        run = target.run
        if isinstance(get, Typed):
            get = get.make(*holder.args)
        if isinstance(get, Contextual):
            inner = get.function
            return lambda frame: inner(frame[0], run(frame))
        if is_value_type(target.type) or target.type.name == "Nullable":
            return lambda frame: get(run(frame))

        def read(frame: Frame) -> Any:
            value = run(frame)
            if value is None:
                raise null_reference()
            return get(value)

        return read

    def _read_path(self, target: Bound, node: syntax.Member) -> str:
        if not target.path:
            if target.type.name in {"IRequest", "IResponse"}:
                self.note("message.body", node.at)
            return ""
        path = f"{target.path}.{node.name}"
        self.note(path.removeprefix("context.").lower(), node.at)
        return path

    def no_member(self, of: ClrType, name: str, at: int) -> NoReturn:
        """Refuses a member that is not in the tables."""
        self.refuse(
            f"{of} has no member `{name}` among those that API Management allows and the twin knows",
            at,
            f"{of}.{name}",
        )

    def bind_index(self, node: syntax.Index) -> Bound:
        """`target[index]`."""
        return self.index_of(self.bind(node.target), self.arguments(node.args), node.at)

    def index_of(self, target: Bound, arguments: list[ArgumentValue], at: int) -> Bound:
        """An element."""
        if target.type.name == "[]":
            return self._array_element(target, arguments, at)
        if target.type is STRING and len(arguments) == 1 and arguments[0].bound is not None:
            index = arguments[0].bound
            if convertible(index, INT32) is not None:
                return self._character(target, self.convert(index, INT32), at)
        if target.type is DYNAMIC and len(arguments) == 1 and arguments[0].bound is not None:
            run, key = target.run, arguments[0].bound.run
            return Bound(DYNAMIC, lambda frame: dynamic_index(run(frame), key(frame)), at)
        choice = self.indexer(target, arguments, at)
        self._note_variable(target, choice, at)
        return Bound(choice.returns, self._indexed(target, choice), at)

    def _indexed(self, target: Bound, choice: Choice) -> Run:
        """An element by the chosen indexer."""
        given = choice.slots[0].arguments
        if target.path == "context.Variables" and given and given[0].bound is not None:
            name = given[0].bound.const
            if isinstance(name, str) and name.isascii():
                return _variable(name)
        get = choice.candidate.member.function
        get = get.get if isinstance(get, Settable) else get
        if isinstance(get, (Checked, Culture)):
            get = get.function
        if isinstance(get, Typed):
            get = get.make(*choice.candidate.owner.args)
        run, key = target.run, self.slot_run(choice.slots[0])

        def read(frame: Frame) -> Any:
            value = run(frame)
            if value is None:
                raise null_reference()
            return get(value, key(frame))

        return read

    def indexer(self, target: Bound, arguments: list[ArgumentValue], at: int) -> Choice:
        """The indexer that fits."""
        candidates = [
            Candidate(holder, member, _bindings(holder, member))
            for holder, member in lookup(target.type, "this")
        ]
        choice = Overloads(self, arguments, ()).choose(candidates, at, "this[]") if candidates else None
        if choice is None:
            given = ", ".join(str(a.bound.type) for a in arguments if a.bound is not None)
            self.refuse(f"{target.type} has no indexer that takes {given}", at, f"{target.type}[]")
        return choice

    def _note_variable(self, target: Bound, choice: Choice, at: int) -> None:
        if target.path == "context.Variables":
            arguments = choice.slots[0].arguments
            if arguments and arguments[0].bound is not None and arguments[0].bound.is_constant:
                self.note(f"variables:{arguments[0].bound.const}", at)

    def _array_element(self, target: Bound, arguments: list[ArgumentValue], at: int) -> Bound:
        if len(arguments) != 1 or arguments[0].bound is None:
            self.refuse("an array has one index", at, "CS0022")
        index = arguments[0].bound
        if convertible(index, INT32) is None and convertible(index, clr("Int64")) is None:
            self.refuse(f"an array's index is an int, not {index.type}", at, "CS0029")
        if convertible(index, INT32) is not None:
            index = self.convert(index, INT32)
        element = target.type.args[0]
        array, position = target.run, index.run
        is_bytes = element is BYTE

        def read(frame: Frame) -> Any:
            values: Array | None = array(frame)
            place = position(frame)
            if values is None:
                raise null_reference()
            if not 0 <= place < len(values.items):
                raise DotNetException(
                    "IndexOutOfRangeException", "Index was outside the bounds of the array."
                )
            return BYTES_TABLE[values.items[place]] if is_bytes else values.items[place]

        return Bound(element, read, at)

    def _character(self, target: Bound, index: Bound, at: int) -> Bound:
        text, position = target.run, index.run
        make = INTEGER_CLASSES["Char"]

        def read(frame: Frame) -> Any:
            value = text(frame)
            place = position(frame)
            if value is None:
                raise null_reference()
            if not 0 <= place < len(value):
                raise DotNetException(
                    "IndexOutOfRangeException", "Index was outside the bounds of the array."
                )
            return make(ord(value[place]))

        return Bound(CHAR, read, at)

    def bind_receiver(self, node: syntax.Receiver) -> Bound:
        """What is before the nearest `?.`."""
        receiver = self.receivers[-1]
        return Bound(receiver.type, receiver.run, node.at, path=receiver.path)

    def bind_conditional(self, node: syntax.Conditional) -> Bound:
        """`target?.rest`."""
        target = self.bind(node.target)
        if is_value_type(target.type) or target.type is NULL:
            self.refuse(f"?. does not apply to {target.type}", node.at, "CS0023")
        slot = self.scope.slot()
        inner = target.type.args[0] if target.type.name == "Nullable" else target.type
        self.receivers.append(Bound(inner, lambda frame: frame[slot], node.at, path=target.path))
        rest = self.bind(node.rest)
        self.receivers.pop()
        result = nullable(rest.type) if is_value_type(rest.type) else rest.type
        value = target.run
        exists = self.decision(lambda frame: frame[slot] is not None, node.at, "?.")
        then = rest.run

        def run(frame: Frame) -> Any:
            frame[slot] = value(frame)
            return then(frame) if exists(frame) else None

        return Bound(result, run, node.at)


def _variable(name: str) -> Run:
    """`context.Variables["name"]`."""

    def read(frame: Frame) -> Any:
        try:
            value = frame[0].variables[name]
        except KeyError:
            raise missing_key(name) from None
        return utf16(value) if type(value) is str else value

    return read


def _bindings(holder: ClrType, member: Member) -> dict[str, ClrType]:
    if holder.name == "[]":
        return {}
    return dict(zip(member.owner.parameters, holder.args, strict=True))
