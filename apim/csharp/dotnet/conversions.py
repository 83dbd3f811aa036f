"""The conversions between static types, each as a function that converts a value.

Source: the chapter "Conversions" of the C# 7.3 specification.
"""

import math
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from functools import cache
from typing import Any, Final

from apim.csharp.dotnet.inheritance import supertypes
from apim.csharp.dotnet.signature import members_of
from apim.csharp.dotnet.types import (
    DYNAMIC,
    INTEGERS,
    NULL,
    NUMBERS,
    OBJECT,
    STRING,
    THROWS,
    ClrType,
    definition,
    is_enum,
    is_interface,
    is_reference_type,
    is_value_type,
)
from apim.csharp.dotnet.values import INTEGER_CLASSES, EnumValue, integer, type_of
from apim.csharp.errors import DotNetException, UnsupportedError, integer_overflow
from apim.csharp.language.decimals import checked_decimal

Converter = Callable[[Any], Any]
_WIDER: Final = {
    "SByte": ("Int16", "Int32", "Int64", "Double", "Decimal"),
    "Byte": ("Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Double", "Decimal"),
    "Int16": ("Int32", "Int64", "Double", "Decimal"),
    "UInt16": ("Int32", "UInt32", "Int64", "UInt64", "Double", "Decimal"),
    "Char": ("UInt16", "Int32", "UInt32", "Int64", "UInt64", "Double", "Decimal"),
    "Int32": ("Int64", "Double", "Decimal"),
    "UInt32": ("Int64", "UInt64", "Double", "Decimal"),
    "Int64": ("Double", "Decimal"),
    "UInt64": ("Double", "Decimal"),
}
_COVARIANT: Final = frozenset(
    {"IEnumerable", "IEnumerator", "IReadOnlyCollection", "IReadOnlyList", "IGrouping"}
)
_CONVERTIBLE: Final = NUMBERS | {"Boolean", "String", "DateTime"}


def same(value: Any) -> Any:
    """Returns the value unchanged."""
    return value


def standard_implicit(source: ClrType, target: ClrType) -> Converter | None:
    """The implicit conversion that is not user-defined; None if it does not exist."""
    if source is target or source is THROWS:
        return same
    if target is DYNAMIC or source is NULL:
        return same if target is DYNAMIC or is_reference_type(target) or target.name == "Nullable" else None
    if target.name in _WIDER.get(source.name, ()):
        return _widening(target.name)
    if target.name == "Nullable":
        return _to_nullable(source, target.args[0], standard_implicit)
    if source.name == "Nullable":
        return same if target is OBJECT else None
    return same if is_subtype(source, target) else None


def _widening(target: str) -> Converter:
    if target == "Double":
        return float
    return Decimal if target == "Decimal" else INTEGER_CLASSES[target]


def _to_nullable(
    source: ClrType, target: ClrType, convert: Callable[[ClrType, ClrType], Converter | None]
) -> Converter | None:
    inner = convert(source.args[0] if source.name == "Nullable" else source, target)
    if inner is None or not (
        is_value_type(target) and is_value_type(source.args[0] if source.args else source)
    ):
        return None
    if inner is same:
        return same
    return lambda value: None if value is None else inner(value)


@cache
def is_subtype(source: ClrType, target: ClrType) -> bool:
    """Whether each value of `source` is a value of `target`: classes, interfaces, variance, boxing."""
    return any(base is target or _is_variant_of(base, target) for base in supertypes(source))


def _is_variant_of(source: ClrType, target: ClrType) -> bool:
    """Whether both are the same covariant type, and the type argument of `source` is a subtype."""
    if source.name != target.name or len(source.args) != len(target.args):
        return False
    if source.name == "[]" or source.name in _COVARIANT:
        inner, wanted = source.args[0], target.args[0]
        return is_reference_type(inner) and is_reference_type(wanted) and is_subtype(inner, wanted)
    return False


