"""Finds values of `set-variable` that may be null (R7), judging by the expression alone."""

from collections.abc import Iterable, Iterator
from functools import cache

from apim.csharp.dotnet.types import clr, is_value_type
from apim.csharp.language import syntax
from apim.csharp.language.keywords import PREDEFINED
from apim.csharp.language.statement_parser import parse
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject
from apim.lint.trees import all_nodes, named_key, unwrapped

_METHODS = {
    "AsBasic": "AsBasic returns null for a value that it cannot parse",
    "AsJwt": "AsJwt returns null for a value that it cannot parse",
    "ElementAtOrDefault": "ElementAtOrDefault returns null if there is no such element",
    "FirstOrDefault": "FirstOrDefault returns null if there is no such element",
    "LastOrDefault": "LastOrDefault returns null if there is no such element",
    "SelectToken": "SelectToken returns null if there is no such element",
    "SingleOrDefault": "SingleOrDefault returns null if there is no such element",
}
_KINDS = {
    syntax.Conditional: "`?.` returns null if there is no object",
    syntax.As: "`as` returns null for another type",
    syntax.Default: "the default of a class is null",
}
# Collections whose elements are never null: reading a missing key throws an exception.
_COLLECTIONS = frozenset({"Claims", "Groups", "Headers", "MatchedParameters", "Query", "Variables"})


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about variables that may be set to null."""
    for document, root in subject.roots.items():
        for policy in LocatedElement(document, root).within():
            value = policy.element.attributes.get("value")
            expression = (
                subject.expression(document, value) if policy.element.name == "set-variable" else None
            )
            if expression is None:
                continue
            reason = _reason(expression.source)
            if reason:
                name = policy.element.attributes["name"].text
                yield policy.finding("null-variable", f"the variable {name} may be null: {reason}", value)


@cache
def _reason(source: str) -> str:
    """Why the value of an expression may be null; cached, because stacks share most expressions."""
    return _Values(source).reason()


class _Values:
    """The values that an expression may return."""

    def __init__(self, source: str) -> None:
        self._root = parse(source)
        self._locals: dict[str, list[syntax.Node]] = {}
        self._dictionaries: set[str] = set()
        self._seen: set[str] = set()
        # Local variables that the expression compares with null: the code after the comparison is
        # assumed to handle null.
        self._compared: set[str] = set()
        for node in all_nodes(source):
            match node:
                case syntax.Binary(
                    op="==" | "!=", left=syntax.Name(name=name), right=syntax.Literal(type="null")
                ):
                    self._compared.add(name)
                case syntax.Local(variables=variables):
                    for name, _at, value in variables:
                        if value is not None:
                            self._add(name, value)
                case syntax.Assign(target=syntax.Name(name=name), value=value):
                    self._add(name, value)

    def reason(self) -> str:
        """The reason why a value may be null; "" if no value may be null."""
        if not isinstance(self._root, syntax.Block):
            return self._of(self._root)
        return next(filter(None, map(self._of, _returned(self._root))), "")

    def _add(self, name: str, value: syntax.Node) -> None:
        self._locals.setdefault(name, []).append(value)
        if isinstance(value, syntax.New) and value.type.name.endswith("Dictionary"):
            self._dictionaries.add(name)

    def _of(self, node: syntax.Node) -> str:  # noqa: PLR0911 -- one case per kind of node
        match unwrapped(node):
            case syntax.Literal(type="null"):
                return "it returns null"
            case syntax.Ternary(yes=yes, no=no):
                return self._of(yes) or self._of(no)
            case syntax.Binary(op="??", right=right):
                return self._of(right)
            case syntax.Cast(type=to, operand=operand):
                # A cast to a value type throws for null.
                return "" if is_value_type(clr(PREDEFINED.get(to.name, to.name))) else self._of(operand)
            case syntax.Name(name=name) if name not in self._seen | self._compared:
                self._seen.add(name)
                return next(filter(None, map(self._of, self._locals.get(name, ()))), "")
            case syntax.Call(target=syntax.Member(name=name)) if name in _METHODS:
                return _METHODS[name]
            case syntax.Index() | syntax.Call() as element:
                return self._element(element)
            case other:
                return _KINDS.get(type(other), "")

    def _element(self, node: syntax.Index | syntax.Call) -> str:
        read = named_key(node)
        if read is None:
            return ""
        if read.method:
            without_default = read.method == "GetValueOrDefault" and read.arguments == 1
            return "GetValueOrDefault without a default returns null" if without_default else ""
        match read.collection:
            case syntax.Member(name=name) if name in _COLLECTIONS:
                return ""
            case syntax.Name(name=name) if name in self._dictionaries:
                return ""
        return f'a JSON object without "{read.key}" returns null'


def _returned(part: object) -> Iterable[syntax.Node]:
    """The values that a block returns, without the values that lambda expressions in it return."""
    match part:
        case syntax.Return(value=value):
            if value is not None:
                yield value
        case syntax.Lambda():
            return
        case tuple():
            for inner in part:
                yield from _returned(inner)
        case _:
            for name in getattr(type(part), "__dataclass_fields__", ()):
                yield from _returned(getattr(part, name))
