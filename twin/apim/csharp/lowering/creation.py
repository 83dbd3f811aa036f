"""`new`, arrays, initializers and lambdas."""

from collections.abc import Callable, Sequence
from typing import Any

from twin.apim.csharp import syntax
from twin.apim.csharp.bound import ArgumentValue, Bound, Constant, Frame, Run
from twin.apim.csharp.collection_values import AnonymousObject
from twin.apim.csharp.conversions import best_common
from twin.apim.csharp.errors import DotNetException
from twin.apim.csharp.lowering.calls import call
from twin.apim.csharp.lowering.concatenation import Interpolation
from twin.apim.csharp.lowering.operations import Operations
from twin.apim.csharp.overloads import Candidate, Overloads
from twin.apim.csharp.signature import Contextual, members_of
from twin.apim.csharp.syntax import Element, Initializer
from twin.apim.csharp.types import (
    BYTE,
    DEFINITIONS,
    INT32,
    LAMBDA,
    NULL,
    THROWS,
    VOID,
    ClrType,
    Definition,
    array_of,
    clr,
    definition,
    is_value_type,
)
from twin.apim.csharp.values import Array, default_of


class Creation(Operations, Interpolation):
    """`new`, arrays, initializers and lambdas."""

    def bind_new(self, node: syntax.New) -> Bound:
        """`new T(args) { ... }`."""
        of = self.type_named(node.type)
        known = definition(of)
        candidates = [
            Candidate(of, member, dict(zip(member.owner.parameters, of.args, strict=True)))
            for member in members_of(of, "new")
        ]
        if known is None or known.kind not in {"class", "struct"} or not candidates:
            self.refuse(f"the twin creates no {of} with `new`", node.at, f"new {of}")
        arguments = self.arguments(node.args)
        if is_value_type(of) and not arguments and node.initializer is None:
            return Bound(of, lambda _frame: default_of(of), node.at)
        choice = Overloads(self, arguments, ()).choose(candidates, node.at, f"new {of}")
        if choice is None:
            given = ", ".join(str(a.bound.type) for a in arguments if a.bound is not None)
            self.refuse(f"the twin knows no constructor of {of} that takes ({given})", node.at, f"new {of}")
        function = self.function_of(choice, node.at)
        runs = [self.slot_run(slot) for slot in choice.slots]
        if isinstance(choice.candidate.member.function, Contextual):
            runs.insert(0, lambda frame: frame[0])
        elif arguments and all(
            argument.bound is not None and argument.bound.is_constant for argument in arguments
        ):
            self.try_now(function, runs, node.at)
        made = Bound(of, call(function, runs), node.at)
        return made if node.initializer is None else self._filled(made, node.initializer)

    def _filled(self, made: Bound, initializer: Initializer) -> Bound:
        """An object after its initializer has run."""
        slot = self.scope.slot()
        steps = self._fill(Bound(made.type, lambda frame: frame[slot], initializer.at), initializer)
        create = made.run

        def run(frame: Frame) -> Any:
            value = create(frame)
            for step in steps:
                # An initializer inside may use the same slot when the expression is entered again.
                frame[slot] = value
                step(frame)
            return value

        return Bound(made.type, run, made.at)

    def _fill(self, target: Bound, initializer: Initializer) -> list[Run]:
        return [self._element(target, element) for element in initializer.elements]

    def _element(self, target: Bound, element: Element) -> Run:
        if element.member is not None or element.index is not None:
            return self._assign_element(target, element)
        values = [value for value in element.values if isinstance(value, syntax.Node)]
        arguments = [ArgumentValue(self.bind(value), value, value.at) for value in values]
        return self.call_instance(target, "Add", arguments, (), element.at).run

    def _assign_element(self, target: Bound, element: Element) -> Run:
        self.receivers.append(target)
        receiver = syntax.Receiver(element.at)
        place: syntax.Node = (
            syntax.Member(element.at, receiver, element.member)
            if element.member is not None
            else syntax.Index(element.at, receiver, element.index or ())
        )
        value = element.values[0]
        if isinstance(value, Initializer):
            slot = self.scope.slot()
            inner = self.bind(place)
            steps = self._fill(Bound(inner.type, lambda frame: frame[slot], value.at), value)
            self.receivers.pop()
            read = inner.run

            def fill(frame: Frame) -> None:
                found = read(frame)
                for step in steps:
                    frame[slot] = found
                    step(frame)

            return fill
        # The value is bound outside of the initializer: it does not see the receiver.
        self.receivers.pop()
        bound = self.bind(value)
        self.receivers.append(target)
        assigned = self.assign_value(place, value, bound, element.at)
        self.receivers.pop()
        return assigned.run

    def bind_new_array(self, node: syntax.NewArray) -> Bound:
        """`new T[size]`, `new T[] {...}`, `new[] {...}`."""
        if node.items is None:
            return self._sized(node)
        items = [self.bind(item) for item in node.items]
        if node.element is None:
            element = best_common([item.type for item in items])
            if element is None or element in {VOID, THROWS}:
                self.refuse("these elements have no common type; write new T[] { ... }", node.at, "CS0826")
        else:
            element = self.type_named(node.element)
        if node.size is not None:
            size = self.bind_as(node.size, INT32)
            if not size.is_constant or size.const != len(items):
                self.refuse("the size is not the number of elements", node.at, "CS0847")
        runs = [self.convert(item, element).run for item in items]
        known = [run.value for run in runs if isinstance(run, Constant)]
        if len(known) == len(runs):
            return Bound(array_of(element), lambda _frame: Array(element, known[:]), node.at)
        return Bound(array_of(element), lambda frame: Array(element, [run(frame) for run in runs]), node.at)

    def _sized(self, node: syntax.NewArray) -> Bound:
        if node.element is None or node.size is None:
            self.refuse("an array needs a type and a size", node.at, "CS1586")
        element = self.type_named(node.element)
        size = self.bind_as(node.size, INT32).run
        default = default_of(element)

        def run(frame: Frame) -> Array:
            count = size(frame)
            if count < 0:
                raise DotNetException("OverflowException", "Arithmetic operation resulted in an overflow.")
            return Array(element, [default] * count if element is not BYTE else bytes(count))

        return Bound(array_of(element), run, node.at)

    def bind_new_anonymous(self, node: syntax.NewAnonymous) -> Bound:
        """`new { a = 1 }`. Anonymous types with the same names are the same type."""
        names = [name for name, _value in node.members]
        if len(set(names)) < len(names):
            self.refuse("an anonymous type has each member once", node.at, "CS0833")
        values = [self.bind(value) for _name, value in node.members]
        if any(value.type in {VOID, THROWS, NULL, LAMBDA} for value in values):
            self.refuse("a member of an anonymous type needs a value with a type", node.at, "CS0828")
        of = _anonymous_type(tuple(names), tuple(value.type for value in values))
        runs = [value.run for value in values]
        return Bound(
            of,
            lambda frame: AnonymousObject(of, dict(zip(names, [run(frame) for run in runs], strict=True))),
            node.at,
        )

    def bind_lone_lambda(self, node: syntax.Lambda) -> Bound:
        """A lambda that is not an argument has no type."""
        self.refuse("a lambda can only be an argument of a method", node.at, "lambda")

    def bind_lambda(
        self, node: Any, parameters: Sequence[ClrType], returns: ClrType | None
    ) -> tuple[ClrType, Run]:
        """The type that a lambda returns, and what makes the function of a frame."""
        if not isinstance(node, syntax.Lambda):
            node = _expanded(node, len(parameters))
        self.scope.enter()
        saved = self.returned, self.expected, self.handlers
        self.returned, self.expected, self.handlers = [], returns, 0
        try:
            variables = []
            for (declared, name), given in zip(node.parameters, parameters, strict=True):
                if declared is not None and self.type_named(declared) is not given:
                    self.refuse(f"this parameter is a {given}", node.at, "CS1661")
                variables.append(self.scope.declare(name, given, node.at, writable=True))
            result, body = self._lambda_body(node.body, returns)
        finally:
            self.scope.leave()
            self.returned, self.expected, self.handlers = saved
        return result, _function([(v.slot, v.cell) for v in variables], body)

    def _lambda_body(self, body: syntax.Node, returns: ClrType | None) -> tuple[ClrType, Run]:
        if isinstance(body, syntax.Block):
            return self.block_of_lambda(body, returns)
        bound = self.bind(body)
        if returns is VOID:
            if not isinstance(body, (syntax.Call, syntax.Assign, syntax.Postfix, syntax.Unary)):
                self.refuse("this lambda must do something, not give a value", body.at, "CS0201")
            return VOID, bound.run
        if bound.type is VOID:
            self.refuse("this lambda gives no value", body.at, "CS1662")
        if returns is None:
            return bound.type, bound.run
        return returns, self.convert(bound, returns).run