def user_defined(kind: str, source: ClrType, target: ClrType) -> Converter | None:
    """The conversion that one of the types declares, or None; the kind `explicit` includes `implicit`."""
    found: list[tuple[ClrType, Converter]] = []
    owners = dict.fromkeys((*supertypes(source), *supertypes(target)))
    for owner in owners:
        for name in ("implicit", "explicit") if kind == "explicit" else ("implicit",):
            for member in members_of(owner, name):
                declared, result = member.signature.parameters[0].type, member.signature.returns
                if result is target and standard_implicit(source, declared) is not None:
                    found.append((declared, member.function))
    if not found:
        return None
    exact = [entry for entry in found if entry[0] is source]
    declared, function = exact[0] if exact else _most_specific(found)
    before = standard_implicit(source, declared)
    if before is None or before is same:
        return function
    return lambda value: function(before(value))


def _most_specific(found: list[tuple[ClrType, Converter]]) -> tuple[ClrType, Converter]:
    """The conversion whose parameter's type converts to those of all others."""
    for entry in found:
        if all(standard_implicit(entry[0], other) is not None for other, _function in found):
            return entry
    return found[0]


@cache
def implicit(source: ClrType, target: ClrType) -> Converter | None:
    """The implicit conversion; None if it does not exist."""
    found = standard_implicit(source, target)
    if found is not None:
        return found
    if source is DYNAMIC:
        return from_dynamic(target)
    if source in {NULL, OBJECT} or target is OBJECT or is_interface(source) or is_interface(target):
        return None
    found = user_defined("implicit", source, target)
    if found is None and target.name == "Nullable":
        return _to_nullable(source, target.args[0], lambda left, right: user_defined("implicit", left, right))
    return found


@cache
def explicit(source: ClrType, target: ClrType) -> Converter | None:  # noqa: PLR0911 -- one case per kind
    """The implicit conversion, or else the explicit one; None if there is neither."""
    found = implicit(source, target)
    if found is not None:
        return found
    if source.name in NUMBERS and target.name in NUMBERS:
        return numeric(source.name, target.name)
    if is_enum(target) and source.name in INTEGERS:
        return lambda value: EnumValue(target, int(value))
    if is_enum(source) and target.name in INTEGERS:
        return lambda value: integer(target.name, value.number)
    if source.name == "Nullable" or target.name == "Nullable":
        return _explicit_nullable(source, target)
    if source is OBJECT or (
        is_interface(source) and (is_reference_type(target) or is_subtype(target, source))
    ):
        return _downcast(target)
    if is_reference_type(source) and is_reference_type(target) and is_subtype(target, source):
        return _downcast(target)
    if is_reference_type(source) and is_interface(target) and not _sealed(source):
        return _downcast(target)
    return user_defined("explicit", source, target)


def _sealed(type_: ClrType) -> bool:
    return type_.name in {"String", "[]", "Uri", "Regex"}


def _explicit_nullable(source: ClrType, target: ClrType) -> Converter | None:
    # JToken itself declares conversions to nullable types, such as `(int?)token`.
    declared = user_defined("explicit", source, target)
    if declared is not None:
        return declared
    if source is OBJECT:
        return _downcast(target)
    inner_source = source.args[0] if source.name == "Nullable" else source
    inner_target = target.args[0] if target.name == "Nullable" else target
    inner = explicit(inner_source, inner_target)
    if inner is None or not is_value_type(inner_target):
        return None
    if target.name == "Nullable":
        return lambda value: None if value is None else inner(value)

    def from_value(value: Any) -> Any:
        if value is None:
            raise DotNetException("InvalidOperationException", "Nullable object must have a value.")
        return inner(value)

    return from_value


def to_string_cast(value: Any) -> Any:
    """`(string)value` of an object."""
    if value is not None and type(value) is not str:
        raise _invalid_cast(value, STRING)
    return value


def _invalid_cast(value: Any, target: ClrType) -> DotNetException:
    return DotNetException(
        "InvalidCastException",
        f"Unable to cast object of type '{_full_name(type_of(value))}' to type '{_full_name(target)}'.",
    )


def _full_name(type_: ClrType) -> str:
    known = definition(type_)
    if known is None or not known.namespace or type_.args:
        return str(type_)
    return f"{known.namespace}.{type_}"


def _downcast(target: ClrType) -> Converter:
    """Unboxing, or a cast to a class or interface, checked at run time."""
    return to_string_cast if target is STRING else Downcast(target)


