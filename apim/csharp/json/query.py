"""Conditions in JSON paths: `[?(@.a == 'b' && @.c)]`.

https://github.com/JamesNK/Newtonsoft.Json/blob/13.0.3/Src/Newtonsoft.Json/Linq/JsonPath/QueryExpression.cs
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from apim.csharp.dotnet.comparison import compare_ordinal
from apim.csharp.dotnet.convert import to_bool, to_decimal, to_double, to_integer
from apim.csharp.dotnet.regex import Regex
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import clr
from apim.csharp.dotnet.values import Array, EnumValue
from apim.csharp.errors import UnsupportedError
from apim.csharp.json.plain import value_text
from apim.csharp.json.tokens import JToken, JValue

Query = Callable[[JToken, JToken], bool]
"""Whether a token is selected, as a function of the root and the token."""
Operand = Callable[[JToken, JToken], Iterable[JToken]]

_NUMERIC: Final = frozenset({"Integer", "Float"})
_OPTIONS: Final = {"i": 1, "m": 2, "s": 16, "x": 4}
_EPSILON: Final = 2.2204460492503131e-16


def all_of(conditions: list[Query]) -> Query:
    """Whether all conditions are true; conditions may be added to the list later."""
    return lambda root, token: all(condition(root, token) for condition in conditions)


def any_of(conditions: list[Query]) -> Query:
    """Whether any condition is true; conditions may be added to the list later."""
    return lambda root, token: any(condition(root, token) for condition in conditions)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`; without an operator, whether `left` exists."""

    operator: str
    left: Operand
    right: Operand | None

    def __call__(self, root: JToken, token: JToken) -> bool:
        """Whether it is true for any pair of tokens of the two sides."""
        if self.right is None:
            return any(True for _found in self.left(root, token))
        rights = list(self.right(root, token))
        return any(self._matches(left, right) for left in self.left(root, token) for right in rights)

    def _matches(self, left: JToken, right: JToken) -> bool:  # noqa: PLR0911 -- one case per kind
        if not isinstance(left, JValue) or not isinstance(right, JValue):
            return self.operator in {"!=", "<>"}
        match self.operator:
            case "==":
                return _equal(left, right)
            case "!=" | "<>":
                return not _equal(left, right)
            case "===":
                return _strictly_equal(left, right)
            case "!==":
                return not _strictly_equal(left, right)
            case "=~":
                return _matches_regex(left, right)
        order = compare(left, right)
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[self.operator]


def _equal(left: JValue, right: JValue) -> bool:
    """Equality, in which a string also equals a date, bytes, Guid, TimeSpan or Uri with that string form."""
    if left.clr_equals(right):
        return True
    if {left.kind, right.kind} == _NUMERIC:
        return compare(left, right) == 0
    if right.kind != "String" or left.kind not in {"Date", "Bytes", "Guid", "TimeSpan", "Uri"}:
        return False
    return value_text(left.value).strip('"') == right.value


def _strictly_equal(left: JValue, right: JValue) -> bool:
    if {left.kind, right.kind} == _NUMERIC:
        return compare(left, right) == 0
    return left.kind == right.kind and left.clr_equals(right)


def _matches_regex(left: JValue, right: JValue) -> bool:
    if left.kind != "String" or right.kind != "String":
        return False
    pattern, _slash, options = right.value[1:].rpartition("/")
    number = sum(_OPTIONS.get(letter, 0) for letter in set(options))
    regex = Regex(pattern, EnumValue(clr("RegexOptions"), number))
    return regex.pattern.compiled.search(regex.pattern.check(left.value)) is not None


def compare(left: JValue, right: JValue) -> int:
    """JValue.CompareTo.

    Raises:
        DotNetException: FormatException, if a string that is compared with a number is not a number.
        UnsupportedError: the twin does not compare these values.
    """
    ours, theirs = left.value, right.value
    if ours is None or theirs is None:
        return (ours is not None) - (theirs is not None)
    kind = right.kind if left.kind == "String" else left.kind
    match kind:
        case "Integer" | "Float":
            return _compare_numbers(ours, theirs, kind)
        case "String" if not isinstance(ours, Array) and not isinstance(theirs, Array):
            return compare_ordinal(to_string(ours), to_string(theirs))
        case "Boolean":
            return to_bool(ours) - to_bool(theirs)
    raise UnsupportedError(f"comparing {left.kind} and {right.kind} of JSON")


def _compare_numbers(left: Any, right: Any, kind: str) -> int:
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left_decimal, right_decimal = to_decimal(left), to_decimal(right)
        return (left_decimal > right_decimal) - (left_decimal < right_decimal)
    if kind == "Float" or isinstance(left, float) or isinstance(right, float):
        left_double, right_double = to_double(left), to_double(right)
        if abs(left_double - right_double) < (abs(left_double) + abs(right_double) + 10) * _EPSILON:
            return 0
        return (left_double > right_double) - (left_double < right_double)
    left_long, right_long = to_integer("Int64", left), to_integer("Int64", right)
    return (left_long > right_long) - (left_long < right_long)
