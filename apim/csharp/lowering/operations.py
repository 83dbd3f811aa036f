"""Operators, casts and patterns."""

import math
import operator
from typing import Any, Final

from apim.csharp.dotnet import operators
from apim.csharp.dotnet.conversions import explicit, implicit, is_subtype, same
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.signature import members_of
from apim.csharp.dotnet.types import (
    BOOLEAN,
    DYNAMIC,
    INT32,
    INTEGERS,
    LAMBDA,
    NULL,
    OBJECT,
    STRING,
    THROWS,
    TIME_SPAN,
    VOID,
    ClrType,
    clr,
    is_enum,
    is_interface,
    is_reference_type,
    is_value_type,
    nullable,
)
from apim.csharp.dotnet.values import EnumValue, equals
from apim.csharp.errors import DotNetException, UnsupportedError
from apim.csharp.json.dynamic import dynamic_is_null
from apim.csharp.language import syntax
from apim.csharp.lowering import runtime
from apim.csharp.lowering.base import Meaning
from apim.csharp.lowering.bound import Bound, constant
from apim.csharp.lowering.calls import Calls
from apim.csharp.lowering.concatenation import Interpolation
from apim.csharp.lowering.overloads import convertible

_EQUALITY = frozenset({"==", "!="})
_INT32: Final = {operators.add: "+", operators.subtract: "-", operators.multiply: "*"}
_LEAST, _MOST = INTEGERS["Int32"]


