"""Where policy documents were written, when somebody knows: whoever renders them from templates.

The twin knows neither templates nor the program; the program says how its texts are looked up.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from twin.apim.findings import Finding
from twin.apim.service import PolicyDocument, Service

Place = tuple[str, int, int]
"""File, line and column, both from 1; the column is 1 where only the line is known."""
Lookup = Callable[[str, int, int], Place | None]
"""From a document's whole text, a line and a column."""

_lookups: list[Lookup] = []
# Each evaluation of the program tells its own; only the last ones can still be asked for.
_MOST = 4


def tell(lookup: Lookup) -> None:
    """From now on texts are looked up there, before those who told earlier."""
    if lookup not in _lookups:
        _lookups.insert(0, lookup)
        del _lookups[_MOST:]


def find(text: str, line: int, column: int) -> Place | None:
    """Where that place of a document was written."""
    return next((place for lookup in _lookups if (place := lookup(text, line, column))), None)


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