class Downcast:
    """A cast to a type other than string, checked at run time.

    Attributes:
        wanted: the type of the result; for a nullable type `T?`, it is `T`.
    """

    def __init__(self, target: ClrType) -> None:
        self.wanted = target.args[0] if target.name == "Nullable" else target
        self._needs_value = target.name != "Nullable" and is_value_type(target)

    def __call__(self, value: Any) -> Any:
        """The value, unless it has another type."""
        if getattr(value, "clr_type", None) is self.wanted:
            return value
        if value is None:
            if self._needs_value:
                raise DotNetException(
                    "NullReferenceException", "Object reference not set to an instance of an object."
                )
            return None
        if not is_instance(value, self.wanted):
            raise _invalid_cast(value, self.wanted)
        return value


def is_instance(value: Any, target: ClrType) -> bool:
    """Whether a value other than null is an instance of a type."""
    return is_subtype(type_of(value), target)


def numeric(source: str, target: str) -> Converter:
    """The explicit conversion between numeric types, in an unchecked context as by default in C#."""
    if target in INTEGERS:
        if source in INTEGERS:
            return lambda value: integer(target, int(value))
        if source == "Decimal":
            return lambda value: _from_decimal(value, target)
        return lambda value: _from_double(value, target)
    if target == "Double":
        return float
    if source == "Double":
        return decimal_of_double
    return Decimal


def _from_decimal(value: Decimal, target: str) -> int:
    whole = int(value.to_integral_value(ROUND_DOWN))
    low, high = INTEGERS[target]
    if not low <= whole <= high:
        raise integer_overflow(target)
    return INTEGER_CLASSES[target](whole)


def _from_double(value: float, target: str) -> int:
    """Converts a double to an integral type.

    Raises:
        UnsupportedError: the value is out of range, for which C# does not define the result.
    """
    low, high = INTEGERS[target]
    if not math.isfinite(value) or not low <= int(value) <= high:
        raise UnsupportedError(f"converting the double {value} to {target}, whose result C# does not define")
    return INTEGER_CLASSES[target](int(value))


def decimal_of_double(value: float) -> Decimal:
    """(decimal)double: 15 significant digits."""
    if value != value or abs(value) >= 7.9e28:  # noqa: PLR0124, PLR2004 -- NaN; the largest decimal
        raise DotNetException("OverflowException", "Value was either too large or too small for a Decimal.")
    rounded = checked_decimal(Decimal(f"{value:.15g}"))
    return Decimal(format(rounded.normalize(), "f"))


def from_dynamic(target: ClrType) -> Converter | None:
    """The conversion of a dynamic value: JSON tokens are converted, other values must have the type."""
    if target is OBJECT:
        return same
    cast = _downcast(target)
    plain = target.args[0] if target.name == "Nullable" else target
    needs_value = plain is target and is_value_type(target)

    def convert(value: Any) -> Any:
        if value is not None:
            convert_token = getattr(value, "dynamic_convert", None)
            if convert_token is not None and plain.name in _CONVERTIBLE:
                return convert_token(plain.name, is_reference_type(target) or target is not plain)
            found = user_defined("explicit", type_of(value), target)
            if found is not None:
                return found(value)
        elif needs_value:
            raise DotNetException(
                "RuntimeBinderException",
                f"Cannot convert null to '{target}' because it is a non-nullable value type",
            )
        return cast(value)

    return convert


def constant_conversion(value: object, source: ClrType, target: ClrType) -> Converter | None:
    """The conversion of a constant: an int within the range of a smaller type, or 0 to an enum; else None."""
    if target.name == "Nullable":
        target = target.args[0]
    if source.name in {"Int32", "Int64"} and isinstance(value, int):
        if is_enum(target) and value == 0:
            return lambda number: EnumValue(target, number)
        bounds = INTEGERS.get(target.name)
        allowed = source.name == "Int32" or target.name == "UInt64"
        if bounds and target.name != "Char" and allowed and bounds[0] <= value <= bounds[1]:
            return INTEGER_CLASSES[target.name]
    return None


def best_common(types: list[ClrType]) -> ClrType | None:
    """The type among these to which all others convert implicitly; None if it does not exist."""
    real = [found for found in dict.fromkeys(types) if found not in {NULL, THROWS}]
    for candidate in real:
        if all(implicit(found, candidate) is not None for found in types):
            return candidate
    return None
