"""Finds sections that do not include the policies of the outer scopes."""

from collections.abc import Iterator

from apim.compiler import SECTIONS
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject

_HANDLING = frozenset({"forward-request", "return-response"})


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about sections of inner scopes without `<base />`.

    A backend section that forwards or answers the request does not need it, because the policies of the outer
    scope would forward the request again.
    """
    for document, scope in subject.scopes.items():
        root = subject.roots.get(document)
        if root is None or scope == "global":
            continue
        for section in LocatedElement(document, root).children():
            name = section.element.name
            if name not in SECTIONS or any(child.name == "base" for child in section.element.children):
                continue
            handles = any(policy.element.name in _HANDLING for policy in subject.parts(section))
            if not (name == "backend" and handles):
                yield section.finding("missing-base", f"<{name}> has no <base />")
