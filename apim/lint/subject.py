"""The compiled policies of a service as the rules read them: elements, expressions and nested scopes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from apim import rawxml
from apim.compiler import Catalogue
from apim.csharp import Expression
from apim.findings import Finding
from apim.nesting import DEFAULT_POLICY, Base, nested, scopes
from apim.policies import POLICIES, UNSUPPORTED
from apim.rawxml import Element, Value
from apim.service import Api, Operation, PolicyDocument, Service, scoped_documents


@dataclass(frozen=True, slots=True)
class LocatedElement:
    """A policy, or an element within a policy, with the name of its document."""

    document: str
    element: Element

    def finding(self, code: str, message: str, at: Value | None = None) -> Finding:
        """A finding about the element, or about one of its values."""
        location = at or self.element
        return Finding(
            document=self.document, line=location.line, column=location.column, message=message, code=code
        )

    def values(self) -> Iterator[Value]:
        """The attributes and the text of the element itself."""
        yield from self.element.attributes.values()
        if self.element.text is not None:
            yield self.element.text

    def children(self) -> "Iterator[LocatedElement]":
        """The child elements."""
        return (LocatedElement(self.document, child) for child in self.element.children)

    def within(self) -> "Iterator[LocatedElement]":
        """The element and its descendants."""
        waiting = [self.element]
        while waiting:
            element = waiting.pop()
            yield LocatedElement(self.document, element)
            waiting += reversed(element.children)


Rule = Callable[["Subject", LocatedElement, str], Iterable[Finding]]
"""Checks one policy of a section, independently of the other policies."""


@dataclass(slots=True)
class Subject:
    """The compiled policies of a service.

    Attributes:
        service: the declared service.
        catalogue: the result of compiling the documents.
        scopes: the scope of each document, by name.
        sources: the documents, by name.
        passable: for each check of a token (its C#, and whether the request has a token), whether a request
            without a valid token can pass it. Filled by `token_check`.
        uses: for each document, by name, its use of variables. Filled by `variables`.
    """

    service: Service
    catalogue: Catalogue
    scopes: dict[str, str] = field(default_factory=dict)
    sources: dict[str, PolicyDocument] = field(default_factory=dict)
    passable: dict[tuple[str, bool], bool] = field(default_factory=dict)
    uses: dict[str, object] = field(default_factory=dict)
    _expressions: dict[tuple[str, int, int], Expression] = field(default_factory=dict)
    _parts: dict[tuple[str, int], tuple[LocatedElement, ...]] = field(default_factory=dict)
    _sections_of: dict[str, dict[str, list[LocatedElement | Base]]] = field(default_factory=dict)
    _from_bodies: frozenset[str] | None = None
    _found: dict[tuple[object, ...], tuple[Finding, ...]] = field(default_factory=dict)

    @property
    def roots(self) -> dict[str, Element]:
        """The root element of each document that could be parsed, by name."""
        return self.catalogue.roots

    def expression(self, document: str, value: Value | None) -> Expression | None:
        """The compiled expression of a value; None for a literal or an expression with an error."""
        return self._expressions.get((document, value.line, value.column)) if value else None

    def chain(self, api: Api | None, operation: Operation | None) -> list[str]:
        """The names of the documents that apply to an operation, the broadest scope first."""
        documents = scopes(self.service, api, operation)
        return [document.name for document, _ in documents if document.name in self.roots]

    def section(self, chain: list[str], section: str) -> list[LocatedElement]:
        """The policies of a section, with those of the outer scopes in place of `<base />`."""
        found = nested([self._sections(document) for document in chain], section)
        return [inner for policy in found for inner in self._with_fragment(policy)]

    def statements(self, holder: LocatedElement) -> Iterator[LocatedElement]:
        """The policies in an element, with included fragments expanded."""
        for child in holder.children():
            yield from self._with_fragment(child)

    def parts(self, policy: LocatedElement) -> tuple[LocatedElement, ...]:
        """A policy and the policies in it, with included fragments expanded; cached for all operations."""
        location = policy.document, id(policy.element)
        if location not in self._parts:
            inner = (part for statement in self.statements(policy) for part in self.parts(statement))
            self._parts[location] = (policy, *inner)
        return self._parts[location]

    def all_parts(self, chain: list[str], section: str) -> "Iterator[LocatedElement]":
        """The policies of a section and all elements in them, with included fragments expanded."""
        for statement in self.section(chain, section):
            yield from self.parts(statement)

    def variables_from_bodies(self) -> frozenset[str]:
        """Names of the variables that are computed from the bodies of requests."""
        if self._from_bodies is None:
            self._from_bodies = frozenset(
                element.attributes["name"].text
                for document, root in self.roots.items()
                for element in _elements(root)
                if element.name == "set-variable"
                and {"name", "value"} <= element.attributes.keys()
                and (expression := self.expression(document, element.attributes["value"])) is not None
                and "request.body" in expression.reads
            )
        return self._from_bodies

    def cached_findings(self, rule: Rule, policy: LocatedElement, section: str) -> tuple[Finding, ...]:
        """The findings of a rule about a policy of a section; cached for all operations with the policy."""
        location = rule, policy.document, id(policy.element), section
        if location not in self._found:
            self._found[location] = tuple(rule(self, policy, section))
        return self._found[location]

    def _sections(self, document: str) -> dict[str, list[LocatedElement | Base]]:
        """The policies of each section of a document; if a section occurs twice, those of the first one."""
        if document not in self._sections_of:
            self._sections_of[document] = {
                section.name: [
                    Base() if child.name == "base" else LocatedElement(document, child)
                    for child in section.children
                ]
                for section in reversed(self.roots[document].children)
            }
        return self._sections_of[document]

    def _with_fragment(self, policy: LocatedElement) -> Iterator[LocatedElement]:
        wanted = (
            policy.element.attributes.get("fragment-id")
            if policy.element.name == "include-fragment"
            else None
        )
        if wanted is None:
            yield policy
            return
        for fragment in self.service.fragments:
            root = self.roots.get(fragment.document.name)
            if fragment.id == wanted.text and root is not None:
                yield from LocatedElement(fragment.document.name, root).children()


def _elements(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _elements(child)


def compiled(service: Service, unknown: frozenset[str]) -> Subject:
    """Compiles every policy document of a service; the errors are in the catalogue.

    Args:
        service: the declared service.
        unknown: names of the named values whose values are not known yet.
    """
    catalogue = Catalogue(service, POLICIES, UNSUPPORTED, unknown=unknown)
    subject = Subject(service, catalogue)
    for document, scope in scoped_documents(service):
        if document.name in subject.sources:
            document = replace(document, name=f"{document.name} ({scope})")  # noqa: PLW2901 -- its name is the key
        subject.sources[document.name] = document
        subject.scopes[document.name] = scope
        catalogue.compile(document, scope)
    for fragment in service.fragments:
        subject.sources[fragment.document.name] = fragment.document
        if fragment.id not in catalogue.used_fragments:
            catalogue.read_unused(fragment)
    catalogue.roots.setdefault(DEFAULT_POLICY.name, rawxml.parse(DEFAULT_POLICY.xml, DEFAULT_POLICY.name))
    subject._expressions.update(  # noqa: SLF001 -- it is built here
        {
            (located.document, located.line, located.column): located.expression
            for located in catalogue.expressions
        }
    )
    return subject
