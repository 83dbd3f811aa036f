"""Finds declarations that no policy uses."""

import re
from collections.abc import Iterator

from apim.findings import Finding
from apim.lint.subject import Subject

_VERSION = re.compile(r"-v[0-9]+$")


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about named values and fragments that no policy uses.

    Of named values that differ only in their version, such as `key-v1` and `key-v2`, at least one must be
    used, because the others are for earlier or later versions.
    """
    catalogue = subject.catalogue
    families = {_family(name) for name in catalogue.used_values}
    for value in subject.service.named_values:
        if value.name not in catalogue.used_values and _family(value.name) not in families:
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


def _family(name: str) -> str:
    """The name of a versioned value without its version; any other name as it is."""
    return _VERSION.sub("-v", name)