class Operations(Calls, Interpolation):
    """Lowers operators, casts and patterns."""

    def bind_binary(self, node: syntax.Binary) -> Bound:
        """A binary operator. Long chains are left-associative and are lowered without recursion."""
        chain = [node]
        while isinstance(chain[-1].left, syntax.Binary):
            chain.append(chain[-1].left)
        left = self.bind(chain[-1].left)
        for link in reversed(chain):
            left = self.shallow(self._combine(link, left))
        return left

    def _combine(self, node: syntax.Binary, left: Bound) -> Bound:
        if node.op in {"&&", "||"}:
            return self._short_circuit(node, left)
        if node.op == "??":
            return self._coalesce(node, left)
        return self.binary(node.op, left, self.bind(node.right), node.at)

    def _short_circuit(self, node: syntax.Binary, left: Bound) -> Bound:
        if left.type is not DYNAMIC:
            left = self.convert(left, BOOLEAN)
        first = self.decision(self.text(left), node.at, node.op)
        second = self.bind_as(node.right, BOOLEAN)
        if left.is_constant and second.is_constant:
            value = (left.const and second.const) if node.op == "&&" else (left.const or second.const)
            return constant(BOOLEAN, value, node.at)
        then = self.text(second)
        if left.type is DYNAMIC:
            text = f"({then} if {first} else False)" if node.op == "&&" else f"(True if {first} else {then})"
        else:
            text = f"({first} {'and' if node.op == '&&' else 'or'} {then})"
        return Bound(BOOLEAN, text, node.at)

    def _coalesce(self, node: syntax.Binary, left: Bound) -> Bound:
        if is_value_type(left.type) or left.type is NULL:
            self.refuse(f"?? does not apply to {left.type}", node.at, "CS0019")
        inner = left.type.args[0] if left.type.name == "Nullable" else left.type
        right = self.bind(node.right)
        kept = self.temporary()
        exists = self.decision(f"({kept} := {self.text(left)}) is not None", node.at, "??")
        before = same
        if right.type is THROWS or convertible(right, inner) is not None:
            result = inner
        elif convertible(right, left.type) is not None:
            result = left.type
        else:
            found = implicit(inner, right.type)
            result = right.type
            if found is None:
                self.refuse(f"{left.type} and {right.type} have no common type", node.at, "CS0019")
            before = found
        value, otherwise = self.apply(before, kept), self.convert(right, result)
        text = f"({value} if {exists} else {self.text(otherwise)})"
        return Bound(result, text, node.at, present=otherwise.present)

    def binary(self, op: str, left: Bound, right: Bound, at: int) -> Bound:
        """Applies a binary operator to two values.

        Raises:
            CompileError: the operator is not defined for their types.
        """
        if op == "+" and (joined := self.concatenated(left, right, at)) is not None:
            return joined
        found = self._predefined(op, left, right, at) or (
            self._equality(op, left, right, at) if op in _EQUALITY else None
        )
        if found is None:
            if DYNAMIC in {left.type, right.type}:
                self.refuse(f"`{op}` on a dynamic value is not supported; cast it first", at, "dynamic")
            self.refuse(f"`{op}` does not apply to {left.type} and {right.type}", at, "CS0019")
        return found

    def _predefined(self, op: str, left: Bound, right: Bound, at: int) -> Bound | None:
        plain_left, plain_right = _underlying(left.type), _underlying(right.type)
        # A constant operand is converted to the other's type if it is in range, for example 0 to an enum.
        for operand, other in ((left, plain_right), (right, plain_left)):
            to_enum = is_enum(other) and op not in {"+", "-"}
            to_unsigned = other.name in {"UInt32", "UInt64"}
            if operand.is_constant and (to_enum or to_unsigned) and _is_in_range(operand, other):
                fitted = self.convert(operand, other)
                left, right = (fitted, right) if operand is left else (left, fitted)
                plain_left, plain_right = _underlying(left.type), _underlying(right.type)
        operation = self._operation(op, plain_left, plain_right)
        if operation is None:
            return None
        wanted_left, wanted_right, result, function = operation
        if "Nullable" in {left.type.name, right.type.name}:
            return self._lifted(op, left, right, (wanted_left, wanted_right, result, function), at)
        # All integral types are Python integers, which need no conversion for an operator.
        if not (wanted_left.name in INTEGERS and plain_left.name in INTEGERS):
            left = self.convert(left, wanted_left)
        if not (wanted_right.name in INTEGERS and plain_right.name in INTEGERS):
            right = self.convert(right, wanted_right)
        if left.is_constant and right.is_constant:
            return self._folded(op, left, right, result, function, at)
        return Bound(result, self._compute(function, self.text(left), self.text(right)), at)

    def _compute(self, function: Any, left: str, right: str) -> str:
        """The code for an operator on two values; `+ - *` of ints are inlined."""
        symbol = _INT32.get(function)
        if symbol is None:
            return self.apply(function, left, right)
        kept = self.temporary()
        wrap = self.source.call(operators.int32, kept)
        within = f"{_LEAST} <= ({kept} := {left} {symbol} {right}) <= {_MOST}"
        return f"({kept} if {within} else {wrap})"

    def _operation(  # noqa: PLR0911 -- one case per kind
        self, op: str, left: ClrType, right: ClrType
    ) -> tuple[ClrType, ClrType, ClrType, Any] | None:
        """The operand types, result type and function of a predefined operator."""
        if op in {"<<", ">>"}:
            of = operators.promoted_unary("+", left.name)
            if (
                of in INTEGERS
                and of is not None
                and right.name in INTEGERS
                and implicit(right, INT32) is not None
            ):
                return clr(of), INT32, clr(of), operators.shift(op, of)
            return None
        common = operators.promoted(left.name, right.name)
        if common is not None:
            of = clr(common)
            compare = operators.comparison(op, common)
            if compare is not None:
                return of, of, BOOLEAN, compare
            compute = operators.arithmetic(op, common)
            return None if compute is None else (of, of, of, compute)
        if left is right is BOOLEAN and op in {"&", "|", "^", "==", "!="}:
            function = {
                "&": operator.and_,
                "|": operator.or_,
                "^": operator.is_not,
                "==": operator.is_,
                "!=": operator.is_not,
            }[op]
            return BOOLEAN, BOOLEAN, BOOLEAN, function
        found = operators.date_times(op, left, right)
        if found is None and left is right:
            found = operators.enums(op, left)
        if found is None and left is right and left.name == "Guid" and op in _EQUALITY:
            found = BOOLEAN, operator.eq if op == "==" else operator.ne
        if found is None and op in {"+", "-"}:
            return _enum_step(op, left, right)
        return None if found is None else (left, right, *found)

    def _folded(self, op: str, left: Bound, right: Bound, result: ClrType, function: Any, at: int) -> Bound:  # noqa: PLR0917 -- the parts of an operation
        """The result of an operator on constants; overflow and division by zero are compile-time errors."""
        if op in {"+", "-", "*"} and result.name in INTEGERS and left.type.name in INTEGERS:
            exact = {
                "+": left.const + right.const,
                "-": left.const - right.const,
                "*": left.const * right.const,
            }[op]
            low, high = INTEGERS[result.name]
            if not low <= exact <= high:
                self.refuse("this constant overflows its type", at, "CS0220")
        try:
            return constant(result, function(left.const, right.const), at)
        except DotNetException as error:
            self.refuse(
                error.message, at, "CS0020" if error.type_name == "DivideByZeroException" else "CS0463"
            )

    def _lifted(
        self, op: str, left: Bound, right: Bound, operation: tuple[Any, ...], at: int
    ) -> Bound | None:
        wanted_left, wanted_right, result, function = operation
        if result is BOOLEAN and op in {"&", "|", "^"}:
            return None
        left_text = self.text(self.convert(left, nullable(wanted_left)))
        right_text = self.text(self.convert(right, nullable(wanted_right)))
        unknown = _never
        if result is not BOOLEAN:
            unknown = _nothing
        elif op in _EQUALITY:
            unknown = operator.is_ if op == "==" else operator.is_not
        names = self.source.name(function), self.source.name(unknown)
        text = self.source.call(runtime.lifted, left_text, right_text, *names)
        return Bound(result if result is BOOLEAN else nullable(result), text, at)

    def _with_null(self, value: Bound, at: int, *, wanted: bool) -> Bound | None:
        """A comparison with null."""
        if is_value_type(value.type):
            return None
        if value.is_constant:
            return constant(BOOLEAN, (value.const is None) is wanted, at)
        if value.type is DYNAMIC:
            text = self.source.call(dynamic_is_null, self.text(value))
            return Bound(BOOLEAN, text if wanted else f"(not {text})", at)
        return Bound(BOOLEAN, f"({self.text(value)} {'is' if wanted else 'is not'} None)", at)

    def _equality(self, op: str, left: Bound, right: Bound, at: int) -> Bound | None:  # noqa: PLR0911 -- one case per kind
        """`==` and `!=` of strings, references and null."""
        wanted = op == "=="
        types = {left.type, right.type}
        if types <= {STRING, NULL}:
            if left.is_constant and right.is_constant:
                return constant(BOOLEAN, (left.const == right.const) is wanted, at)
            return Bound(BOOLEAN, f"({self.text(left)} {op} {self.text(right)})", at)
        same_object = "is" if wanted else "is not"
        if NULL in types:
            return self._with_null(right if left.type is NULL else left, at, wanted=wanted)
        if not all(is_reference_type(of) for of in types) or types & {DYNAMIC, LAMBDA, THROWS, VOID}:
            return None
        own = members_of(left.type, "op_Equality") if left.type is right.type else ()
        if own:
            text = self.source.call(equals, self.text(left), self.text(right))
            return Bound(BOOLEAN, text if wanted else f"(not {text})", at)
        if not (is_subtype(left.type, right.type) or is_subtype(right.type, left.type)):
            return None
        if types & {OBJECT, STRING} or any(map(is_interface, types)):
            self.refuse(
                f"`{op}` on {left.type} and {right.type} compares references, not values; "
                "cast to the intended type, as in (string)x",
                at,
                "reference comparison",
            )
        self.note("references", at)
        return Bound(BOOLEAN, f"({self.text(left)} {same_object} {self.text(right)})", at)

    def bind_unary(self, node: syntax.Unary) -> Bound:  # noqa: PLR0911 -- one case per kind
        """`- + ! ~` and prefix `++`, `--`."""
        if node.op in {"++", "--"}:
            return self.increment(node.op, node.operand, node.at, prefix=True)
        operand = self.bind(node.operand)
        if node.op == "!" and operand.type is nullable(BOOLEAN):
            return Bound(operand.type, self._lifted_one(self.text(operand), operator.not_), node.at)
        if node.op == "!":
            operand = operand if operand.type is DYNAMIC else self.convert(operand, BOOLEAN)
            if operand.is_constant:
                return constant(BOOLEAN, not operand.const, node.at)
            return Bound(BOOLEAN, f"(not {self.text(operand)})", node.at)
        if operand.type is TIME_SPAN and node.op == "-":
            return Bound(TIME_SPAN, self.source.call(_negated_span, self.text(operand)), node.at)
        plain = _underlying(operand.type)
        of = operators.promoted_unary(node.op, plain.name)
        function = operators.unary(node.op, of) if of is not None else None
        if of is None or function is None:
            self.refuse(f"`{node.op}` does not apply to {operand.type}", node.at, "CS0023")
        if operand.type.name == "Nullable":
            text = self.text(self.convert(operand, nullable(clr(of))))
            return Bound(nullable(clr(of)), self._lifted_one(text, function), node.at)
        operand = self.convert(operand, clr(of))
        if operand.is_constant:
            if node.op == "-" and of in INTEGERS and -operand.const > INTEGERS[of][1]:
                self.refuse("this constant overflows its type", node.at, "CS0220")
            return constant(clr(of), function(operand.const), node.at)
        return Bound(clr(of), self.apply(function, self.text(operand)), node.at)

    def _lifted_one(self, text: str, function: Any) -> str:
        return self.source.call(runtime.lifted_unary, text, self.source.name(function))

    def bind_postfix(self, node: syntax.Postfix) -> Bound:
        """`x++`, `x--`."""
        return self.increment(node.op, node.operand, node.at, prefix=False)

    def bind_ternary(self, node: syntax.Ternary) -> Bound:
        """`condition ? yes : no`."""
        test = self.condition(node.condition, "?:")
        yes, no = self.bind(node.yes), self.bind(node.no)
        result = self._common(yes, no, node.at)
        yes, no = self.convert(yes, result), self.convert(no, result)
        text = f"({self.text(yes)} if {test} else {self.text(no)})"
        return Bound(result, text, node.at, present=yes.present and no.present)

    def _common(self, yes: Bound, no: Bound, at: int) -> ClrType:
        if yes.type is no.type and yes.type not in {NULL, THROWS, VOID, LAMBDA}:
            return yes.type
        forth, back = convertible(yes, no.type) is not None, convertible(no, yes.type) is not None
        if forth and back:
            forth, back = yes.type is THROWS, no.type is THROWS
        if forth is back or VOID in {yes.type, no.type}:
            self.refuse(f"{yes.type} and {no.type} have no common type", at, "CS0173")
        return no.type if forth else yes.type

    def bind_cast(self, node: syntax.Cast) -> Bound:
        """`(T)operand`."""
        target = self.find_type(node.type)
        operand = self.bind(node.operand)
        if target is None:
            target = self.type_named(node.type)
        if operand.is_constant:
            self._check_constant(operand, target, node.at)
        converter = explicit(operand.type, target)
        if converter is None:
            converter = convertible(operand, target)
        if converter is None:
            self.refuse(f"{operand.type} cannot be cast to {target}", node.at, "CS0030")
        if operand.is_constant and (is_value_type(target) or target is STRING):
            try:
                return constant(target, converter(operand.const), node.at)
            except UnsupportedError:
                raise
            except DotNetException as error:
                self.refuse(error.message, node.at, "CS0031")
        present = operand.present and converter is same
        return Bound(target, self.apply(converter, self.text(operand)), node.at, present=present)

    def _check_constant(self, operand: Bound, target: ClrType, at: int) -> None:
        if target.name in INTEGERS and operand.type.name in {*INTEGERS, "Double", "Decimal"}:
            low, high = INTEGERS[target.name]
            if not math.isfinite(operand.const) or not low <= int(operand.const) <= high:
                self.refuse(f"this constant is outside the range of {target}", at, "CS0221")

    def bind_as_operator(self, node: syntax.As) -> Bound:
        """`operand as T`."""
        operand, target = self.bind(node.operand), self.type_named(node.type)
        if is_value_type(target):
            self.refuse(f"`as` needs a type that can be null, not {target}", node.at, "CS0077")
        self._check_related(operand.type, target, node.at, "CS0039")
        test, kept = self._instance(operand, _underlying(target))
        return Bound(target, f"({kept} if {test} else None)", node.at)

    def _instance(self, operand: Bound, target: ClrType) -> tuple[str, str]:
        """The code that tests whether a value has a type, and the variable in which it stores the value."""
        kept, source = self.temporary(), self.source
        value = f"({kept} := {self.text(operand)})"
        if target is STRING:
            return f"{source.name(type)}{value} is {source.name(str)}", kept
        return source.call(runtime.is_a, value, source.name(target)), kept

    def _check_related(self, source: ClrType, target: ClrType, at: int, construct: str) -> None:
        plain = _underlying(source)
        related = (
            source in {NULL, DYNAMIC, OBJECT}
            or is_subtype(plain, target)
            or is_subtype(_underlying(target), plain)
            or (is_interface(target) and is_reference_type(plain))
            or (is_interface(plain) and is_reference_type(target))
        )
        if not related:
            self.refuse(f"a value of type {source} is never of type {target}", at, construct)

    def bind_is(self, node: syntax.Is) -> Bound:
        """`operand is pattern`."""
        return Bound(BOOLEAN, self.match(self.bind(node.operand), node.pattern), node.at)

    def match(self, operand: Bound, pattern: syntax.Pattern) -> str:
        """The code that tests whether a value matches a pattern and sets the pattern's variable."""
        if pattern.constant is None and pattern.type is not None and pattern.name is None:
            constant_node = _as_expression(pattern.type)
            if constant_node is not None and not self._is_type(constant_node):
                pattern = syntax.Pattern(pattern.at, constant=constant_node)
        if pattern.constant is not None:
            return self._match_constant(operand, self.bind(pattern.constant), pattern.at)
        if pattern.type is None:
            self.refuse("the twin does not support this pattern", pattern.at, "pattern")
        if pattern.type.name == "var" and pattern.name is not None:
            set_any = self.declarer(pattern.name, operand.type, pattern.at)
            return f"({set_any(self.text(operand))}, True)[1]"
        target = self.type_named(pattern.type)
        if target.name == "Nullable":
            self.refuse("the type of a pattern must not be nullable", pattern.at, "CS8116")
        self._check_related(operand.type, target, pattern.at, "CS8121")
        test, kept = self._instance(operand, target)
        if pattern.name is None:
            return f"({test})"
        setter = self.declarer(pattern.name, target, pattern.at)
        return f"({test} and ({setter(kept)}, True)[1])"

    def _is_type(self, node: syntax.Node) -> bool:
        meaning: Meaning = self.bind_any(node)
        return not isinstance(meaning, Bound)

    def _match_constant(self, operand: Bound, value: Bound, at: int) -> str:
        if not value.is_constant:
            self.refuse("a pattern must be a constant or a type", at, "CS0150")
        if value.type is not NULL and operand.type is not OBJECT:
            value = self.convert(value, _underlying(operand.type))
        expected = value.const
        if expected is None:
            if is_value_type(operand.type):
                self.refuse(f"{operand.type} is never null", at, "CS0037")
            return f"({self.text(operand)} is None)"
        if value.type is STRING or (value.type is INT32 is operand.type):
            # For strings and for two ints, `==` of Python gives the result of .NET.
            return f"({self.text(value)} == {self.text(operand)})"
        return self.source.call(equals, self.text(value), self.text(operand))

    def bind_default(self, node: syntax.Default) -> Bound:
        """`default(T)`."""
        of = self.type_named(node.type)
        return (
            constant(of, default_of(of), node.at)
            if is_value_type(of)
            else self.convert(constant(NULL, None, node.at), of)
        )

    def bind_throw_value(self, node: syntax.ThrowValue) -> Bound:
        """`throw e` as an expression."""
        return Bound(THROWS, self.thrower(node.value), node.at)

    def thrower(self, node: syntax.Node) -> str:
        """The code for `throw` of an exception."""
        value = self.bind(node)
        if not is_subtype(value.type, clr("Exception")):
            self.refuse(f"only an Exception can be thrown, not {value.type}", node.at, "CS0155")
        return self.source.call(runtime.throw, self.text(value))


