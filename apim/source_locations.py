"""The source locations of findings, statements and expressions in the documents of a service."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from apim.findings import Finding
from apim.service import PolicyDocument, Service, documents
from apim.source_map import SourceLocation


class SourceLocations:
    """Looks up the source locations of a service's policy documents in their source maps.

    Args:
        service: the service; its documents are read at the first look-up.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._found: dict[SourceLocation, SourceLocation | None] = {}

    @cached_property
    def documents(self) -> dict[str, PolicyDocument]:
        """The documents, by name."""
        return {document.name: document for document in documents(self._service)}

    def find(self, document: str, line: int, column: int) -> SourceLocation | None:
        """The source location of a line and column; None for a document without a source map."""
        location = SourceLocation(document, line, column)
        if location not in self._found:
            known = self.documents.get(document)
            source_map = known.source_map if known is not None else None
            self._found[location] = source_map.find(line, column) if source_map is not None else None
        return self._found[location]

    def describe(self, document: str, line: int, column: int) -> str:
        """`file:line:column (document)`; `document:line:column` for a document without a source map."""
        written = self.find(document, line, column)
        if written is None:
            return str(SourceLocation(document, line, column))
        return f"{written} ({document})"


def at_source(findings: Iterable[Finding], service: Service) -> list[Finding]:
    """The findings with their source locations, in order.

    A finding in a part of a template that several documents contain is reported once, with the name of the
    first document.
    """
    locations = SourceLocations(service)
    order = {name: number for number, name in enumerate(locations.documents)}
    found: dict[Finding, list[str]] = {}
    for finding in findings:
        written = locations.find(finding.document, finding.line, finding.column)
        if written is None:
            found.setdefault(finding, [])
            continue
        moved = replace(finding, document=written.file, line=written.line, column=written.column)
        found.setdefault(moved, []).append(finding.document)
    return sorted(
        _named(finding, sorted(set(names), key=order.__getitem__)) for finding, names in found.items()
    )


def _named(finding: Finding, documents: list[str]) -> Finding:
    if not documents:
        return finding
    more = len(documents) - 1
    others = f" and {more} other document{'s' * (more > 1)}" if more else ""
    return replace(finding, message=f"{finding.message} (in {documents[0]}{others})")
