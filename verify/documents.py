"""Compares deployed policy documents with the rendered documents."""

import hashlib
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"/>|[<>]|(?:(?!/>)[^<>\s])+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference between a deployed document and the rendered document.

    Attributes:
        document: id of the document, such as `apis/oauth/policies/policy`.
        problem: description of the difference, as the end of a sentence.
    """

    document: str
    problem: str


def differences(
    rendered: Mapping[str, str],
    deployed: Mapping[str, str],
    locate: Callable[[str, int], str] = lambda _text, line: f"line {line} of the rendered text",
) -> tuple[Difference, ...]:
    """The documents that differ, are missing, or are not in the plan.

    Args:
        rendered: texts by document id, from the plan.
        deployed: texts by document id, from Azure Resource Manager.
        locate: returns the source location of a line of a rendered text, in words.
    """
    differences = [
        Difference(document=document, problem="is missing")
        for document in sorted(rendered.keys() - deployed.keys())
    ]
    differences += [
        Difference(document=document, problem="is not part of this stack")
        for document in sorted(deployed.keys() - rendered.keys())
    ]
    for document in sorted(rendered.keys() & deployed.keys()):
        here, there = digest(rendered[document]), digest(deployed[document])
        if here != there:
            location = locate(rendered[document], first_difference(rendered[document], deployed[document]))
            how = f"differs from {location} on (SHA-256 {there[:12]} instead of {here[:12]})"
            differences.append(Difference(document=document, problem=how))
    return tuple(differences)


@lru_cache(maxsize=256)
def digest(text: str) -> str:
    """SHA-256 of a document, equal for documents that API Management treats as equal.

    API Management indents elements with tabs, ends lines with CR LF, and may write characters as entities
    (Azure/azure-rest-api-specs#21835 and #25306). Therefore entities are replaced by their characters, white
    space between words counts as one space, and white space next to `<` and `>` is ignored. A change that
    affects only the amount of white space is not detected.
    """
    return hashlib.sha256(" ".join(_tokens(text)).encode()).hexdigest()


def first_difference(rendered: str, deployed: str) -> int:
    """The line of the rendered text, counted from 1, at which the deployed text begins to differ."""
    unescaped = _unescaped(rendered)
    starts = [0, *(match.end() for match in re.finditer("\n", unescaped))]
    others = _tokens(deployed)
    matches = list(_TOKEN.finditer(unescaped))
    for position, match in enumerate(matches):
        if position >= len(others) or others[position] != match[0]:
            return bisect_right(starts, match.start())
    return len(starts)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(_unescaped(text))


def _unescaped(text: str) -> str:
    return html.unescape(text.removeprefix("\ufeff"))
