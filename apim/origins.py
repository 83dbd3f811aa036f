"""Where policy documents were written, when somebody knows: whoever renders them from templates.

The twin knows neither templates nor the program; the program says how its texts are looked up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from apim.findings import Finding
from apim.service import PolicyDocument, Service

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
    """The findings, those in documents whose origin is known at their place there; each once, in order.

    What stands once in a template and in several documents is told once, with the name of the first of them.
    """
    origins = Places(service)
    order = {name: number for number, name in enumerate(origins.texts)}
    told: dict[Finding, list[str]] = {}
    for finding in findings:
        place = origins.find(finding.document, finding.line, finding.column)
        if place is None:
            told.setdefault(finding, [])
            continue
        written = replace(finding, document=place[0], line=place[1], column=place[2])
        told.setdefault(written, []).append(finding.document)
    return sorted(
        _within(finding, sorted(set(names), key=order.__getitem__)) for finding, names in told.items()
    )


class Places:
    """The places of a service's policy documents, as people should read them.

    Args:
        service: nothing is looked up before somebody asks.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._found: dict[Place, Place | None] = {}

    @cached_property
    def texts(self) -> dict[str, str]:
        """Each document by its name."""
        return {document.name: document.xml for document in documents(self._service)}

    def find(self, document: str, line: int, column: int) -> Place | None:
        """Where that place of a document was written; None when nobody knows."""
        asked = document, line, column
        if asked not in self._found:
            text = self.texts.get(document)
            self._found[asked] = None if text is None else find(text, line, column)
        return self._found[asked]

    def told(self, document: str, line: int, column: int) -> str:
        """`file:line:column (document)`, or `document:line:column` when nobody knows where it was written."""
        place = self.find(document, line, column)
        if place is None:
            return f"{document}:{line}:{column}"
        return f"{place[0]}:{place[1]}:{place[2]} ({document})"


def documents(service: Service) -> Iterator[PolicyDocument]:
    """All policy documents of a service."""
    policies = [service.policy, *(product.policy for product in service.products)]
    for api in service.apis:
        policies += [api.policy, *(operation.policy for operation in api.operations)]
    yield from (policy for policy in policies if policy is not None)
    yield from (fragment.document for fragment in service.fragments)


def _within(finding: Finding, documents: list[str]) -> Finding:
    if not documents:
        return finding
    more = len(documents) - 1
    others = f" and {more} other document{'s' * (more > 1)}" if more else ""
    return replace(finding, message=f"{finding.message} (in {documents[0]}{others})")
