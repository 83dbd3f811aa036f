"""The functions that generated programs call, in addition to those of members."""

from collections.abc import Callable
from typing import Any, Final, NoReturn

from apim.csharp.dotnet.collections import AnonymousObject, missing_key
from apim.csharp.dotnet.conversions import explicit, is_instance, is_subtype, same
from apim.csharp.dotnet.types import BYTE, ClrType, clr
from apim.csharp.dotnet.values import BYTES_TABLE, Array, Char, from_python, type_of
from apim.csharp.errors import DotNetException, UnsupportedError, null_reference

MISSING: Final = object()
join: Final = "".join


def throw_null_reference() -> NoReturn:
    """Throws the exception for an access to a member of null."""
    raise null_reference()


def throw(error: DotNetException | None) -> NoReturn:
    """`throw error`."""
    raise error if error is not None else DotNetException("NullReferenceException", "")


def throw_too_many_iterations(most: int) -> NoReturn:
    """Throws the exception for a loop with too many iterations."""
    raise UnsupportedError(f"a loop of more than {most:,} iterations")


def marker(hits: bytearray, yes: int) -> Callable[[Any], Any]:
    """A function that records the outcome of a decision and returns it."""

    def mark(value: Any) -> Any:
        hits[yes if value else yes + 1] = 1
        return value

    return mark


def variable(value: Any, name: str) -> Any:
    """`context.Variables[name]`; `value` is MISSING if the variable does not exist."""
    if value is MISSING:
        raise missing_key(name)
    return from_python(value)


def set_cell(cell: list[Any], value: Any) -> Any:
    """Sets a variable that lambdas share."""
    cell[0] = value
    return value


def set_property(value: Any, owner: Any, store: Callable[[Any, Any], object]) -> Any:
    """`owner.name = value`."""
    if owner is None:
        raise null_reference()
    store(owner, value)
    return value


def set_element(value: Any, owner: Any, key: Any, store: Callable[[Any, Any, Any], object]) -> Any:
    """`owner[key] = value`."""
    store(owner, key, value)
    return value


def set_item(value: Any, array: Array | None, place: int, element: ClrType) -> Any:
    """`array[place] = value`."""
    if array is None:
        raise null_reference()
    if not 0 <= place < len(array.items):
        raise _outside()
    # An object[] may be a string[] at run time, which accepts only strings.
    if array.clr_type.args[0] is not element and value is not None:
        _check_element(array.clr_type.args[0], value)
    array.items[place] = int(value) if element is BYTE else value
    return value


def _check_element(element: ClrType, value: Any) -> None:
    if explicit(type_of(value), element) is not same:
        raise DotNetException(
            "ArrayTypeMismatchException",
            "Attempted to access an element as a type incompatible with the array.",
        )


def _outside() -> DotNetException:
    return DotNetException("IndexOutOfRangeException", "Index was outside the bounds of the array.")


def item(array: Array | None, place: int) -> Any:
    """`array[place]`."""
    if array is None:
        raise null_reference()
    if not 0 <= place < len(array.items):
        raise _outside()
    return array.items[place]


def byte_item(array: Array | None, place: int) -> Any:
    """`array[place]` of a byte[]."""
    return BYTES_TABLE[item(array, place)]


def character(text: str | None, place: int) -> Char:
    """`text[place]`."""
    if text is None:
        raise null_reference()
    if not 0 <= place < len(text):
        raise _outside()
    return Char(ord(text[place]))


def new_array(element: ClrType, default: Any, count: int) -> Array:
    """`new T[count]`."""
    if count < 0:
        raise DotNetException("OverflowException", "Arithmetic operation resulted in an overflow.")
    return Array(element, [default] * count if element is not BYTE else bytes(count))


def anonymous(of: ClrType, names: tuple[str, ...], values: tuple[Any, ...]) -> AnonymousObject:
    """`new { name = value }`."""
    return AnonymousObject(of, dict(zip(names, values, strict=True)))


def is_a(value: Any, target: ClrType) -> bool:
    """`value is target`."""
    return value is not None and is_instance(value, target)


def is_catchable(error: BaseException) -> bool:
    """Whether policy code can catch an exception. It cannot catch an UnsupportedError."""
    return isinstance(error, DotNetException) and not isinstance(error, UnsupportedError)


def is_caught(error: DotNetException, caught: ClrType) -> bool:
    """Whether `catch (T)` catches an exception."""
    return is_subtype(clr(error.type_name), caught)


def left_justified(text: str, width: int) -> str:
    """The string for an interpolation with a negative alignment."""
    return text.ljust(width)


def right_justified(text: str, width: int) -> str:
    """The string for an interpolation with a positive alignment."""
    return text.rjust(width)


def lifted(a: Any, b: Any, function: Callable[[Any, Any], Any], unknown: Callable[[Any, Any], Any]) -> Any:
    """An operator on two values that may be null; `unknown` computes the result if one is null."""
    return unknown(a, b) if a is None or b is None else function(a, b)


def lifted_unary(value: Any, function: Callable[[Any], Any]) -> Any:
    """An operator on a value that may be null."""
    return None if value is None else function(value)
