"""Finds expressions and policies that rely on undocumented behaviour of Azure (see `apim.readings`)."""

from collections.abc import Iterator

from apim.compiled_documents import LocatedExpression, within
from apim.csharp.language import syntax
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject
from apim.lint.trees import all_nodes, at, named_key

_UNQUALIFIED = "unqualified:"
# Claims for which `Jwt` has properties.
_TIMES = {"exp": "ExpirationTime", "nbf": "NotBefore", "iat": "IssuedAt"}


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about `Query`, types without a namespace, time claims, and removal of cached values."""
    for located in subject.catalogue.expressions:
        yield from _facts(located)
        if "Claims" in located.expression.source:
            yield from _claims(located)
    for document, root in subject.roots.items():
        for policy in LocatedElement(document, root).within():
            if policy.element.name == "cache-remove-value":
                yield policy.finding(
                    "cache-remove-value", "removing a value that is not in the cache may fail (R6)"
                )


def _facts(located: LocatedExpression) -> Iterator[Finding]:
    for fact in located.expression.facts:
        location = within(located.line, located.column, fact.line, fact.column)
        if fact.name == "url.query":
            yield _finding(
                located, location, "undecoded-query", "the values of Query may or may not be decoded (R1)"
            )
        elif fact.name.startswith(_UNQUALIFIED):
            name = fact.name.removeprefix(_UNQUALIFIED)
            message = f"the namespace of {name} may not be imported (R2)"
            yield _finding(located, location, "unqualified-type", message)


def _claims(located: LocatedExpression) -> Iterator[Finding]:
    found = all_nodes(located.expression.source)
    collections = {
        name
        for node in found
        if isinstance(node, syntax.Local)
        for name, _at, value in node.variables
        if isinstance(value, syntax.Member) and value.name == "Claims"
    }
    for node in found:
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
        message = f"Claims may not contain {read.key} (R5); read {_TIMES[read.key]}"
        yield _finding(located, at(located, node.at), "time-claim", message)


def _finding(located: LocatedExpression, location: tuple[int, int], code: str, message: str) -> Finding:
    line, column = location
    return Finding(document=located.document, line=line, column=column, message=message, code=code)
