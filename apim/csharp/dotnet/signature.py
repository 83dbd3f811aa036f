"""Declares .NET types and their members in tables whose keys are signatures in the syntax of C#.

`"string Substring(int startIndex, int length)": function` is a method, `"int Length"` a property,
`"char this[int index]"` an indexer, `"new(char c, int count)"` a constructor, `"static ..."` a static member,
`"implicit JToken(string value)"` a conversion, `"static bool TryParse(string s, out int result)"` a method
whose function returns a tuple of its result and its out values. A signature is parsed when its name is first
used.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar

from apim.csharp.dotnet.types import DEFINITIONS, ClrType, Definition, clr
from apim.csharp.language import syntax
from apim.csharp.language.scanner import tokens_of
from apim.csharp.language.statement_parser import StatementParser

_HEADER = re.compile(r"(class|struct|enum|interface|static) ([\w.]+)(?:<([\w, ]+)>)?(?: : (.*))?$")
_METHOD = re.compile(r"(\w+)(?:<[\w, ]+>)?\(")
NO_DEFAULT: Final = object()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attribute:
    """The function of a property that reads an attribute of the Python value, and may convert it."""

    name: str
    then: Callable[[Any], Any] | None = None

    def __call__(self, value: Any) -> Any:
        """The property's value."""
        found = getattr(value, self.name)
        return found if self.then is None else self.then(found)


class Typed:
    """A function that is created from type arguments: first those of the type, then those of the method."""

    def __init__(self, make: Callable[..., Callable[..., object]]) -> None:
        self.make = make


class Contextual:
    """A function with the Context as its first parameter."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function


class Checked:
    """A function with a check of its constant arguments at compile time.

    The check receives the value of each argument except the receiver, or NOT_CONSTANT if it is not constant.
    It raises UnsupportedError for arguments that the evaluator does not support.
    """

    def __init__(self, function: Callable[..., object], check: Callable[..., object]) -> None:
        self.function = function
        self.check = check


Prepare = Callable[..., Callable[[Any], object] | None]
PREPARATIONS: Final[dict[Callable[..., object], Prepare]] = {}
"""The preparations of the functions that `prepared_by` decorates."""


def prepared_by(prepare: Prepare) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Decorates a member's function whose arguments after the first are often constants.

    Args:
        prepare: is called with these constants when an expression is compiled. It returns a function of the
            first argument with the same results and exceptions, or None.
    """

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        PREPARATIONS[function] = prepare
        return function

    return decorate


