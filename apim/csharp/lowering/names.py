"""Names, members and indexers."""

from typing import Any, NoReturn

from apim.csharp.dotnet.conversions import same
from apim.csharp.dotnet.inheritance import lookup
from apim.csharp.dotnet.signature import (
    NOT_CONSTANT,
    Attribute,
    Checked,
    Contextual,
    Culture,
    Settable,
    Typed,
    TypeMember,
)
from apim.csharp.dotnet.types import (
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
from apim.csharp.dotnet.values import INTEGER_CLASSES, Array, EnumValue, Sequence
from apim.csharp.json.dynamic import dynamic_index, dynamic_member
from apim.csharp.language import syntax
from apim.csharp.language.syntax import TypeName
from apim.csharp.lowering import runtime
from apim.csharp.lowering.base import Base, Meaning
from apim.csharp.lowering.bound import ArgumentValue, Bound, NamespaceReference, TypeReference, constant
from apim.csharp.lowering.overloads import Candidate, Choice, Overloads, convertible
from apim.csharp.lowering.results import wrapper
from apim.csharp.lowering.source import CONTEXT as CONTEXT_NAME

_CONSTANTS = frozenset(NUMBERS) | {"String", "Boolean"}
CONTEXT = clr("IProxyRequestContext")
_CLASSES = {**INTEGER_CLASSES, "[]": Array, "IEnumerable": Sequence}
_ALWAYS = frozenset(
    {
        "context.Api",
        "context.Deployment",
        "context.Request",
        "context.Request.Headers",
        "context.Request.MatchedParameters",
        "context.Request.OriginalUrl",
        "context.Request.Url",
        "context.Request.Url.Query",
        "context.Response.Headers",
        "context.Variables",
    }
)
"""Paths of values that are never null."""


class Names(Base):
    """Lowers names, members and indexers."""

    def bind_literal(self, node: syntax.Literal) -> Bound:
        """A literal."""
        of = clr(node.type)
        value: Any = node.value
        if node.type in INTEGER_CLASSES:
            value = INTEGER_CLASSES[node.type](value)
        return constant(of, value, node.at)

    def bind_paren(self, node: syntax.Paren) -> Bound:
        """A value in parentheses."""
        return self.bind(node.inner)

    def bind_name(self, node: syntax.Name) -> Meaning:
        """A variable, `context`, or the first part of a type's name."""
        if not node.args:
            variable = self.scope.find(node.name)
            if variable is not None:
                return self.read_variable(variable, node.at)
            if node.name == "context":
                return Bound(CONTEXT, CONTEXT_NAME, node.at, path="context", present=True)
        found = self.find_type(TypeName(node.name, node.at, node.args))
        return TypeReference(found, node.at) if found is not None else NamespaceReference(node.name, node.at)

    def read_variable(self, variable: Any, at: int) -> Bound:
        """The value of a variable."""
        if variable.const is not NOT_CONSTANT:
            return constant(variable.type, variable.const, at)
        return Bound(variable.type, f"{variable.code}[0]" if variable.cell else variable.code, at)

    def bind_member(self, node: syntax.Member) -> Meaning:
        """`target.name` that is not a call."""
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
            self.note("clock", node.at)
            return Bound(returns, self.source.call(value.function, CONTEXT_NAME), node.at)
        if returns.name in _CONSTANTS:
            return constant(returns, value, node.at)
        return Bound(returns, self.source.literal(value), node.at, present=value is not None)

    def member_of(self, target: Bound, node: syntax.Member) -> Bound:
        """A property of a value."""
        if target.type is DYNAMIC:
            name = self.source.literal(node.name)
            return Bound(DYNAMIC, self.source.call(dynamic_member, self.text(target), name), node.at)
        found = self.find_property(target.type, node.name)
        if found is None:
            if target.type is NULL:
                self.refuse("null has no members", node.at, "CS0023")
            self.no_member(target.type, node.name, node.at)
        holder, member = found
        if node.name == "Query" and target.type.name == "IUrl":
            self.note("url.query", node.at)
        path = self._read_path(target, node) if target.path or node.name == "Body" else ""
        returns = substitute(member.signature.returns, _bindings(holder, member))
        get = member.function.get if isinstance(member.function, Settable) else member.function
        text = self.wrapped(self.reader(target, get, holder), get, returns)
        return Bound(returns, text, node.at, path=path, present=path in _ALWAYS)

    def find_property(self, of: ClrType, name: str) -> tuple[ClrType, TypeMember] | None:
        """The property with a name that a type declares or inherits."""
        for holder, member in lookup(of, name):
            if member.signature.kind == "property" and not member.signature.static:
                return holder, member
        return None

    def reader(self, target: Bound, get: Any, holder: ClrType) -> str:
        """The code that reads a property, after a check for null."""
        if isinstance(get, Typed):
            get = get.make(*holder.args)
        owner = self.text(target) if target.type.name == "Nullable" else self.checked(target)
        if isinstance(get, Contextual):
            return self.source.call(get.function, CONTEXT_NAME, owner)
        if isinstance(get, Attribute):
            return self.apply(get.then or same, f"{owner}.{get.name}")
        return self.source.call(get, owner)

    def wrapped(self, text: str, function: Any, returns: ClrType) -> str:
        """The code for the result of a member's function, converted to the class of its .NET type."""
        annotated = getattr(function, "__annotations__", {}).get("return")
        if returns.name == "[]" and returns.args[0] is BYTE and annotated is bytes:
            return self.source.call(Array, self.source.name(BYTE), text)
        if annotated is not None and annotated is _CLASSES.get(returns.name):
            return text
        return self.apply(wrapper(returns) or same, text)

    def _read_path(self, target: Bound, node: syntax.Member) -> str:
        if not target.path:
            if target.type.name in {"IRequest", "IResponse"}:
                self.note("message.body", node.at)
            return ""
        path = f"{target.path}.{node.name}"
        self.note(path.removeprefix("context.").lower(), node.at)
        return path

    def no_member(self, of: ClrType, name: str, at: int) -> NoReturn:
        """Rejects a member that is not declared."""
        self.refuse(
            f"{of} has no member `{name}` that API Management allows and the twin supports",
            at,
            f"{of}.{name}",
        )

    def bind_index(self, node: syntax.Index) -> Bound:
        """`target[index]`."""
        return self.index_of(self.bind(node.target), self.arguments(node.args), node.at)

    def index_of(self, target: Bound, arguments: list[ArgumentValue], at: int) -> Bound:
        """An element of an array, a string or a collection."""
        if target.type.name == "[]":
            return self._array_element(target, arguments, at)
        if target.type is STRING and len(arguments) == 1 and arguments[0].bound is not None:
            index = arguments[0].bound
            if convertible(index, INT32) is not None:
                return self._character(target, self.convert(index, INT32), at)
        if target.type is DYNAMIC and len(arguments) == 1 and arguments[0].bound is not None:
            key = self.text(arguments[0].bound)
            return Bound(DYNAMIC, self.source.call(dynamic_index, self.text(target), key), at)
        choice = self.indexer(target, arguments, at)
        self._note_variable(target, choice, at)
        return Bound(choice.returns, self._indexed(target, choice), at)

    def _indexed(self, target: Bound, choice: Choice) -> str:
        """The code that calls the chosen indexer."""
        arguments = choice.slots[0].arguments
        if target.path == "context.Variables" and arguments and arguments[0].bound is not None:
            name = arguments[0].bound.const
            if isinstance(name, str) and name.isascii():
                return self._variable(name)
        get = choice.candidate.member.function
        get = get.get if isinstance(get, Settable) else get
        if isinstance(get, (Checked, Culture)):
            get = get.function
        if isinstance(get, Typed):
            get = get.make(*choice.candidate.owner.args)
        owner = self.text(target) if is_value_type(target.type) else self.checked(target)
        return self.source.call(get, owner, self.slot_text(choice.slots[0]))

    def _variable(self, name: str) -> str:
        """`context.Variables["name"]`."""
        source, found, key = self.source, self.temporary(), self.source.literal(name)
        get = f"{CONTEXT_NAME}.variables.get({key}, {source.name(runtime.MISSING)})"
        other = f"{source.name(type)}({found}) is not {source.name(str)}"
        plain = f"({found} := {get}) is not {source.name(runtime.MISSING)} and ({other} or {found}.isascii())"
        return f"({found} if {plain} else {source.call(runtime.variable, found, key)})"

    def indexer(self, target: Bound, arguments: list[ArgumentValue], at: int) -> Choice:
        """Chooses the indexer for the arguments.

        Raises:
            CompileError: the type has no indexer for them.
        """
        candidates = [
            Candidate(holder, member, _bindings(holder, member))
            for holder, member in lookup(target.type, "this")
        ]
        choice = Overloads(self, arguments, ()).choose(candidates, at, "this[]") if candidates else None
        if choice is None:
            types = ", ".join(str(a.bound.type) for a in arguments if a.bound is not None)
            self.refuse(f"{target.type} has no indexer that takes {types}", at, f"{target.type}[]")
        return choice

    def _note_variable(self, target: Bound, choice: Choice, at: int) -> None:
        if target.path == "context.Variables":
            arguments = choice.slots[0].arguments
            if arguments and arguments[0].bound is not None and arguments[0].bound.is_constant:
                self.note(f"variables:{arguments[0].bound.const}", at)

    def _array_element(self, target: Bound, arguments: list[ArgumentValue], at: int) -> Bound:
        if len(arguments) != 1 or arguments[0].bound is None:
            self.refuse("an array needs exactly one index", at, "CS0022")
        index = arguments[0].bound
        if convertible(index, INT32) is None and convertible(index, clr("Int64")) is None:
            self.refuse(f"the index of an array must be an int, not {index.type}", at, "CS0029")
        if convertible(index, INT32) is not None:
            index = self.convert(index, INT32)
        element = target.type.args[0]
        owner, place = self.text(target), self.text(index)
        read = self.source.call(runtime.byte_item if element is BYTE else runtime.item, owner, place)
        if element is not BYTE and owner.isidentifier() and place.isdecimal():
            within = f"{owner} is not None and {place} < {self.source.name(len)}({owner}.items)"
            read = f"({owner}.items[{place}] if {within} else {read})"
        return Bound(element, read, at)

    def _character(self, target: Bound, index: Bound, at: int) -> Bound:
        return Bound(CHAR, self.source.call(runtime.character, self.text(target), self.text(index)), at)

    def bind_receiver(self, node: syntax.Receiver) -> Bound:
        """The value before the nearest `?.`."""
        receiver = self.receivers[-1]
        return Bound(receiver.type, receiver.code, node.at, path=receiver.path, present=receiver.present)

    def bind_conditional(self, node: syntax.Conditional) -> Bound:
        """`target?.rest`."""
        target = self.bind(node.target)
        if is_value_type(target.type) or target.type is NULL:
            self.refuse(f"?. does not apply to {target.type}", node.at, "CS0023")
        kept = self.temporary()
        inner = target.type.args[0] if target.type.name == "Nullable" else target.type
        self.receivers.append(Bound(inner, kept, node.at, path=target.path, present=True))
        rest = self.bind(node.rest)
        self.receivers.pop()
        result = nullable(rest.type) if is_value_type(rest.type) else rest.type
        exists = self.decision(f"({kept} := {self.text(target)}) is not None", node.at, "?.")
        return Bound(result, f"({self.text(rest)} if {exists} else None)", node.at)


def _bindings(holder: ClrType, member: TypeMember) -> dict[str, ClrType]:
    if holder.name == "[]":
        return {}
    return dict(zip(member.owner.parameters, holder.args, strict=True))
