"""`new`, arrays, initializers and lambdas."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from apim.csharp.dotnet.conversions import best_common
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.signature import Contextual, members_of
from apim.csharp.dotnet.types import (
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
from apim.csharp.dotnet.values import Array
from apim.csharp.language import syntax
from apim.csharp.language.syntax import Element, Initializer
from apim.csharp.lowering import runtime
from apim.csharp.lowering.base import Function
from apim.csharp.lowering.bound import ArgumentValue, Bound, Variable
from apim.csharp.lowering.operations import Operations
from apim.csharp.lowering.overloads import Candidate, Overloads
from apim.csharp.lowering.source import CONTEXT as CONTEXT_NAME
from apim.csharp.lowering.source import indented, variables_in


class Creation(Operations):
    """Lowers `new`, arrays, initializers and lambdas."""

    def bind_new(self, node: syntax.New) -> Bound:
        """`new T(args) { ... }`."""
        of = self.type_named(node.type)
        known = definition(of)
        candidates = [
            Candidate(of, member, dict(zip(member.owner.parameters, of.args, strict=True)))
            for member in members_of(of, "new")
        ]
        if known is None or known.kind not in {"class", "struct"} or not candidates:
            self.refuse(f"the twin does not support `new {of}`", node.at, f"new {of}")
        arguments = self.arguments(node.args)
        if is_value_type(of) and not arguments and node.initializer is None:
            return Bound(of, self.source.call(default_of, self.source.name(of)), node.at)
        choice = Overloads(self, arguments, ()).choose(candidates, node.at, f"new {of}")
        if choice is None:
            types = ", ".join(str(a.bound.type) for a in arguments if a.bound is not None)
            self.refuse(
                f"the twin does not support a constructor of {of} with the arguments ({types})",
                node.at,
                f"new {of}",
            )
        function = self.function_of(choice, node.at)
        texts = [self.slot_text(slot) for slot in choice.slots]
        if isinstance(choice.candidate.member.function, Contextual):
            texts.insert(0, CONTEXT_NAME)
        elif arguments and all(
            argument.bound is not None and argument.bound.is_constant for argument in arguments
        ):
            self.try_now(function, choice.slots, node.at)
        made = Bound(of, self.source.call(function, *texts), node.at, present=True)
        return made if node.initializer is None else self._filled(made, node.initializer)

    def _filled(self, made: Bound, initializer: Initializer) -> Bound:
        """The code that creates an object and runs its initializer."""
        kept = self.temporary()
        steps = self._fill(Bound(made.type, kept, initializer.at, present=True), initializer)
        text = f"({', '.join([f'({kept} := {made.code})', *steps])},)[0]"
        return Bound(made.type, text, made.at, present=True)

    def _fill(self, target: Bound, initializer: Initializer) -> list[str]:
        settings = [
            element.member is not None or element.index is not None for element in initializer.elements
        ]
        if any(settings) and not all(settings):
            at = initializer.elements[settings.index(False)].at
            self.refuse("an initializer must either set members or add elements", at, "CS0747")
        return [self._element(target, element) for element in initializer.elements]

    def _element(self, target: Bound, element: Element) -> str:
        if element.member is not None or element.index is not None:
            return self._assign_element(target, element)
        values = [value for value in element.values if isinstance(value, syntax.Node)]
        arguments = [ArgumentValue(self.bind(value), value, value.at) for value in values]
        return self.text(self.call_instance(target, "Add", arguments, (), element.at))

    def _assign_element(self, target: Bound, element: Element) -> str:
        self.receivers.append(target)
        receiver = syntax.Receiver(element.at)
        place: syntax.Node = (
            syntax.Member(element.at, receiver, element.member)
            if element.member is not None
            else syntax.Index(element.at, receiver, element.index or ())
        )
        value = element.values[0]
        if isinstance(value, Initializer):
            kept, inner = self.temporary(), self.bind(place)
            steps = self._fill(Bound(inner.type, kept, value.at), value)
            self.receivers.pop()
            return f"({', '.join([f'({kept} := {self.text(inner)})', *steps])},)"
        # The receiver is removed while the value is bound, because a `?.` in the value must not use it.
        self.receivers.pop()
        bound = self.bind(value)
        self.receivers.append(target)
        assigned = self.assign_value(place, value, bound, element.at)
        self.receivers.pop()
        return self.text(assigned)

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
                self.refuse("the size must be the number of elements", node.at, "CS0847")
        values = [self.convert(item, element) for item in items]
        shared = None
        if values and all(value.is_constant for value in values):
            constants = [value.const for value in values]
            made, shared = f"{self.source.name(constants)}[:]", Array.of(element, constants)
        else:
            made = f"[{', '.join(map(self.text, values))}]"
        text = self.source.call(Array, self.source.name(element), made)
        return Bound(array_of(element), text, node.at, present=True, shared=shared)

    def _sized(self, node: syntax.NewArray) -> Bound:
        if node.element is None or node.size is None:
            self.refuse("an array needs a type and a size", node.at, "CS1586")
        element = self.type_named(node.element)
        size = self.text(self.bind_as(node.size, INT32))
        default = self.source.literal(default_of(element))
        text = self.source.call(runtime.new_array, self.source.name(element), default, size)
        return Bound(array_of(element), text, node.at, present=True)

    def bind_new_anonymous(self, node: syntax.NewAnonymous) -> Bound:
        """`new { a = 1 }`. Anonymous types with the same names and types of members are the same type."""
        names = tuple(name for name, _value in node.members)
        if len(set(names)) < len(names):
            self.refuse("a member of an anonymous type occurs twice", node.at, "CS0833")
        values = [self.bind(value) for _name, value in node.members]
        if any(value.type in {VOID, THROWS, NULL, LAMBDA} for value in values):
            self.refuse("a member of an anonymous type needs a value with a type", node.at, "CS0828")
        of = _anonymous_type(names, tuple(value.type for value in values))
        items = "".join(f"{self.text(value)}, " for value in values)
        text = self.source.call(
            runtime.anonymous, self.source.name(of), self.source.name(names), f"({items})"
        )
        return Bound(of, text, node.at, present=True)

    def bind_lone_lambda(self, node: syntax.Lambda) -> Bound:
        """Rejects a lambda that is not an argument and therefore has no type."""
        self.refuse("a lambda can only be an argument of a method", node.at, "lambda")

    def bind_lambda(
        self, node: Any, parameters: Sequence[ClrType], returns: ClrType | None
    ) -> tuple[ClrType, str]:
        """The type that a lambda returns, and the code that creates its function."""
        if not isinstance(node, syntax.Lambda):
            node = _expanded(node, len(parameters))
        around = self.scope.visible() | {CONTEXT_NAME}
        outer, self.function = self.function, Function(returned=[], expected=returns)
        self.scope.enter()
        try:
            variables = []
            for (declared, name), expected in zip(node.parameters, parameters, strict=True):
                if declared is not None and self.type_named(declared) is not expected:
                    self.refuse(f"the type of this parameter must be {expected}", node.at, "CS1661")
                variables.append(self.scope.declare(name, expected, node.at, writable=True))
            result, body = self._lambda_body(node.body, returns)
            made, self.function = self.function, outer
        finally:
            self.scope.leave()
            self.function = outer
        return result, self._made(made, variables, body, around)

    def _made(
        self, function: Function, variables: list[Variable], body: str | list[str], around: set[str]
    ) -> str:
        """The code that creates the function of a lambda.

        The function captures the current values of the variables `around`, which in a loop differ for each
        iteration. For a variable that changes, it captures the cell.
        """
        parameters = ", ".join(variable.code for variable in variables)
        cells = [variable.code for variable in variables if variable.cell]
        if isinstance(body, str) and not cells and not function.nested:
            if not self.function.rounds:
                return f"(lambda {parameters}: {body})"
            seen = "".join(f", {name}={name}" for name in sorted(variables_in(body) & around))
            return f"(lambda {parameters}{', *' if seen and parameters else ''}{seen}: {body})"
        lines = [f"return {body}"] if isinstance(body, str) else body
        function.unset.difference_update(variable.code for variable in variables)
        lines = [*(f"{cell} = [{cell}]" for cell in cells), *function.lines(lines)]
        seen = ", ".join(sorted(variables_in("\n".join(lines)) & around))
        name = self.source.new("f")
        self.source.lambdas[name] = [
            f"def {name}({', '.join(filter(None, (seen, parameters)))}):",
            *indented(lines),
        ]
        return self.source.call(partial, name, seen) if seen else name

    def _lambda_body(self, body: syntax.Node, returns: ClrType | None) -> tuple[ClrType, str | list[str]]:
        if isinstance(body, syntax.Block):
            return self.block_of_lambda(body, returns)
        bound = self.bind(body)
        if returns is VOID:
            if not isinstance(body, (syntax.Call, syntax.Assign, syntax.Postfix, syntax.Unary)):
                self.refuse("this lambda must be a statement, not a value", body.at, "CS0201")
            return VOID, self.text(bound)
        if bound.type is VOID:
            self.refuse("this lambda must return a value", body.at, "CS1662")
        if returns is None:
            return bound.type, self.text(bound)
        return returns, self.text(self.convert(bound, returns))


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
    """The lambda that is equivalent to a method group with `count` parameters."""
    names = [f"<{index}>" for index in range(count)]
    arguments = tuple(syntax.Argument(syntax.Name(node.at, name)) for name in names)
    return syntax.Lambda(
        node.at, tuple((None, name) for name in names), syntax.Call(node.at, node, arguments)
    )
