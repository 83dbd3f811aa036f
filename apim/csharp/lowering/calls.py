"""Calls of methods, constructors and conversions to arguments."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

from apim.csharp.dotnet.conversions import same
from apim.csharp.dotnet.inheritance import lookup
from apim.csharp.dotnet.signature import (
    NOT_CONSTANT,
    PREPARATIONS,
    Checked,
    Contextual,
    Culture,
    Typed,
    TypeMember,
    members_of,
)
from apim.csharp.dotnet.types import (
    DYNAMIC,
    LAMBDA,
    NULL,
    OBJECT,
    STRING,
    VOID,
    ClrType,
    clr,
)
from apim.csharp.dotnet.values import Array, Sequence
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null
from apim.csharp.json.dynamic import dynamic_to_string
from apim.csharp.language import syntax
from apim.csharp.lowering import runtime
from apim.csharp.lowering.bound import (
    ArgumentValue,
    Bound,
    NamespaceReference,
    OutTarget,
    Setter,
    TypeReference,
    constant,
)
from apim.csharp.lowering.names import Names
from apim.csharp.lowering.overloads import Candidate, Choice, Overloads, Slot
from apim.csharp.lowering.results import wrapper
from apim.csharp.lowering.source import CONTEXT as CONTEXT_NAME
from apim.csharp.lowering.source import Source

_EXTENSIONS: Final = ("Enumerable", "Extensions", "PolicyExtensions")
_ORDER: Final = frozenset(
    {"Max", "Min", "OrderBy", "OrderByDescending", "Sort", "ThenBy", "ThenByDescending"}
)
_DEFERRED: Final = frozenset({"IEnumerable", "IOrderedEnumerable", "IJEnumerable"})


class Calls(Names):
    """Lowers calls."""

    def bind_call(self, node: syntax.Call) -> Bound:
        """`target(args)`."""
        target = node.target
        if isinstance(target, syntax.Name):
            if target.name == "nameof" and len(node.args) == 1:
                return self._nameof(node.args[0].value, node.at)
            self.refuse(f"there is no function `{target.name}`", target.at, "CS0103")
        if not isinstance(target, syntax.Member):
            self.refuse("only methods can be called", node.at, "CS0149")
        holder = self.bind_any(target.target)
        explicit = tuple(self.type_named(name) for name in target.args)
        if isinstance(holder, NamespaceReference):
            self.refuse(
                f"the name `{holder.name}` is not known here, and not on the list of allowed .NET types",
                holder.at,
                holder.name,
            )
        if isinstance(holder, Bound) and holder.type is DYNAMIC:
            return self._dynamic_call(holder, target, node)
        arguments = self.arguments(node.args)
        if any(argument.bound is not None and argument.bound.type is DYNAMIC for argument in arguments):
            self.refuse("a dynamic argument is not supported; cast it first", node.at, "dynamic")
        if isinstance(holder, TypeReference):
            return self._static_call(holder.type, target, arguments, explicit)
        return self.call_instance(holder, target.name, arguments, explicit, target.at)

    def _nameof(self, node: syntax.Node, at: int) -> Bound:
        if isinstance(node, syntax.Member):
            holder = self.bind_any(node.target)
            of = None if isinstance(holder, NamespaceReference) else holder.type
            if of is None or not lookup(of, node.name):
                self.bind_any(node)
            return constant(STRING, node.name, at)
        if not isinstance(node, syntax.Name):
            self.refuse("the argument of nameof must be a name", at, "CS8081")
        self.bind_any(node)
        return constant(STRING, node.name, at)

    def _dynamic_call(self, holder: Bound, target: syntax.Member, node: syntax.Call) -> Bound:
        if target.name != "ToString" or node.args:
            self.refuse(
                f"calling `{target.name}` of a dynamic value is not supported; cast it first",
                target.at,
                "dynamic",
            )
        return Bound(STRING, self.source.call(dynamic_to_string, self.text(holder)), node.at)

    def arguments(self, nodes: tuple[syntax.Argument, ...]) -> list[ArgumentValue]:
        """Binds arguments; lambdas and method groups are lowered later, when their type is known."""
        return [self._argument(node) for node in nodes]

    def _argument(self, node: syntax.Argument) -> ArgumentValue:
        value = node.value
        if node.mode == "out":
            return ArgumentValue(None, value, value.at, "out", node.name, self.out_target(node))
        while isinstance(value, syntax.Paren) and isinstance(value.inner, syntax.Lambda):
            value = value.inner
        if isinstance(value, syntax.Lambda) or self._is_method_group(value):
            placeholder = Bound(LAMBDA, "", value.at)
            return ArgumentValue(placeholder, value, value.at, "", node.name, lambda_node=value)
        return ArgumentValue(self.bind(value), value, value.at, "", node.name)

    def _is_method_group(self, node: syntax.Node) -> bool:
        """Whether an argument is the name of a static method, such as `Uri.EscapeDataString`."""
        if not isinstance(node, syntax.Member) or not isinstance(node.target, syntax.Name):
            return False
        if self.scope.find(node.target.name) is not None or node.target.name == "context":
            return False
        holder = self.bind_any(node.target)
        return isinstance(holder, TypeReference) and any(
            member.signature.kind == "method" and member.signature.static
            for _owner, member in lookup(holder.type, node.name)
        )

    def out_target(self, node: syntax.Argument) -> OutTarget:
        """The target of an out argument."""
        name = node.value
        if not isinstance(name, syntax.Name):
            self.refuse("an out argument must be a variable", name.at, "CS1510")
        if node.declares is None:
            variable = self.scope.find(name.name)
            if variable is None or not variable.writable or variable.const is not NOT_CONSTANT:
                self.refuse(f"`{name.name}` is not a variable that can be set", name.at, "CS0103")
            return OutTarget(variable.type, lambda _type: self.writer(variable))
        declared = None if node.declares.name == "var" else self.type_named(node.declares)
        # Only the chosen overload declares the variable, not the ones that are tried first.
        return OutTarget(declared, lambda found: self.declarer(name.name, declared or found, name.at))

    def writer(self, variable: Any) -> Setter:
        """The setter of a variable."""
        if variable.cell:
            return lambda value: self.source.call(runtime.set_cell, variable.code, value)
        return lambda value: f"({variable.code} := {value})"

    def declarer(self, name: str, of: ClrType, at: int, *, writable: bool = True) -> Setter:
        """Declares a variable and returns the setter of its first value."""
        variable = self.scope.declare(name, of, at, writable=writable)
        if variable.cell:
            return lambda value: f"({variable.code} := [{value}])"
        return self.writer(variable)

    def _static_call(
        self,
        owner: ClrType,
        target: syntax.Member,
        arguments: list[ArgumentValue],
        explicit: tuple[ClrType, ...],
    ) -> Bound:
        candidates = [
            Candidate(holder, member, dict(zip(member.owner.parameters, holder.args, strict=False)))
            for holder, member in lookup(owner, target.name)
            if member.signature.static and member.signature.kind == "method"
        ]
        if not candidates:
            self.no_member(owner, target.name, target.at)
        choice = Overloads(self, arguments, explicit).choose(candidates, target.at, target.name)
        if choice is None:
            self._no_overload(owner, target.name, arguments, target.at)
        return self.invoke(choice, None, target.at)

    def call_instance(
        self,
        receiver: Bound,
        name: str,
        arguments: list[ArgumentValue],
        explicit: tuple[ClrType, ...],
        at: int,
    ) -> Bound:
        """A call of an instance method or an extension method."""
        if receiver.type is NULL:
            self.refuse("null has no members", at, "CS0023")
        candidates = [
            Candidate(holder, member, dict(zip(member.owner.parameters, holder.args, strict=False)))
            for holder, member in lookup(receiver.type, name)
            if not member.signature.static and member.signature.kind == "method"
        ]
        choice = (
            Overloads(self, arguments, explicit).choose(_visible(candidates), at, name)
            if candidates
            else None
        )
        if choice is not None:
            return self.invoke(choice, receiver, at)
        extensions = [
            Candidate(clr(owner), member, {})
            for owner in _EXTENSIONS
            for member in members_of(owner, name)
            if member.signature.extension
        ]
        itself = ArgumentValue(receiver, syntax.Receiver(at), at)
        if extensions:
            choice = Overloads(self, [itself, *arguments], explicit).choose(extensions, at, name)
        if choice is None:
            if not candidates and not extensions:
                self.no_member(receiver.type, name, at)
            self._no_overload(receiver.type, name, arguments, at)
        return self.invoke(choice, None, at)

    def _no_overload(self, owner: ClrType, name: str, arguments: list[ArgumentValue], at: int) -> NoReturn:
        types = ", ".join("out" if a.bound is None else str(a.bound.type) for a in arguments)
        self.refuse(f"no supported `{name}` of {owner} accepts ({types})", at, f"{owner}.{name}")

    def invoke(self, choice: Choice, receiver: Bound | None, at: int) -> Bound:
        """The call of the chosen member."""
        signature = choice.candidate.member.signature
        self._check_order(choice, at)
        function = self.function_of(choice, at)
        slots = choice.slots
        prepared = _prepared(function, slots if receiver is not None else slots[1:])
        if prepared is not None:
            slots = slots[: receiver is None]
        reads_only = choice.candidate.member.owner.name == "Enumerable" and signature.name != "AsEnumerable"
        texts = [
            (_shared(slot, self.source) if reads_only else None) or self.slot_text(slot)
            for slot in slots
            if slot.parameter.mode != "out"
        ]
        outs = [slot for slot in slots if slot.parameter.mode == "out"]
        is_contextual = isinstance(choice.candidate.member.function, Contextual)
        if (
            not outs
            and not is_contextual
            and all(_is_constant(slot) for slot in choice.slots)
            and (receiver is None or receiver.is_constant)
        ):
            self.try_now(function, choice.slots, at, receiver)
        if receiver is not None:
            texts.insert(0, self._receiver(receiver, choice.candidate.owner))
        if is_contextual:
            texts.insert(0, CONTEXT_NAME)
        returns = choice.returns
        if returns.name in _DEFERRED and inspect.isgeneratorfunction(function):
            function = _deferred(function, returns)
        text = self.apply(prepared or function, *texts)
        if outs:
            text = self._set_outs(text, outs)
        text = self.apply(wrapper(returns) or same, text) if outs else self.wrapped(text, function, returns)
        if receiver is not None and receiver.path == "context.Variables":
            self._note_key(choice, at)
        if signature.returns is VOID:
            returns = VOID
        return Bound(returns, text, at)

    def _check_order(self, choice: Choice, at: int) -> None:
        """Rejects named arguments in another order, because arguments are evaluated in parameter order."""
        positions = [argument.at for slot in choice.slots for argument in slot.arguments]
        if positions != sorted(positions):
            self.refuse("named arguments must be in the order of the parameters", at, "named arguments")

    def try_now(
        self, function: Callable[..., Any], slots: list[Slot], at: int, receiver: Bound | None = None
    ) -> None:
        """Calls a function with constants, to report an unsupported value at compile time."""
        if receiver is not None and receiver.const is None:
            return
        try:
            function(*([] if receiver is None else [receiver.const]), *map(_known, slots))
        except UnsupportedError as error:
            self.refuse(error.message, at, "unsupported")
        except DotNetException:
            return

    def _note_key(self, choice: Choice, at: int) -> None:
        for slot in choice.slots[:1]:
            if slot.arguments and slot.arguments[0].bound is not None and slot.arguments[0].bound.is_constant:
                self.note(f"variables:{slot.arguments[0].bound.const}", at)

    def _orders_texts(self, choice: Choice) -> bool:
        """Whether the member compares strings without a comparer, for which .NET uses the culture."""
        signature = choice.candidate.member.signature
        if signature.name not in _ORDER or any(
            parameter.name == "comparer" for parameter in signature.parameters
        ):
            return False
        return self._type_arguments(choice)[-1:] == [STRING]

    def function_of(self, choice: Choice, at: int) -> Callable[..., Any]:
        """The function of a member for the type arguments, after a check of its constant arguments."""
        function: Any = choice.candidate.member.function
        if isinstance(function, Culture):
            self.note("culture", at)
            function = function.function
        if self._orders_texts(choice):
            self.note("culture", at)
        if isinstance(function, Typed):
            function = function.make(*self._type_arguments(choice))
        if isinstance(function, Checked):
            values = [
                slot.arguments[0].bound.const
                if slot.arguments and not slot.expanded and slot.arguments[0].bound is not None
                else NOT_CONSTANT
                for slot in choice.slots
            ]
            try:
                function.check(*values)
            except UnsupportedError as error:
                self.refuse(error.message, at, choice.candidate.member.signature.name)
            except DotNetException:
                pass  # The function throws it when the expression runs, as .NET does.
            function = function.function
        return function.function if isinstance(function, Contextual) else function

    def _type_arguments(self, choice: Choice) -> list[ClrType]:
        member: TypeMember = choice.candidate.member
        names = (*member.owner.parameters, *member.signature.type_parameters)
        return [choice.candidate.bindings[name] for name in names]

    def _receiver(self, receiver: Bound, owner: ClrType) -> str:
        if owner.name == "Nullable" or receiver.type.name == "Nullable":
            return self.text(receiver)
        return self.checked(receiver)

    def slot_text(self, slot: Slot) -> str:
        """The code for one parameter."""
        if slot.expanded:
            if _is_constant(slot):
                # No member changes the array of its `params` parameter.
                return self.source.name(_known(slot))
            items = ", ".join(self._one(slot, index) for index in range(len(slot.arguments)))
            return self.source.call(Array.of, self.source.name(slot.type), f"[{items}]")
        if not slot.arguments:
            return self.source.literal(slot.parameter.default)
        return self._one(slot, 0)

    def _one(self, slot: Slot, index: int) -> str:
        waiting = slot.lambdas[index]
        if waiting is not None:
            return waiting
        bound = slot.arguments[index].bound
        if bound is None:
            self.refuse("an argument has no value", slot.arguments[index].at, "CS1620")
        return self.text(self.converted(bound, slot.type, slot.converters[index]))

    def _set_outs(self, text: str, outs: list[Slot]) -> str:
        found, setters = self.temporary(), []
        for place, slot in enumerate(outs, start=1):
            target = slot.arguments[0].out
            if target is None:
                self.refuse("an out argument must be a variable", slot.arguments[0].at, "CS1620")
            set_ = target.declare(slot.type)
            setters.append(set_(self.apply(wrapper(slot.type) or same, f"{found}[{place}]")))
        return f"(({found} := {text})[0], {', '.join(setters)})[0]"


def _visible(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates without members of Object that a derived type declares with the same parameters."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for candidate in candidates:
        shape = tuple((p.type, p.mode) for p in candidate.member.signature.parameters)
        if candidate.owner is OBJECT and shape in seen:
            continue
        seen.add(shape)
        kept.append(candidate)
    return kept


def _is_constant(slot: Slot) -> bool:
    return all(
        argument.lambda_node is None and argument.bound is not None and argument.bound.is_constant
        for argument in slot.arguments
    )


def _prepared(function: Callable[..., Any], slots: list[Slot]) -> Callable[[Any], Any] | None:
    """The function of the first argument, if the others are constant and it can be prepared; or else None."""
    prepare = PREPARATIONS.get(function)
    if prepare is None or not slots or not all(map(_is_constant, slots)):
        return None
    try:
        return prepare(*map(_known, slots))
    except DotNetException:
        return None  # The call throws the exception when the expression runs.


def _shared(slot: Slot, source: Source) -> str | None:
    """The name of one array for all calls, if the argument is a new array of constants; otherwise None."""
    if slot.expanded or not slot.arguments or slot.converters[0] is not same:
        return None
    bound = slot.arguments[0].bound
    return None if bound is None or bound.shared is None else source.name(bound.shared)


def _known(slot: Slot) -> Any:
    """The value of a parameter whose arguments are constants."""
    values = [
        converter(argument.bound.const)
        for argument, converter in zip(slot.arguments, slot.converters, strict=True)
        if argument.bound is not None
    ]
    if slot.expanded:
        return Array.of(slot.type, values)
    return values[0] if values else slot.parameter.default


def _deferred(function: Callable[..., Any], returns: ClrType) -> Callable[..., Any]:
    element = returns.args[0]
    kind = returns.name

    def make(*arguments: Any) -> Sequence:
        if arguments and arguments[0] is None:
            raise argument_null("source")
        return Sequence(element, partial(function, *arguments), kind)

    return make
