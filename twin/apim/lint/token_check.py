"""Whether somebody without a good token gets past the door.

A request without a token, and one with a token that nobody issued, are taken through the inbound policies of
the operation, expressions and all, as far as they can be known without sending anything; where a condition
depends on what the store or another service says, both ways are taken. None may come out at the end. And what
turns the forged token away must be validate-jwt, validate-azure-ad-token, or a condition over a variable that
was made from the Authorization header with a MAC or a signature: parsing a token is not checking it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from twin.apim import rawxml
from twin.apim.csharp import DotNetException, Expression
from twin.apim.csharp.context import Api, Context, Deployment, Headers, Request, Url
from twin.apim.csharp.context import Operation as CalledOperation
from twin.apim.findings import Finding, PolicyError
from twin.apim.lint.marks import NONE, Marks, checks_a_token
from twin.apim.lint.subject import Placed, Subject
from twin.apim.rawxml import Element, Value
from twin.apim.service import Operation

_VALIDATES = frozenset({"validate-jwt", "validate-azure-ad-token"})
_ENDS = frozenset({"return-response", "mock-response"})
_VARIABLES = ("response-variable-name", "variable-name", "output-token-variable-name")
_REFUSALS = frozenset({"401", "403"})
_CHECKED: Marks = frozenset({"authorization", "verified"})
_FORGED = "Bearer e30.e30.Zm9yZ2Vk"


@dataclass(slots=True)
class _Path:
    """A request on its way, as far as it is known.

    Attributes:
        unknown: variables whose values depend on what others say.
        marks: what variables were made from.
        conditions: what the conditions were made from that led here.
    """

    context: Context
    unknown: set[str] = field(default_factory=set)
    marks: dict[str, Marks] = field(default_factory=dict)
    conditions: Marks = NONE

    def fork(self, conditions: Marks) -> "_Path":
        """The same request in a branch."""
        context = Context(
            request=self.context.request,
            response=None,
            variables=dict(self.context.variables),
            api=self.context.api,
            operation=self.context.operation,
            deployment=self.context.deployment,
            now=self.context.now,
            timestamp=self.context.timestamp,
        )
        return _Path(context, set(self.unknown), dict(self.marks), self.conditions | conditions)


@dataclass(slots=True)
class _Walk:
    """Where requests ended.

    Attributes:
        proofs: for each end, what the conditions that led there were made from.
    """

    subject: Subject
    proofs: list[Marks] = field(default_factory=list)

    def through(self, statements: list[Placed], path: _Path) -> list[_Path]:
        """The paths that come out after the statements."""
        paths = [path]
        for statement in statements:
            paths = [after for one in paths for after in self._step(statement, one)]
            if not paths:
                return []
            paths = paths[:64]
        return paths

    def _step(self, one: Placed, path: _Path) -> list[_Path]:
        name, attributes = one.element.name, one.element.attributes
        if name in _VALIDATES:
            signed = attributes.get("require-signed-tokens")
            if signed is not None and signed.text.lower() == "false":
                return [path]
            self.proofs.append(_CHECKED)
            return []
        if name in _ENDS:
            self.proofs.append(path.conditions)
            return []
        if name == "choose":
            return self._choose(one, path)
        if name == "set-variable":
            self._set(one, path)
        elif name in {"retry", "limit-concurrency"}:
            return self.through(list(self.subject.statements(one)), path)
        for attribute in _VARIABLES:
            if attribute in attributes:
                path.unknown.add(attributes[attribute].text)
        return [path]

    def _choose(self, one: Placed, path: _Path) -> list[_Path]:
        after: list[_Path] = []
        for branch in one.children():
            condition = branch.element.attributes.get("condition")
            expression = self.subject.expression(branch.document, condition)
            made_of = self._made_of(expression, path)
            holds = True if branch.element.name == "otherwise" else self._holds(condition, expression, path)
            if holds is not False:
                inner = path.fork(made_of)
                came = self.through(list(self.subject.statements(branch)), inner)
                for each in came:
                    each.conditions = path.conditions
                after += came
            if holds is True:
                return after
        return [*after, path]

    def _holds(self, condition: Value | None, expression: Expression | None, path: _Path) -> bool | None:
        if expression is None:
            return condition.text.strip().lower() == "true" if condition else None
        known, value = self._evaluated(expression, path)
        return value if known and isinstance(value, bool) else None

    def _set(self, one: Placed, path: _Path) -> None:
        name, value = one.element.attributes.get("name"), one.element.attributes.get("value")
        if name is None or value is None:
            return
        expression = self.subject.expression(one.document, value)
        path.unknown.discard(name.text)
        if expression is None:
            path.context.variables[name.text] = value.text
            return
        known, result = self._evaluated(expression, path)
        if known:
            path.context.variables[name.text] = result
        else:
            path.unknown.add(name.text)
        path.marks[name.text] = self._made_of(expression, path)

    def _evaluated(self, expression: Expression, path: _Path) -> tuple[bool, object]:
        if any(f"variables:{name}" in expression.reads for name in path.unknown):
            return False, None
        try:
            return True, expression.evaluate(path.context)
        except DotNetException:
            return False, None

    def _made_of(self, expression: Expression | None, path: _Path) -> Marks:
        if expression is None:
            return NONE
        found = checks_a_token(expression.source) if "request.headers" in expression.reads else NONE
        return found.union(
            *(made for name, made in path.marks.items() if f"variables:{name}" in expression.reads)
        )


def check(subject: Subject, chain: list[str], operation: Operation | None) -> Iterator[Finding]:
    """The missing check of an operation that needs one."""
    method = operation.method if operation else "POST"
    inbound = subject.section(chain, "inbound")
    for token in (None, _FORGED):
        walk = _Walk(subject)
        if walk.through(inbound, _Path(_request(method, token))):
            yield from _missing(subject, chain, token)
            return
    # A browser's preflight carries no token.
    if method != "OPTIONS" and not any(proof >= _CHECKED for proof in walk.proofs):
        message = "what turns a forged token away does not verify it"
        yield _door(subject, chain).finding("unverified-token", message)


def _missing(subject: Subject, chain: list[str], token: str | None) -> Iterator[Finding]:
    commented = [
        Finding(
            document=document,
            line=comment.line,
            column=comment.column,
            message="the check of the token is commented out",
            code="commented-token-check",
        )
        for document in chain
        if document in subject.sources
        for comment in rawxml.comments(subject.sources[document].xml, document)
        if _is_a_check(comment.text)
    ]
    yield from commented
    if not commented:
        who = "a forged token" if token else "no token"
        message = f"a request with {who} gets past <inbound> and reaches the backend"
        yield _door(subject, chain).finding("missing-token-check", message)


def _door(subject: Subject, chain: list[str]) -> Placed:
    """The inbound section where the check belongs: of the API, or of whatever there is."""
    document = next((one for one in chain if subject.scopes.get(one) == "api"), chain[-1])
    root = subject.roots[document]
    return Placed(document, next((one for one in root.children if one.name == "inbound"), root))


def _is_a_check(comment: str) -> bool:
    """Whether a comment holds policies that turn somebody away, or begin to."""
    try:
        root = rawxml.parse(f"<fragment>{comment}</fragment>", "comment")
    except PolicyError:
        return False
    return any(_turns_away(one) for one in Placed("comment", root).within())


def _turns_away(one: Placed) -> bool:
    if one.element.name in _VALIDATES:
        return True
    if one.element.name == "set-variable":
        value = one.element.attributes.get("value")
        return bool(value and value.expression and '"Authorization"' in value.text)
    return one.element.name == "set-status" and _code(one.element) in _REFUSALS


def _code(element: Element) -> str:
    value = element.attributes.get("code")
    return value.text if value else ""


def _request(method: str, token: str | None) -> Context:
    headers = Headers({"Authorization": [token]} if token else {})
    url = Url(scheme="https", host="gateway", port=443, path="/", query_string="", query={})
    return Context(
        request=Request(
            method=method, url=url, original_url=url, headers=headers, body=None, matched_parameters={}
        ),
        response=None,
        variables={},
        api=Api(id="api", name="api", path=""),
        operation=CalledOperation(id="operation", name="operation", method=method, url_template="/"),
        deployment=Deployment(service_name="gateway"),
        now=lambda: 0.0,
        timestamp=0.0,
    )
