"""Compiles policy documents into statements, and reports all their errors together."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

from apim.compiled_documents import CompiledDocument, Key, LocatedExpression, Place, known, within
from apim.csharp import CSharpError, Expression, compile_expression, find_end
from apim.failure import Failure
from apim.findings import Finding, PolicyError
from apim.literal_values import wrong_literal
from apim.named_values import Substituted, UndeclaredError, substitute
from apim.nesting import Base
from apim.node import Node, Operand
from apim.policy import Policy
from apim.rawxml import Element, Value, parse
from apim.run import Run
from apim.service import PolicyDocument, PolicyFragment, PolicySettings, Service
from apim.shape import Attribute, Kind, Shape, Text
from apim.shown import literals_in
from apim.source_map import SourceLocation
from apim.statements import Action, Statement, in_order
from apim.trace import Source, watched

SECTIONS = ("inbound", "backend", "outbound", "on-error")
_LARGEST_DOCUMENT = 256 * 1024
_LARGEST_CONSUMPTION_DOCUMENT = 16 * 1024
_LARGEST_FRAGMENT = 512 * 1024
_ID = Attribute("id", expression=False)


@dataclass(slots=True)
class Catalogue:
    """The state that all documents of a service share while they are compiled.

    Attributes:
        service: the declared service.
        policies: the supported policies, by the name of their element.
        unsupported: policies of API Management that this gateway does not have.
        findings: errors so far.
        warnings: findings about policies that work but should be changed.
        used_values: names of the named values that were mentioned.
        used_fragments: ids of the fragments that were included.
        counted: whether each source location of the C# counts the outcomes of its decisions.
        unknown: names of the named values whose content is not known yet; a placeholder is used.
        roots: the root element of each document, by the document's name.
        expressions: every expression, with its source location.
        statements: every compiled statement, and the parts of policies that contain statements.
        literals: the strings in the documents, without the contents of named values.
        unqualified: findings that are errors only if expressions do not import the namespace `System.Net`.
        named_values: the values of the named values, by name.
        fragments: the declared fragments, by id.
        settings: the settings of the service that policies read.
    """

    service: Service
    policies: Mapping[str, Policy]
    unsupported: frozenset[str]
    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    used_values: set[str] = field(default_factory=set)
    used_fragments: set[str] = field(default_factory=set)
    counted: bool = False
    unknown: frozenset[str] = frozenset()
    roots: dict[str, Element] = field(default_factory=dict)
    expressions: list[LocatedExpression] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    literals: set[str] = field(default_factory=set)
    unqualified: list[Finding] = field(default_factory=list)
    named_values: dict[str, str] = field(init=False)
    fragments: dict[str, PolicyFragment] = field(init=False)
    settings: PolicySettings = field(init=False)
    _compiled: dict[Key, CompiledDocument] = field(default_factory=dict)
    _added: set[CompiledDocument] = field(default_factory=set)

    def __post_init__(self) -> None:
        service = self.service
        self.named_values = {value.name: value.value for value in service.named_values}
        self.fragments = {fragment.id: fragment for fragment in reversed(service.fragments)}
        self.settings = PolicySettings(service.sku, service.identities, service.backends)

    def compile(self, document: PolicyDocument, scope: str) -> dict[str, list[Statement | Base]]:
        """Compiles the sections of a document of a scope; errors are added to `findings`."""
        return self._get(document, Place(scope), self._compile_document).sections

    def include(self, fragment: PolicyFragment, place: Place) -> CompiledDocument:
        """Compiles a fragment where it is included; errors are added to `findings`."""
        return self._get(fragment.document, place, self._compile_fragment)

    def read_unused(self, fragment: PolicyFragment) -> None:
        """Reads a fragment that no document includes; errors are added to `findings`."""
        compiled = CompiledDocument(self._key(fragment.document, Place("")))
        _read(compiled, "fragment", _LARGEST_FRAGMENT)
        self._add(compiled)

    def _get(
        self, document: PolicyDocument, place: Place, compile_into: Callable[[CompiledDocument], None]
    ) -> CompiledDocument:
        """The result for a document, which is compiled unless this or another service has the same one."""
        key = self._key(document, place)
        if key not in self._compiled:
            results = known(key)
            compiled = next(filter(self._is_valid, list(results)), None)
            if compiled is None:
                compiled = CompiledDocument(key)
                compile_into(compiled)
                compiled.values = {name: self.named_values[name] for name in compiled.used_values}
                results.append(compiled)
            self._compiled[key] = compiled
            self._add(compiled)
        return self._compiled[key]

    def _key(self, document: PolicyDocument, place: Place) -> Key:
        source_map = document.source_map if self.counted else None
        return Key(document, source_map, place, self.settings, bool(self.unknown), self.counted)

    def _is_valid(self, compiled: CompiledDocument) -> bool:
        """Whether a result has no errors and uses the named values and fragments of this service."""
        return (
            not compiled.findings
            and all(self.named_values.get(name) == value for name, value in compiled.values.items())
            and all(
                (fragment := self.fragments.get(fragment_id)) is not None
                and self._key(fragment.document, included.key.place) == included.key
                and self._is_valid(included)
                for fragment_id, included in compiled.fragments
            )
        )

    def _add(self, compiled: CompiledDocument) -> None:
        """Adds a result, and those of the fragments that it includes."""
        if compiled in self._added:
            return
        self._added.add(compiled)
        for fragment_id, included in compiled.fragments:
            self.used_fragments.add(fragment_id)
            self._compiled.setdefault(included.key, included)
            self._add(included)
        if compiled.root is not None:
            self.roots[compiled.key.document.name] = compiled.root
        self.findings += compiled.findings
        self.warnings += compiled.warnings
        self.unqualified += compiled.unqualified
        self.used_values |= compiled.used_values
        self.expressions += compiled.expressions
        self.statements += compiled.statements
        self.literals |= compiled.literals

    def _compile_document(self, compiled: CompiledDocument) -> None:
        consumption = self.settings.sku == "Consumption"
        root = _read(
            compiled, "policies", _LARGEST_CONSUMPTION_DOCUMENT if consumption else _LARGEST_DOCUMENT
        )
        if root is None:
            return
        outside = Compiler(self, compiled, "")
        outside.refuse_attributes(root)
        outside.refuse_text(root)
        for element in root.children:
            if element.name not in SECTIONS:
                outside.report_at(
                    element, f"<{element.name}> is not a section; sections are {_listed(SECTIONS)}"
                )
            elif element.name in compiled.sections:
                outside.report_at(element, f"the section {element.name} occurs twice")
            else:
                outside.refuse_attributes(element)
                compiled.sections[element.name] = list(
                    Compiler(self, compiled, element.name).section(element)
                )

    def _compile_fragment(self, compiled: CompiledDocument) -> None:
        root = _read(compiled, "fragment", _LARGEST_FRAGMENT)
        if root is None:
            return
        compiler = Compiler(self, compiled, compiled.key.place.section, fragment=True)
        compiler.refuse_attributes(root)
        compiler.refuse_text(root)
        compiled.action = compiler.statements(root, compiled.key.place.path)


def _read(compiled: CompiledDocument, name: str, largest: int) -> Element | None:
    """Reads the document of a result, whose root element must have this name; None if that is impossible."""
    document = compiled.key.document
    size = len(document.xml.encode())
    if size > largest:
        message = f"the document has {size:,} bytes; API Management accepts at most {largest:,}"
        compiled.findings.append(
            Finding(document=document.name, line=1, column=1, message=message, code="document-size")
        )
    try:
        root = parse(document.xml, document.name)
    except PolicyError as error:
        compiled.findings += error.findings
        return None
    if root.name != name:
        message = f"the root element is <{root.name}>; <{name}> expected"
        compiled.findings.append(
            Finding(document=document.name, line=root.line, column=root.column, message=message)
        )
        return None
    compiled.root = root
    return root


class Compiler:
    """Compiles the statements of one section of one document."""

    def __init__(
        self, catalogue: Catalogue, compiled: CompiledDocument, section: str, *, fragment: bool = False
    ) -> None:
        self.catalogue = catalogue
        self.compiled = compiled
        self.document = compiled.key.document.name
        self.section_name = section
        self.scope = compiled.key.place.scope
        self._fragment = fragment
        self._once: set[str] = set()

    @property
    def settings(self) -> PolicySettings:
        """The settings of the service that policies read."""
        return self.catalogue.settings

    def report(self, message: str, line: int, column: int, code: str = "invalid-policy") -> None:
        """Adds a finding."""
        self.compiled.findings.append(
            Finding(document=self.document, line=line, column=column, message=message, code=code)
        )

    def report_at(self, element: Element, message: str, code: str = "invalid-policy") -> None:
        """Adds a finding about an element."""
        self.report(message, element.line, element.column, code)

    def refuse_attributes(self, element: Element) -> None:
        """Reports every attribute of an element that must not have attributes."""
        for name, value in element.attributes.items():
            self.report(f"<{element.name}> has no attribute {name}", value.line, value.column)

    def refuse_text(self, element: Element) -> None:
        """Reports text in an element that must not contain text."""
        if element.text is not None:
            self.report(f"<{element.name}> must not contain text", element.text.line, element.text.column)

    def section(self, element: Element) -> Iterator[Statement | Base]:
        """The statements of a section, with a `Base` for each `<base />`."""
        self.refuse_text(element)
        if element.name == "backend":
            self._refuse_second_policy(element)
        for child, path in _numbered(element, ""):
            if child.name == "base":
                self.refuse_attributes(child)
                yield Base()
            else:
                statement = self._statement(child, path, "")
                if statement is not None:
                    yield statement

    def statements(self, element: Element, path: str) -> Action:
        """The policies within an element of a policy, as one action."""
        compiled = (self._statement(child, inner, path) for child, inner in _numbered(element, path))
        statements = [statement for statement in compiled if statement is not None]
        if statements and element.name not in self.catalogue.policies:
            # A part of a policy, such as `when`, has run when its first statement has.
            part = replace(statements[0], element=element.name, line=element.line, column=element.column)
            self.compiled.statements.append(part)
        return in_order(statements)

    def fragment(self, fragment_id: str, node: Node) -> Action:
        """The statements of a fragment that is included here."""
        fragment = self.catalogue.fragments.get(fragment_id)
        if fragment is None:
            value = node.element.attributes["fragment-id"]
            message = f"the fragment {fragment_id} is not declared"
            self.report(message, value.line, value.column, "undeclared-fragment")
            return in_order(())
        if self._fragment:
            node.fail("a fragment cannot include a fragment")
            return in_order(())
        included = self.catalogue.include(fragment, Place(self.scope, self.section_name, node.path))
        self.compiled.fragments.append((fragment_id, included))
        return included.action

    def _refuse_second_policy(self, backend: Element) -> None:
        """Reports more than one policy in the section backend. `<base />` counts.

        Whether API Management counts a fragment or the policies in it is not documented; these are counted.
        https://learn.microsoft.com/azure/api-management/set-edit-policies
        """
        names = [name for child in backend.children for name in self._inserted(child)]
        if len(names) > 1:
            message = (
                f"backend allows only one policy, and here are {_listed(names)}: move the others to inbound "
                "or outbound, or put all of them into one policy such as <choose>"
            )
            self.report_at(backend, message)

    def _inserted(self, element: Element) -> list[str]:
        """The names of the policies that are inserted here: those of an included fragment, or this one."""
        included = element.attributes.get("fragment-id") if element.name == "include-fragment" else None
        fragment = self.catalogue.fragments.get(included.text) if included else None
        if fragment is None:
            return [element.name]
        try:
            root = parse(fragment.document.xml, fragment.document.name)
        except PolicyError:  # reported where the fragment is compiled
            return [element.name]
        return [child.name for child in root.children]

    def _statement(self, element: Element, path: str, within: str) -> Statement | None:
        policy = self._policy(element, within)
        if policy is None:
            return None
        count = len(self.compiled.findings)
        node = self._node(element, with_id(policy.shape), path, set())
        if len(self.compiled.findings) > count:
            self._look_inside(element, policy.shape, path)
            return None
        try:
            action = policy.compile(node)
        except Failure as failure:
            self.report_at(element, failure.message)
            return None
        statement = Statement(
            action=_with_bodies(action, frozenset(node.reads)),
            element=element.name,
            policy_id=node.constant("id"),
            section=self.section_name,
            scope=self.scope,
            path=within,
            document=self.document,
            line=element.line,
            column=element.column,
        )
        self.compiled.statements.append(statement)
        return statement

    def _look_inside(self, element: Element, shape: Shape, path: str) -> None:
        """Finds the errors inside an invalid policy too, so that all errors are reported together."""
        known = {child.name: child.shape for child in shape.children}
        for child, inner in _numbered(element, path):
            if shape.statements:
                self._statement(child, inner, path)
            elif child.name in known:
                self._look_inside(child, known[child.name], inner)

    def _policy(self, element: Element, within: str) -> Policy | None:
        name = element.name
        policy = self.catalogue.policies.get(name)
        if policy is None:
            if name == "base":
                self.report_at(element, "<base /> is only allowed directly in a section")
            elif name in self.catalogue.unsupported:
                message = f"the twin does not support the policy {name}"
                self.report_at(element, message, "unsupported-policy")
            else:
                self.report_at(element, f"unknown policy {name}", "unknown-policy")
            return None
        if self.section_name not in policy.sections:
            where = _listed([section for section in SECTIONS if section in policy.sections])
            self.report_at(element, f"{name} is not allowed in {self.section_name}, only in {where}")
        if self.settings.sku in policy.unavailable:
            message = f"{name} is not available in the SKU {self.settings.sku}"
            self.report_at(element, message, "policy-unavailable")
        if policy.once and not within:
            if name in self._once:
                self.report_at(element, f"{name} is allowed only once in a section")
            self._once.add(name)
        return policy

    def _node(self, element: Element, shape: Shape, path: str, reads: set[str]) -> Node:
        attributes = self._attributes(element, shape, reads)
        children: dict[str, list[Node]] = {}
        if shape.statements:
            text = None
            self.refuse_text(element)
        else:
            children = self._children(element, shape, path, reads)
            text = self._text(element, shape, reads)
        return Node(
            element, shape, self, path, attributes=attributes, children=children, text=text, reads=reads
        )

    def _attributes(self, element: Element, shape: Shape, reads: set[str]) -> dict[str, Operand]:
        known = {attribute.name: attribute for attribute in shape.attributes}
        operands: dict[str, Operand] = {}
        for name, value in element.attributes.items():
            attribute = known.get(name)
            if attribute is None:
                hint = f"; its attributes are {_listed(known)}" if known else ""
                self.report(f"<{element.name}> has no attribute {name}{hint}", value.line, value.column)
                continue
            if attribute.unsupported:
                self.report(f"{name} of <{element.name}>: {attribute.unsupported}", value.line, value.column)
                continue
            operand = self._operand(value, reads, name)
            if operand is None:
                continue
            if self.catalogue.unknown and "{{" in value.text and operand.constant is not None:
                operand = _sample(attribute, operand)
            wrong = wrong_literal(attribute, operand)
            if wrong:
                self.report(f"{name} of <{element.name}> {wrong}", value.line, value.column)
                continue
            operands[name] = operand
        for name, attribute in known.items():
            if attribute.required and name not in element.attributes:
                self.report_at(element, f"<{element.name}> needs the attribute {name}")
        return operands

    def _children(self, element: Element, shape: Shape, path: str, reads: set[str]) -> dict[str, list[Node]]:
        known = {child.name: child for child in shape.children}
        nodes: dict[str, list[Node]] = {name: [] for name in known}
        for child, inner in _numbered(element, path):
            expected = known.get(child.name)
            if expected is None:
                hint = f"; it may contain {_listed(known)}" if known else "; it contains no elements"
                self.report_at(child, f"<{child.name}> is not allowed in <{element.name}>{hint}")
            elif expected.unsupported:
                self.report_at(child, f"<{child.name}> in <{element.name}>: {expected.unsupported}")
            else:
                policy = child.name in self.catalogue.policies
                inner_shape = with_id(expected.shape) if policy else expected.shape
                nodes[child.name].append(self._node(child, inner_shape, inner, reads))
        for name, expected in known.items():
            count = sum(1 for child in element.children if child.name == name)
            if count < expected.least:
                self.report_at(element, f"<{element.name}> needs <{name}>")
            elif expected.most is not None and count > expected.most:
                self.report_at(element, f"<{element.name}> may contain <{name}> only {expected.most} time(s)")
        return nodes

    def _text(self, element: Element, shape: Shape, reads: set[str]) -> Operand | None:
        if element.text is None:
            if shape.text_required:
                self.report_at(element, f"<{element.name}> is empty")
            return None
        if shape.text is Text.NONE:
            self.refuse_text(element)
            return None
        operand = self._operand(element.text, reads, element.name, keep_space=shape.keep_space)
        if operand is None:
            return None
        wrong = wrong_literal(Attribute("text", kind=shape.kind), operand)
        if wrong:
            self.report(f"the text of <{element.name}> {wrong}", element.text.line, element.text.column)
            return None
        return operand

    def _operand(
        self, value: Value, reads: set[str], part: str, *, keep_space: bool = True
    ) -> Operand | None:
        self.compiled.literals |= literals_in(value.text) if value.expression else {value.text.strip()}
        try:
            substituted = substitute(value, self.catalogue.named_values, self.compiled.used_values)
        except UndeclaredError as error:
            self.report(str(error), error.line, error.column, "undeclared-named-value")
            return None
        text = substituted.value.text
        if not substituted.value.expression:
            constant = text if keep_space else text.strip()
            return Operand(lambda _context: constant, constant)
        if value.decoded:
            self.compiled.warnings.append(
                Finding(
                    document=self.document,
                    line=value.line,
                    column=value.column,
                    message="C# with XML entities was decoded; the format rawxml needs no entities in C#",
                    code="encoded-csharp",
                )
            )
        expression = self._expression(substituted)
        if expression is None:
            return None
        reads |= expression.reads
        source = Source(part, value.text, self.document, value.line, value.column)
        return Operand(watched(expression.evaluate, source), None, expression.reads)

    def _expression(self, substituted: Substituted) -> Expression | None:
        value = substituted.value
        text = value.text.strip()
        try:
            if substituted.spans and find_end(text, 0) != len(text):
                self.report("a value must be a literal or one whole expression", value.line, value.column)
                return None
            counted = self._counting_location(value)
            expression = _compiled(text, counted)
        except CSharpError as error:
            location = substituted.location(*within(value.line, value.column, error.line, error.column))
            self.report(error.message, *location, _CONSTRUCTS.get(error.construct, "csharp"))
            return None
        located = LocatedExpression(self.document, value.line, value.column, expression, substituted)
        self.compiled.expressions.append(located)
        self.compiled.unqualified += located.unqualified()
        return expression

    def _counting_location(self, value: Value) -> SourceLocation | None:
        """The source location whose decisions are counted, the same for all renderings of a template."""
        if not self.catalogue.counted:
            return None
        source_map = self.compiled.key.source_map
        written = source_map.find(value.line, value.column) if source_map is not None else None
        return written or SourceLocation(self.document, value.line, value.column)


_CONSTRUCTS = {"reference comparison": "reference-comparison"}


@lru_cache(maxsize=4096)
def _compiled(text: str, counted: SourceLocation | None) -> Expression:
    """An expression, which all gateways of a process share, because it keeps no state of a request.

    Policies that the program checks and a gateway runs in the same process are compiled once.

    Args:
        text: the expression.
        counted: the source location whose decisions are counted, which then has its own expression; None if
            no decisions are counted.
    """
    return compile_expression(text, name="expression", counted=counted is not None)


def _sample(attribute: Attribute, operand: Operand) -> Operand:
    """A valid value for an attribute whose literal contains an unknown named value."""
    if attribute.values:
        text = attribute.values[0]
    elif attribute.kind is Kind.BOOLEAN:
        text = "true"
    elif attribute.kind in {Kind.INTEGER, Kind.NUMBER}:
        text = str(int(attribute.least or 1))
    else:
        return operand
    return Operand(lambda _context: text, text)


@cache
def with_id(shape: Shape) -> Shape:
    """The shape with the attribute `id`, which every policy has."""
    return replace(shape, attributes=(*shape.attributes, _ID))


def _with_bodies(action: Action, reads: frozenset[str]) -> Action:
    """The action, which first reads the bodies that its expressions use."""
    request, response = "request.body" in reads, "response.body" in reads
    if not request and not response:
        return action

    def fetch_first(run: Run):  # noqa: ANN202 -- the return type of Action
        if (request and run.request_stream is not None) or (response and run.reply is not None):
            return _fetch(run, action, request=request, response=response)
        return action(run)

    return fetch_first


async def _fetch(run: Run, action: Action, *, request: bool, response: bool) -> None:
    if request:
        await run.buffer_request()
    if response:
        await run.buffer_response()
    pending = action(run)
    if pending is not None:
        await pending


def _numbered(element: Element, path: str) -> Iterator[tuple[Element, str]]:
    """The child elements, each with its path, such as choose[1]/when[2]."""
    counts: dict[str, int] = {}
    for child in element.children:
        counts[child.name] = counts.get(child.name, 0) + 1
        step = f"{child.name}[{counts[child.name]}]"
        yield child, f"{path}/{step}" if path else step


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
