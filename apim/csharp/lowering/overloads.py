"""Overload resolution and type inference, by the sections with these titles of the C# 7.3 specification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from apim.csharp.dotnet.conversions import Converter, best_common, constant_conversion, implicit, same
from apim.csharp.dotnet.inheritance import supertypes
from apim.csharp.dotnet.signature import NO_DEFAULT, Parameter, TypeMember
from apim.csharp.dotnet.types import BOOLEAN, INT32, LAMBDA, NULL, STRING, ClrType, clr, is_open, substitute
from apim.csharp.errors import CompileError
from apim.csharp.language.syntax import Lambda
from apim.csharp.lowering.bound import ArgumentValue, Bound

_SIGNED: Final = frozenset({"SByte", "Int16", "Int32", "Int64"})
_UNSIGNED: Final = frozenset({"Byte", "UInt16", "UInt32", "UInt64"})


class Lambdas(Protocol):
    """Lowers a lambda when the types of its parameters are known."""

    def bind_lambda(
        self, node: Any, parameters: Sequence[ClrType], returns: ClrType | None
    ) -> tuple[ClrType, str]:
        """The type that it returns, and its code; if `returns` is None, the body determines the type."""
        ...


@dataclass(slots=True)
class Candidate:
    """A candidate member, with the type arguments of its owner."""

    owner: ClrType
    member: TypeMember
    bindings: dict[str, ClrType]


@dataclass(slots=True)
class Slot:
    """One parameter of the chosen member: an argument with its conversion, a default, or a `params` array."""

    parameter: Parameter
    type: ClrType
    arguments: list[ArgumentValue]
    converters: list[Converter]
    lambdas: list[str | None]
    expanded: bool = False


@dataclass(slots=True)
class Choice:
    """The chosen member."""

    candidate: Candidate
    slots: list[Slot]

    @property
    def returns(self) -> ClrType:
        """The type of the call."""
        return substitute(self.candidate.member.signature.returns, self.candidate.bindings)


def delegate_parts(of: ClrType) -> tuple[tuple[ClrType, ...], ClrType] | None:  # noqa: PLR0911 -- one case per kind
    """The types of the parameters and the result of a delegate type; None for any other type."""
    match of.name:
        case "Func":
            return of.args[:-1], of.args[-1]
        case "Predicate":
            return of.args, BOOLEAN
        case "Comparison":
            return (of.args[0], of.args[0]), INT32
        case "Converter":
            return of.args[:1], of.args[1]
        case "Action":
            return of.args, clr("Void")
        case "MatchEvaluator":
            return (clr("Match"),), STRING
    return None


class Overloads:
    """Finds the best of several candidates for one list of arguments."""

    def __init__(
        self, lambdas: Lambdas, arguments: list[ArgumentValue], explicit: tuple[ClrType, ...]
    ) -> None:
        self._lambdas = lambdas
        self._arguments = arguments
        self._explicit = explicit
        self._failure: CompileError | None = None

    def choose(self, candidates: list[Candidate], at: int, name: str) -> Choice | None:
        """The best applicable candidate; None if none is applicable.

        Raises:
            CompileError: two candidates are equally good, or the only one has an invalid lambda.
        """
        applicable = [choice for candidate in candidates for choice in self._forms(candidate)]
        if not applicable:
            if self._failure is not None:
                raise self._failure
            return None
        # A method of a base class is ignored if a method of a derived class is applicable.
        nearest = [
            choice
            for choice in applicable
            if not any(
                other.candidate.owner is not choice.candidate.owner
                and choice.candidate.owner in supertypes(other.candidate.owner)
                for other in applicable
            )
        ]
        best = [c for c in nearest if all(o is c or self._is_better(c, o) for o in nearest)]
        if len(best) == 1:
            return best[0]
        raise CompileError(f"`{name}` is ambiguous: several members match these arguments", at, "CS0121")

    def _forms(self, candidate: Candidate) -> list[Choice]:
        parameters = candidate.member.signature.parameters
        normal = self._apply(candidate, expanded=False)
        if normal is not None:
            return [normal]
        if parameters and parameters[-1].mode == "params":
            expanded = self._apply(candidate, expanded=True)
            if expanded is not None:
                return [expanded]
        return []

    def _apply(self, candidate: Candidate, *, expanded: bool) -> Choice | None:
        slots = self._match(candidate.member.signature.parameters, expanded=expanded)
        generic = candidate.member.signature.type_parameters
        if slots is None or (self._explicit and len(self._explicit) != len(generic)):
            return None
        bindings = dict(candidate.bindings)
        if self._explicit:
            bindings.update(zip(generic, self._explicit, strict=True))
        elif generic and not self._infer(generic, slots, bindings):
            return None
        for slot in slots:
            slot.type = substitute(slot.type, bindings)
            if is_open(slot.type) or not self._convert(slot):
                return None
        return Choice(Candidate(candidate.owner, candidate.member, bindings), slots)

    def _match(self, parameters: tuple[Parameter, ...], *, expanded: bool) -> list[Slot] | None:
        """Assigns the arguments to the parameters; None if their number, names or modes do not match."""
        slots = [Slot(p, p.type, [], [], []) for p in parameters]
        if expanded:
            slots[-1].type = slots[-1].type.args[0]
            slots[-1].expanded = True
        for position, argument in enumerate(self._arguments):
            if argument.name is not None:
                index = next((i for i, p in enumerate(parameters) if p.name == argument.name), -1)
            else:
                index = min(position, len(slots) - 1) if expanded else position
            if not 0 <= index < len(slots):
                return None
            slot = slots[index]
            if (slot.arguments and not slot.expanded) or (argument.mode == "out") != (
                slot.parameter.mode == "out"
            ):
                return None
            slot.arguments.append(argument)
        for slot in slots:
            if not slot.arguments and slot.parameter.default is NO_DEFAULT and not slot.expanded:
                return None
        return slots

    def _infer(self, generic: tuple[str, ...], slots: list[Slot], bindings: dict[str, ClrType]) -> bool:  # noqa: C901 -- one case per kind
        found: dict[str, list[ClrType]] = {name: [] for name in generic}
        for slot in slots:
            for argument in slot.arguments:
                if argument.bound is not None and argument.lambda_node is None:
                    collect(slot.type, argument.bound.type, found)
                elif argument.out is not None and argument.out.type is not None:
                    collect(slot.type, argument.out.type, found)
        if not self._fix(found, bindings):
            return False
        for _round in generic:
            for slot in slots:
                for argument in slot.arguments:
                    if argument.lambda_node is not None and not self._infer_lambda(
                        slot, argument, found, bindings
                    ):
                        return False
            if not self._fix(found, bindings):
                return False
        return all(name in bindings for name in generic)

    def _infer_lambda(
        self,
        slot: Slot,
        argument: ArgumentValue,
        found: dict[str, list[ClrType]],
        bindings: dict[str, ClrType],
    ) -> bool:
        parts = delegate_parts(substitute(slot.type, bindings))
        if parts is None:
            return False
        inputs, result = parts
        if any(map(is_open, inputs)) or not is_open(result):
            return True
        if self._lambda_arity(argument) not in {len(inputs), -1}:
            return False
        try:
            returned, _code = self._lambdas.bind_lambda(argument.lambda_node, inputs, None)
        except CompileError as error:
            self._failure = self._failure or error
            return False
        collect(result, returned, found)
        return True

    def _lambda_arity(self, argument: ArgumentValue) -> int:
        """The number of its parameters; -1 for a method group, which may have any number."""
        node = argument.lambda_node
        return len(node.parameters) if isinstance(node, Lambda) else -1

    def _fix(self, found: dict[str, list[ClrType]], bindings: dict[str, ClrType]) -> bool:
        for name, types in found.items():
            if types and name not in bindings:
                common = best_common(types)
                if common is None:
                    return all(of is NULL for of in types)
                bindings[name] = common
        return True

    def _convert(self, slot: Slot) -> bool:
        for argument in slot.arguments:
            code: str | None = None
            converter: Converter | None = same
            if argument.mode == "out":
                declared = argument.out.type if argument.out is not None else None
                if declared is not None and declared is not slot.type:
                    return False
            elif argument.lambda_node is not None:
                code = self._lambda(slot.type, argument)
                if code is None:
                    return False
            elif argument.bound is not None:
                converter = convertible(argument.bound, slot.type)
            if converter is None:
                return False
            slot.converters.append(converter)
            slot.lambdas.append(code)
        return True

    def _lambda(self, wanted: ClrType, argument: ArgumentValue) -> str | None:
        parts = delegate_parts(wanted)
        if parts is None or self._lambda_arity(argument) not in {len(parts[0]), -1}:
            return None
        try:
            return self._lambdas.bind_lambda(argument.lambda_node, parts[0], parts[1])[1]
        except CompileError as error:
            self._failure = self._failure or error
            return None

    def _is_better(self, left: Choice, right: Choice) -> bool:
        """Whether `left` is a better function member than `right`."""
        balance = [self._compare(argument, left, right) for argument in self._arguments]
        if any(sign < 0 for sign in balance):
            return False
        if any(sign > 0 for sign in balance):
            return True
        return self._break_tie(left) < self._break_tie(right)

    def _break_tie(self, choice: Choice) -> tuple[bool, bool, int]:
        signature = choice.candidate.member.signature
        omitted = sum(not slot.arguments for slot in choice.slots)
        return bool(signature.type_parameters), any(slot.expanded for slot in choice.slots), omitted

    def _compare(self, argument: ArgumentValue, left: Choice, right: Choice) -> int:
        """1 if the conversion in `left` is better, -1 if that in `right` is better, else 0."""
        left_type, right_type = _type_for(argument, left), _type_for(argument, right)
        if left_type is right_type:
            return 0
        if argument.lambda_node is not None:
            return self._compare_delegates(argument, left_type, right_type)
        source = argument.bound.type if argument.bound is not None else None
        if source is left_type or source is right_type:
            return 1 if source is left_type else -1
        return compare_targets(left_type, right_type)

    def _compare_delegates(self, argument: ArgumentValue, left: ClrType, right: ClrType) -> int:
        left_parts, right_parts = delegate_parts(left), delegate_parts(right)
        if left_parts is None or right_parts is None or left_parts[0] != right_parts[0]:
            return 0
        left_result, right_result = left_parts[1], right_parts[1]
        if left_result is right_result:
            return 0
        returned, _code = self._lambdas.bind_lambda(argument.lambda_node, left_parts[0], None)
        if returned is left_result or returned is right_result:
            return 1 if returned is left_result else -1
        return compare_targets(left_result, right_result)


def compare_targets(left: ClrType, right: ClrType) -> int:
    """1 if `left` is the better target of a conversion, -1 if `right` is, else 0."""
    forth, back = implicit(left, right) is not None, implicit(right, left) is not None
    if forth != back:
        return 1 if forth else -1
    if left.name in _SIGNED and right.name in _UNSIGNED:
        return 1
    return -1 if left.name in _UNSIGNED and right.name in _SIGNED else 0


def _type_for(argument: ArgumentValue, choice: Choice) -> ClrType:
    return next(slot.type for slot in choice.slots if any(known is argument for known in slot.arguments))


def convertible(bound: Bound, target: ClrType) -> Converter | None:
    """The implicit conversion of a value, for a constant also to a smaller type, or None."""
    if bound.type is LAMBDA:
        return None
    found = implicit(bound.type, target)
    if found is None and bound.is_constant:
        found = constant_conversion(bound.const, bound.type, target)
    return found


def collect(declared: ClrType, argument: ClrType, found: dict[str, list[ClrType]]) -> None:
    """Infers type arguments, and adds them to `found`.

    Args:
        declared: the type of a parameter, which may contain type parameters.
        argument: the type of its argument.
        found: for each type parameter, the types that were inferred so far.
    """
    if declared.name.startswith("!"):
        if declared.name[1:] in found and argument is not NULL:
            found[declared.name[1:]].append(argument)
        return
    if not is_open(declared) or argument is NULL:
        return
    if declared.name == "Nullable" and argument.name != "Nullable":
        collect(declared.args[0], argument, found)
        return
    bases = [
        base
        for base in supertypes(argument)
        if base.name == declared.name and len(base.args) == len(declared.args)
    ]
    if declared.name == "[]":
        bases = [base for base in bases if base.name == "[]"]
    distinct = list(dict.fromkeys(bases))
    if len(distinct) == 1:
        for inner, actual in zip(declared.args, distinct[0].args, strict=True):
            collect(inner, actual, found)
