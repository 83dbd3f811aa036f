"""Where policy documents were written, when somebody knows: whoever renders them from templates.

The twin knows neither templates nor the program; the program says how its texts are looked up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from twin.apim.findings import Finding
from twin.apim.service import PolicyDocument, Service

Place = tuple[str, int, int]
"""File, line and column, both from 1; the column is 1 where only the line is known."""


class Origins(Protocol):
    """Knows where the texts that it rendered were written."""

    def find(self, text: str, line: int, column: int) -> Place | None:
        """Where a place of a document was written; None for what it did not render."""
        ...

    def lines(self, text: str) -> frozenset[tuple[str, int]]:
        """The files and lines of which a document was made; none for what it did not render."""
        ...


_told: list[Origins] = []
# Each evaluation of the program tells its own; only the last ones can still be asked for.
_MOST = 4


def tell(origins: Origins) -> None:
    """From now on texts are looked up there, before those who told earlier."""
    if origins not in _told:
        _told.insert(0, origins)
        del _told[_MOST:]


def find(text: str, line: int, column: int) -> Place | None:
    """Where that place of a document was written."""
    return next((place for each in _told if (place := each.find(text, line, column))), None)


def lines(text: str) -> frozenset[tuple[str, int]]:
    """The files and lines of which a document was made; none when nobody knows."""
    return next((found for each in _told if (found := each.lines(text))), frozenset())


def at_origin(findings: Iterable[Finding], service: Service) -> list[Finding]:
    """The findings, those in documents whose origin is known at their place there; each once, in order."""
    texts = {document.name: document.xml for document in documents(service)}
    return sorted({_at_origin(finding, texts.get(finding.document)) for finding in findings})


def documents(service: Service) -> Iterator[PolicyDocument]:
    """All policy documents of a service."""
    policies = [service.policy, *(product.policy for product in service.products)]
    for api in service.apis:
        policies += [api.policy, *(operation.policy for operation in api.operations)]
    yield from (policy for policy in policies if policy is not None)
    yield from (fragment.document for fragment in service.fragments)


def _at_origin(finding: Finding, text: str | None) -> Finding:
    place = find(text, finding.line, finding.column) if text is not None else None
    if place is None:
        return finding
    return replace(finding, document=place[0], line=place[1], column=place[2])
