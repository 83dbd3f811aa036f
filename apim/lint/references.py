"""Finds comparisons of objects by reference."""

from collections.abc import Iterator

from apim.compiled_documents import within
from apim.findings import Finding
from apim.lint.subject import Subject


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about `==` and `!=` on arrays, lists and JSON, which C# compares by reference."""
    for located in subject.catalogue.expressions:
        for fact in located.expression.facts:
            if fact.name == "references":
                line, column = within(located.line, located.column, fact.line, fact.column)
                yield Finding(
                    document=located.document,
                    line=line,
                    column=column,
                    message="this compares references, not values: compare strings, or use SequenceEqual or "
                    "JToken.DeepEquals",
                    code="reference-comparison",
                )
