"""Comparisons of objects that ask whether both are one and the same."""

from collections.abc import Iterator

from apim.compiler import within
from apim.findings import Finding
from apim.lint.subject import Subject


def check(subject: Subject) -> Iterator[Finding]:
    """`==` and `!=` on arrays, lists, JSON: C# allows them, and two equal values differ."""
    for placed in subject.catalogue.expressions:
        for fact in placed.expression.facts:
            if fact.name == "references":
                line, column = within(placed.line, placed.column, fact.line, fact.column)
                yield Finding(
                    document=placed.document,
                    line=line,
                    column=column,
                    message="this compares references, not values: compare texts, or use SequenceEqual or "
                    "JToken.DeepEquals",
                    code="reference-comparison",
                )
