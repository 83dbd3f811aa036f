"""What is declared and never mentioned."""

from collections.abc import Iterator

from apim.findings import Finding
from apim.lint.subject import Subject


def check(subject: Subject) -> Iterator[Finding]:
    """Named values and fragments that no policy uses."""
    catalogue = subject.catalogue
    for value in subject.service.named_values:
        if value.name not in catalogue.used_values:
            yield Finding(
                document=f"named value {value.name}",
                line=1,
                column=1,
                message=f"no policy mentions the named value {value.name}",
                code="unused-named-value",
            )
    for fragment in subject.service.fragments:
        if fragment.id not in catalogue.used_fragments:
            yield Finding(
                document=fragment.document.name,
                line=1,
                column=1,
                message=f"no policy includes the fragment {fragment.id}",
                code="unused-fragment",
            )
