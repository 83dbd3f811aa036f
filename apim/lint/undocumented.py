"""Expressions and policies that rely on behaviour which Azure does not document (see `apim.readings`)."""

from collections.abc import Iterator

from apim.compiler import LocatedExpression, within
from apim.csharp.language import syntax
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject
from apim.lint.trees import at, named_key, nodes, tree

_UNQUALIFIED = "unqualified:"
# Claims that `Jwt` has properties for.
_TIMES = {"exp": "ExpirationTime", "nbf": "NotBefore", "iat": "IssuedAt"}


def check(subject: Subject) -> Iterator[Finding]:
    """Values of queries, types without a namespace, times among claims, values removed from the cache."""
    for placed in subject.catalogue.expressions:
        yield from _facts(placed)
        if "Claims" in placed.expression.source:
            yield from _claims(placed)
    for document, root in subject.roots.items():
        for one in LocatedElement(document, root).within():
            if one.element.name == "cache-remove-value":
                yield one.finding(
                    "cache-remove-value", "removing a value that the cache does not have may fail (R6)"
                )


def _facts(placed: LocatedExpression) -> Iterator[Finding]:
    for fact in placed.expression.facts:
        place = within(placed.line, placed.column, fact.line, fact.column)
        if fact.name == "url.query":
            yield _finding(placed, place, "undecoded-query", "the values in Query may be encoded or not (R1)")
        elif fact.name.startswith(_UNQUALIFIED):
            name = fact.name.removeprefix(_UNQUALIFIED)
            message = f"the namespace of {name} may not be imported (R2)"
            yield _finding(placed, place, "unqualified-type", message)


def _claims(placed: LocatedExpression) -> Iterator[Finding]:
    root = tree(placed.expression.source)
    collections = {
        name
        for node in nodes(root)
        if isinstance(node, syntax.Local)
        for name, _at, value in node.variables
        if isinstance(value, syntax.Member) and value.name == "Claims"
    }
    for node in nodes(root):
        read = named_key(node)
        if read is None or read.key not in _TIMES:
            continue
        match read.collection:
            case syntax.Member(name="Claims"):
                pass
            case syntax.Name(name=name) if name in collections:
                pass
            case _:
                continue
        message = f"Claims may not have {read.key} (R5); read {_TIMES[read.key]}"
        yield _finding(placed, at(placed, node.at), "time-claim", message)


def _finding(placed: LocatedExpression, place: tuple[int, int], code: str, message: str) -> Finding:
    line, column = place
    return Finding(document=placed.document, line=line, column=column, message=message, code=code)