class Culture:
    """A function whose result in .NET depends on the culture; its use is a fact of the expression."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function


class Settable:
    """A property or indexer that can be assigned."""

    def __init__(self, get: object, set_: Callable[..., object]) -> None:
        self.get = get
        self.set = set_


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter; `mode` is "", "out" or "params"; `default` is NO_DEFAULT for a required parameter."""

    type: ClrType
    name: str
    mode: str = ""
    default: object = NO_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The declaration of a member."""

    name: str
    kind: str
    static: bool
    returns: ClrType
    parameters: tuple[Parameter, ...] = ()
    type_parameters: tuple[str, ...] = ()
    extension: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeMember:
    """A member with its owner and the function that implements it."""

    owner: Definition
    signature: Signature
    function: Any = field(compare=False)


def define(header: str, members: Mapping[str, object] | None = None, **values: int) -> None:
    """Declares a type, or adds members to a declared type.

    Args:
        header: `class System.Text.StringBuilder`, `struct System.DateTime : IComparable`, ...; `static`
            declares a class without instances.
        members: the functions that implement the members, by signature.
        values: the numbers of an enum's values, by name.

    Raises:
        ValueError: the header is malformed.
    """
    match = _HEADER.match(header)
    if match is None:
        raise ValueError(header)
    namespace, _, name = match[2].rpartition(".")
    parameters = tuple(match[3].replace(" ", "").split(",")) if match[3] else ()
    known = DEFINITIONS.setdefault(
        name,
        Definition(
            name=name,
            namespace=namespace,
            kind=match[1],
            parameters=parameters,
            bases=_split(match[4]) if match[4] else (),
            values=values,
        ),
    )
    for text, function in (members or {}).items():
        known.members.setdefault(_name_of(text), []).append((text, function))


def _split(bases: str) -> tuple[str, ...]:
    parts, depth, current = [], 0, ""
    for character in bases:
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return (*parts, current.strip())


def _name_of(text: str) -> str:
    if text.startswith(("implicit ", "explicit ")):
        return text.split(maxsplit=1)[0]
    if " this[" in text:
        return "this"
    method = _METHOD.search(text)
    return method[1] if method else text.rsplit(" ", 1)[-1]


@cache
def parse_type(text: str, parameters: tuple[str, ...] = ()) -> ClrType:
    """Parses a type; `parameters` are the names of the type parameters that it may contain."""
    if text == "void":
        return clr("Void")
    parser = StatementParser(tokens_of(text, 0, len(text)))
    return _resolve(parser.type(), parameters)


def _resolve(name: syntax.TypeName, parameters: tuple[str, ...]) -> ClrType:
    if name.name in parameters:
        return clr("!" + name.name)
    return clr(name.name, *(_resolve(arg, parameters) for arg in name.args))


@cache
def members_of(owner: ClrType | str, name: str) -> tuple[TypeMember, ...]:
    """The members with this name that a type declares itself, without inherited members."""
    known = DEFINITIONS.get(
        owner if isinstance(owner, str) else "Array" if owner.name == "[]" else owner.name
    )
    if known is None:
        return ()
    return tuple(
        TypeMember(owner=known, signature=parse_signature(text, known.parameters), function=function)
        for text, function in known.members.get(name, ())
    )


@cache
def parse_signature(text: str, parameters: tuple[str, ...]) -> Signature:
    """Parses a signature; `parameters` are the type parameters of its owner."""
    static = text.startswith("static ")
    rest = text.removeprefix("static ")
    for conversion in ("implicit ", "explicit "):
        if rest.startswith(conversion):
            target, _, source = rest.removeprefix(conversion).partition("(")
            return Signature(
                name=conversion.strip(),
                kind="conversion",
                static=True,
                returns=parse_type(target),
                parameters=(Parameter(type=parse_type(source.rstrip(")").split(" ")[0]), name="value"),),
            )
    if rest.startswith("new("):
        return _callable(rest, "new", "constructor", parameters, static=False)
    if " this[" in rest:
        return _callable(rest, "this", "indexer", parameters, static=False)
    if "(" in rest:
        return _callable(rest, "", "method", parameters, static=static)
    kind, _, name = rest.rpartition(" ")
    return Signature(name=name, kind="property", static=static, returns=parse_type(kind, parameters))


def _callable(text: str, name: str, kind: str, parameters: tuple[str, ...], *, static: bool) -> Signature:
    parser = StatementParser(tokens_of(text, 0, len(text)))
    generic: tuple[str, ...] = ()
    method = _METHOD.search(text)
    if kind == "method" and method is not None and "<" in method[0]:
        generic = tuple(method[0][method[0].index("<") + 1 : -2].replace(" ", "").split(","))
    scope = (*parameters, *generic)
    if kind == "constructor" or parser.token.text == "void":
        returns = clr("Void")
        parser.advance()
    else:
        returns = _resolve(parser.type(), scope)
    if kind != "constructor":
        name = parser.advance().text
        parser.type_arguments_of_expression()
    closing = "]" if kind == "indexer" else ")"
    parser.advance()
    found: list[Parameter] = []
    extension = parser.token.text == "this"
    while not parser.at_op(closing):
        if found:
            parser.expect(",")
        found.append(_parameter(parser, scope))
    return Signature(
        name=name,
        kind=kind,
        static=static,
        returns=returns,
        parameters=tuple(found),
        type_parameters=generic,
        extension=extension,
    )


def _parameter(parser: StatementParser, scope: tuple[str, ...]) -> Parameter:
    mode = ""
    if parser.token.text in {"params", "out", "this"}:
        mode = parser.advance().text.replace("this", "")
    declared = _resolve(parser.type(), scope)
    name = parser.advance().text if parser.token.kind in {"name", "keyword"} else ""
    default: object = NO_DEFAULT
    if parser.at_op("="):
        parser.advance()
        literal = parser.expression()
        if not isinstance(literal, syntax.Literal):
            raise ValueError(name)
        default = literal.value
    return Parameter(type=declared, name=name, mode=mode, default=default)


NOT_CONSTANT: Final = object()