def _never(_left: Any, _right: Any) -> bool:
    return False


def _nothing(_left: Any, _right: Any) -> None:
    return None


def _is_in_range(constant_operand: Bound, target: ClrType) -> bool:
    return (
        constant_operand.type.name in {"Int32", "Int64"} and convertible(constant_operand, target) is not None
    )


def _negated_span(value: Any) -> Any:
    return type(value)(-value.ticks)


def _enum_step(op: str, left: ClrType, right: ClrType) -> tuple[ClrType, ClrType, ClrType, Any] | None:
    """`Monday + 1`, `1 + Monday`, `Friday - 2`, `Friday - Monday`."""
    step = operators.arithmetic(op, "Int32")
    if step is None:
        return None
    if is_enum(left) and right is INT32:
        return left, INT32, left, lambda a, b: EnumValue(left, step(a.number, b))
    if is_enum(right) and left is INT32 and op == "+":
        return INT32, right, right, lambda a, b: EnumValue(right, step(a, b.number))
    if left is right and is_enum(left) and op == "-":
        return left, right, INT32, lambda a, b: step(a.number, b.number)
    return None


def _underlying(of: ClrType) -> ClrType:
    return of.args[0] if of.name == "Nullable" else of


def _as_expression(name: syntax.TypeName) -> syntax.Node | None:
    """A pattern that was parsed as a type, as an expression; for example `JTokenType.Null` after `case`."""
    if name.args or name.name in {"[]", "Nullable"}:
        return None
    first, *rest = name.name.split(".")
    node: syntax.Node = syntax.Name(name.at, first)
    for part in rest:
        node = syntax.Member(name.at, node, part)
    return node
