"""Compares the context variables that a document uses with the declaration at its beginning.

    <!-- Needs: backend, claims. Sets: session, sessionId. -->

A document needs the variables that it reads without setting them. `none` means no variables.
Documents without a declaration are not checked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from apim import rawxml
from apim.csharp.language import syntax
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject
from apim.lint.trees import all_nodes, named_key
from apim.rawxml import Value

_DECLARATION = re.compile(r"\s*Needs: ([\w\s,.-]+?)\.\s+Sets: ([\w\s,.-]+?)\.\s*")
_NAMES = ("output-token-variable-name", "response-variable-name", "variable-name")
_VARIABLE = "variables:"


@dataclass(frozen=True, slots=True)
class _Use:
    """The variables that a document uses.

    Attributes:
        reads: the variables that it reads.
        requires: the variables that it reads without a default, so that they must exist.
        sets: the variables that it sets.
    """

    reads: frozenset[str]
    requires: frozenset[str]
    sets: frozenset[str]


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about declarations that differ from the variables that the document uses."""
    for document in subject.roots:
        comment, declared = _declaration(subject, document)
        if comment is None or declared is None:
            continue
        needs, sets = declared
        use = _use(subject, document)
        for name in sorted(use.reads - use.sets - needs):
            yield _finding(document, comment, f"the document reads {name}: add it to Needs")
        for name in sorted(needs - (use.reads - use.sets)):
            yield _finding(document, comment, f"the document does not need {name}: remove it from Needs")
        for name in sorted(use.sets - sets):
            yield _finding(document, comment, f"the document sets {name}: add it to Sets")
        for name in sorted(sets - use.sets):
            yield _finding(document, comment, f"the document does not set {name}: remove it from Sets")


def check_operation(subject: Subject, chain: list[str]) -> Iterator[Finding]:
    """Findings about variables that a document needs and that no document of the operation sets."""
    documents = [*chain, *_fragments(subject, chain)]
    uses = {document: _use(subject, document) for document in documents}
    known = frozenset().union(*(use.sets for use in uses.values()))
    for document, use in uses.items():
        comment, declared = _declaration(subject, document)
        if comment is not None and declared is not None:
            for name in sorted(use.requires - known):
                message = f"the document needs {name}, which no document of the operation sets"
                yield _finding(document, comment, message)


def declares(xml: str) -> bool:
    """Whether a document begins with a declaration."""
    return any(_DECLARATION.fullmatch(comment.text) for comment in rawxml.comments(xml, "document"))


def _declaration(
    subject: Subject, document: str
) -> tuple[Value | None, tuple[frozenset[str], frozenset[str]] | None]:
    """The comment with the declaration, and the names in it."""
    source = subject.sources.get(document)
    if source is None or "Needs:" not in source.xml:
        return None, None
    for comment in rawxml.comments(source.xml, document):
        found = _DECLARATION.fullmatch(comment.text)
        if found:
            return comment, (_listed(found[1]), _listed(found[2]))
    return None, None


def _listed(names: str) -> frozenset[str]:
    return frozenset(name.strip() for name in names.split(",")) - {"none"}


def _use(subject: Subject, document: str) -> _Use:
    """The variables that a document uses; cached for all operations with the document."""
    known = subject.uses.get(document)
    if not isinstance(known, _Use):
        known = subject.uses[document] = _use_of(subject, document)
    return known


def _use_of(subject: Subject, document: str) -> _Use:
    reads: set[str] = set()
    requires: set[str] = set()
    sets: set[str] = set()
    for policy in LocatedElement(document, subject.roots[document]).within():
        attributes = policy.element.attributes
        if policy.element.name == "set-variable" and "name" in attributes:
            sets.add(attributes["name"].text)
        sets.update(attributes[name].text for name in _NAMES if name in attributes)
        for value in policy.values():
            expression = subject.expression(document, value)
            if expression is None:
                continue
            mentioned = {
                read.removeprefix(_VARIABLE) for read in expression.reads if read.startswith(_VARIABLE)
            }
            reads |= mentioned
            requires |= mentioned & _indexed(expression.source) if mentioned else mentioned
    return _Use(frozenset(reads), frozenset(requires), frozenset(sets))


@cache
def _indexed(source: str) -> frozenset[str]:
    """The variables that an expression reads with the indexer, which fails if they do not exist."""
    return frozenset(
        read.key
        for node in all_nodes(source)
        if (read := named_key(node)) is not None
        and read.method == ""
        and isinstance(read.collection, syntax.Member)
        and read.collection.name == "Variables"
    )


def _fragments(subject: Subject, chain: list[str]) -> Iterator[str]:
    included = {
        policy.element.attributes["fragment-id"].text
        for document in chain
        for policy in LocatedElement(document, subject.roots[document]).within()
        if policy.element.name == "include-fragment" and "fragment-id" in policy.element.attributes
    }
    for fragment in subject.service.fragments:
        if fragment.id in included and fragment.document.name in subject.roots:
            yield fragment.document.name


def _finding(document: str, comment: Value, message: str) -> Finding:
    return Finding(
        document=document, line=comment.line, column=comment.column, message=message, code="variables"
    )
