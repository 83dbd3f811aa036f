"""The supertypes of a type, and the members that it declares or inherits."""

from collections.abc import Iterator
from functools import cache
from typing import Final

from apim.csharp.dotnet.signature import TypeMember, members_of, parse_type
from apim.csharp.dotnet.types import DEFINITIONS, OBJECT, ClrType, clr, substitute


@cache
def supertypes(type_: ClrType) -> tuple[ClrType, ...]:
    """The type itself, its base classes and interfaces, nearest first; object is the last."""
    found: dict[ClrType, None] = {}
    waiting = [type_]
    while waiting:
        current = waiting.pop(0)
        if current not in found:
            found[current] = None
            waiting.extend(_bases(current))
    found.pop(OBJECT, None)
    return (*found, OBJECT)


def _bases(type_: ClrType) -> Iterator[ClrType]:
    if type_.name == "[]":
        element = type_.args[0]
        yield clr("Array")
        yield clr("IList", element)
        yield clr("IReadOnlyList", element)
        return
    known = DEFINITIONS.get(type_.name)
    if known is None:
        return
    bindings = dict(zip(known.parameters, type_.args, strict=True))
    for base in known.bases:
        yield substitute(parse_type(base, known.parameters), bindings)


_EXPLICIT_FOR_ARRAYS: Final = frozenset({"ICollection", "IList", "IReadOnlyCollection", "IReadOnlyList"})


def lookup(type_: ClrType, name: str) -> list[tuple[ClrType, TypeMember]]:
    """The members with a name in a type and its supertypes, each with the type that declares it."""
    owners = supertypes(type_)
    if type_.name == "[]":
        # Arrays implement the members of these interfaces explicitly: they are not members of the array.
        owners = tuple(owner for owner in owners if owner.name not in _EXPLICIT_FOR_ARRAYS)
    return [(owner, member) for owner in owners for member in members_of(owner, name)]