def _anonymous_type(names: tuple[str, ...], types: tuple[ClrType, ...]) -> ClrType:
    name = f"<{','.join(names)}>"
    if name not in DEFINITIONS:
        parameters = tuple(f"T{index}" for index in range(len(names)))
        DEFINITIONS[name] = Definition(
            name=name,
            namespace="",
            kind="class",
            parameters=parameters,
            bases=(),
            members={
                member: [(f"{parameter} {member}", _reader(member))]
                for member, parameter in zip(names, parameters, strict=True)
            },
        )
    return clr(name, *types)


def _reader(name: str) -> Callable[[Any], Any]:
    return lambda value: value.members[name]


def _expanded(node: syntax.Node, count: int) -> syntax.Lambda:
    """A method group as the lambda that it stands for."""
    names = [f"<{index}>" for index in range(count)]
    arguments = tuple(syntax.Argument(syntax.Name(node.at, name)) for name in names)
    return syntax.Lambda(
        node.at, tuple((None, name) for name in names), syntax.Call(node.at, node, arguments)
    )


def _function(slots: list[tuple[int, bool]], body: Run) -> Run:
    """What gives, in a frame, the Python function of a lambda. Each call has a frame of its own."""
    if len(slots) == 1 and not slots[0][1]:
        only = slots[0][0]

        def make_of_one(frame: Frame) -> Callable[[Any], Any]:
            captured = frame[:]

            def invoke(value: Any) -> Any:
                own = captured[:]
                own[only] = value
                return body(own)

            return invoke

        return make_of_one

    def make(frame: Frame) -> Callable[..., Any]:
        captured = frame[:]

        def invoke(*values: Any) -> Any:
            own = captured[:]
            for (slot, cell), value in zip(slots, values, strict=True):
                own[slot] = [value] if cell else value
            return body(own)

        return invoke

    return make
