"""Finds comparisons and case conversions that depend on the culture of the machine."""

from collections.abc import Iterator

from apim.compiled_documents import LocatedExpression, within
from apim.csharp.language import syntax
from apim.findings import Finding
from apim.lint.subject import Subject
from apim.lint.trees import all_nodes, at

_CASE = frozenset({"ToLower", "ToUpper"})
_COMPARISONS = frozenset({"CurrentCulture", "CurrentCultureIgnoreCase"})


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about calls whose result depends on .NET's current culture."""
    for located in subject.catalogue.expressions:
        for name, (line, column) in _locations(located):
            yield Finding(
                document=located.document,
                line=line,
                column=column,
                message=f"{name} depends on the culture of the machine",
                code="culture-sensitive",
            )


def _locations(located: LocatedExpression) -> Iterator[tuple[str, tuple[int, int]]]:
    source = located.expression.source
    for fact in located.expression.facts:
        if fact.name == "culture":
            yield "this comparison", within(located.line, located.column, fact.line, fact.column)
    if not any(word in source for word in ("ToLower(", "ToUpper(", "CurrentCulture")):
        return
    for node in all_nodes(source):
        match node:
            case syntax.Call(target=syntax.Member(name=name)) if name in _CASE:
                yield f"{name}()", at(located, node.target.at)
            case syntax.Member(name=name) if name in _COMPARISONS:
                yield name, at(located, node.at)
