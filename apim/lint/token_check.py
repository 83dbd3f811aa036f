"""Checks that a request without a valid token is rejected.

The rule runs the inbound policies of an operation for several requests: without a token, with a forged token
of each form, with a subscription key for all APIs, and in the context of each open product that contains the
API. It evaluates an expression if its value is known without sending a request. If a condition depends on a
response of the store or of another service, on random values, or on other parts of the request, the rule
follows both branches. No path may reach the end of the section.

The forged token must be rejected by validate-jwt, by validate-azure-ad-token, or by a condition on a
variable that was computed from the Authorization header and in which a signature or a MAC is verified;
parsing a token is not enough. The rule also runs such a check with each string literal that occurs in it as
header, query parameter, IP address and token. None of these requests may pass the check.

API Management checks a subscription key itself, before any policy. A key of a product that requires one,
which the policy compares by the product's id, is a credential like a token. A key for all APIs is not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import urlencode

from apim import rawxml
from apim.csharp import DotNetException, Expression
from apim.csharp.context import Api, Context, Deployment, Headers, Product, Request, Subscription, Url
from apim.csharp.context import Operation as CalledOperation
from apim.csharp.json.tokens import JToken, deep_equals
from apim.csharp.language import syntax
from apim.findings import Finding, PolicyError
from apim.lint.marks import NONE, Marks, checks_a_token
from apim.lint.subject import LocatedElement, Subject
from apim.lint.trees import all_nodes
from apim.rawxml import Element, Value
from apim.service import Api as DeclaredApi
from apim.service import Operation

_VALIDATES = frozenset({"validate-jwt", "validate-azure-ad-token"})
_ENDS = frozenset({"return-response", "mock-response"})
_VARIABLES = ("response-variable-name", "variable-name", "output-token-variable-name")
_REFUSALS = frozenset({"401", "403"})
_CHECKED: Marks = frozenset({"authorization", "verified"})
# Policies distinguish tokens by their format: signed ones (RFC 7515) have three parts, encrypted ones (RFC
# 7516) five.
_FORGED = ("Bearer e30.e30.Zm9yZ2Vk", f"Bearer e30..{'A' * 22}.{'A' * 22}.{'A' * 43}")
# Parts that are equal in all requests of an operation; the Authorization header is handled separately.
_SETTLED = re.compile(
    r"(request|request\.method|request\.headers|(operation|api|product|subscription)(\..*)?|variables(:.*)?)"
)
_CHANCE = ("Random", "NewGuid")
_TEXT = re.compile(r"[ -~]{1,64}")
_MAX_TEXTS = 24


@dataclass(slots=True)
class _Path:
    """The known state of a request on one path through the policies.

    Attributes:
        unknown: variables whose values are not known.
        marks: for each variable, the checks that its value depends on.
        conditions: the checks that the conditions on this path depend on.
    """

    context: Context
    unknown: set[str] = field(default_factory=set)
    marks: dict[str, Marks] = field(default_factory=dict)
    conditions: Marks = NONE

    def fork(self, conditions: Marks) -> "_Path":
        """A copy of the path for a branch."""
        context = Context(
            request=self.context.request,
            response=None,
            variables=dict(self.context.variables),
            api=self.context.api,
            operation=self.context.operation,
            deployment=self.context.deployment,
            now=self.context.now,
            timestamp=self.context.timestamp,
            product=self.context.product,
            subscription=self.context.subscription,
        )
        return _Path(context, set(self.unknown), dict(self.marks), self.conditions | conditions)


@dataclass(slots=True)
class _Walk:
    """A run of the policies along all paths.

    Attributes:
        subject: the compiled policies.
        proofs: for each rejection, the marks of the conditions that led to it.
    """

    subject: Subject
    proofs: list[Marks] = field(default_factory=list)

    def through(self, statements: list[LocatedElement], path: _Path) -> list[_Path]:
        """The paths that reach the end of the statements."""
        paths = [path]
        for statement in statements:
            paths = [after for before in paths for after in self._step(statement, before)]
            if not paths:
                return []
            paths = paths[:64]
        return paths

    def _step(self, policy: LocatedElement, path: _Path) -> list[_Path]:
        name, attributes = policy.element.name, policy.element.attributes
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
            return self._choose(policy, path)
        if name == "set-variable":
            self._set(policy, path)
        elif name in {"retry", "limit-concurrency"}:
            return self.through(list(self.subject.statements(policy)), path)
        for attribute in _VARIABLES:
            if attribute in attributes:
                path.unknown.add(attributes[attribute].text)
        return [path]

    def _choose(self, policy: LocatedElement, path: _Path) -> list[_Path]:
        after: list[_Path] = []
        for branch in policy.children():
            condition = branch.element.attributes.get("condition")
            expression = self.subject.expression(branch.document, condition)
            checks = self._checks_in(expression, path)
            holds = (
                True
                if branch.element.name == "otherwise"
                else self._condition_value(condition, expression, path)
            )
            if holds is not False:
                inner = path.fork(checks)
                ends = self.through(list(self.subject.statements(branch)), inner)
                for end in ends:
                    end.conditions = path.conditions
                after += ends
            if holds is True:
                return after
        return [*after, path]

    def _condition_value(
        self, condition: Value | None, expression: Expression | None, path: _Path
    ) -> bool | None:
        if expression is None:
            return condition.text.strip().lower() == "true" if condition else None
        known, value = self._evaluated(expression, path)
        return value if known and isinstance(value, bool) else None

    def _set(self, policy: LocatedElement, path: _Path) -> None:
        name, value = policy.element.attributes.get("name"), policy.element.attributes.get("value")
        if name is None or value is None:
            return
        expression = self.subject.expression(policy.document, value)
        path.unknown.discard(name.text)
        if expression is None:
            path.context.variables[name.text] = value.text
            return
        known, result = self._evaluated(expression, path)
        if known:
            path.context.variables[name.text] = result
        else:
            path.unknown.add(name.text)
        path.marks[name.text] = self._checks_in(expression, path)

    def _evaluated(self, expression: Expression, path: _Path) -> tuple[bool, object]:
        """Whether the expression has the same value for all requests of this kind, and the value."""
        if any(f"variables:{name}" in expression.reads for name in path.unknown):
            return False, None
        checks = self._checks_in(expression, path) >= _CHECKED
        if not checks and not _is_settled(expression):
            return False, None
        try:
            value = expression.evaluate(path.context)
        except DotNetException:
            return False, None
        if checks and not isinstance(value, bool):
            token = path.context.request.headers.get("Authorization")
            tried = expression.source, bool(token)
            if tried not in self.subject.passable:
                self.subject.passable[tried] = _is_passable(expression, path.context, value)
            if self.subject.passable[tried]:
                return False, None
        return True, value

    def _checks_in(self, expression: Expression | None, path: _Path) -> Marks:
        if expression is None:
            return NONE
        found = checks_a_token(expression.source) if "request.headers" in expression.reads else NONE
        return found.union(
            *(made for name, made in path.marks.items() if f"variables:{name}" in expression.reads)
        )


def _is_settled(expression: Expression) -> bool:
    """Whether it depends neither on random values nor on parts of the request other than method and token."""
    if not all(map(_SETTLED.fullmatch, expression.reads)):
        return False
    if any(name in expression.source for name in _CHANCE):
        return False
    return "request.headers" not in expression.reads or _reads_only_the_token(expression.source)


@lru_cache(maxsize=1024)
def _reads_only_the_token(source: str) -> bool:
    keys = [
        node.args[0].value
        for node in all_nodes(source)
        if isinstance(node, syntax.Call | syntax.Index) and node.args and _is_of_headers(node.target)
    ]
    whole = sum(isinstance(node, syntax.Member) and node.name == "Headers" for node in all_nodes(source))
    return len(keys) == whole and all(
        isinstance(key, syntax.Literal)
        and isinstance(key.value, str)
        and key.value.lower() == "authorization"
        for key in keys
    )


def _is_of_headers(target: syntax.Node) -> bool:
    """`Headers` (before an index) or a method of it."""
    return isinstance(target, syntax.Member) and (
        target.name == "Headers"
        or (isinstance(target.target, syntax.Member) and target.target.name == "Headers")
    )


def _is_passable(expression: Expression, context: Context, value: object) -> bool:
    """Whether the check has another value for a different request without a valid token."""
    token = context.request.headers.get("Authorization")
    for text in _texts(expression.source):
        headers = {name: [text] for name in _texts(expression.source)}
        for authorization in (token, [f"Bearer {text}"], [text], [f"Bearer {_forged_encrypted_token(text)}"]):
            sent = {name: values for name, values in headers.items() if name.lower() != "authorization"}
            if authorization:
                sent["Authorization"] = authorization
            other = _request_with(context, sent, text)
            try:
                if not _is_equal(expression.evaluate(other), value):
                    return True
            except DotNetException:
                continue
    return False


def _is_equal(left: object, right: object) -> bool:
    """Whether two values of an expression are equal; JSON is compared by its content."""
    if isinstance(left, JToken) and isinstance(right, JToken):
        return deep_equals(left, right)
    return left == right


@lru_cache(maxsize=1024)
def _texts(source: str) -> tuple[str, ...]:
    """The string literals in an expression that are valid header values."""
    found = {
        node.value: None
        for node in all_nodes(source)
        if isinstance(node, syntax.Literal) and isinstance(node.value, str) and _TEXT.fullmatch(node.value)
    }
    return tuple(found)[:_MAX_TEXTS]


def _forged_encrypted_token(header: str) -> str:
    """A forged token that has five parts (RFC 7516) and this header."""
    return f"{header}..{'A' * 22}.{'A' * 22}.{'A' * 43}"


def _request_with(context: Context, headers: dict[str, list[str]], text: str) -> Context:
    query = {name: text for name in headers if name != "access_token"}
    url = replace(
        context.request.url,
        query={name: [value] for name, value in query.items()},
        query_string=f"?{urlencode(query)}" if query else "",
    )
    return Context(
        request=Request(
            method=context.request.method,
            url=url,
            original_url=url,
            headers=Headers(headers),
            body=None,
            ip_address=text,
            matched_parameters={},
        ),
        response=None,
        variables=dict(context.variables),
        api=context.api,
        operation=context.operation,
        deployment=context.deployment,
        now=context.now,
        timestamp=context.timestamp,
        product=context.product,
        subscription=context.subscription,
    )


def check(
    subject: Subject, chain: list[str], api: DeclaredApi, operation: Operation | None
) -> Iterator[Finding]:
    """The finding about an operation whose policies accept a request without a valid token."""
    method = operation.method if operation else "POST"
    inbound = subject.section(chain, "inbound")
    for attempt in _attempts(subject, api):
        walk = _Walk(subject)
        if walk.through(inbound, _Path(_request(method, attempt, api, operation))):
            yield from _findings_without_check(subject, chain, attempt.credential)
            return
        # A CORS preflight has no token.
        if attempt.token and method != "OPTIONS" and not any(proof >= _CHECKED for proof in walk.proofs):
            message = "the policy that rejects a forged token does not verify a signature or a MAC"
            yield _inbound_section(subject, chain).finding("unverified-token", message)
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """A request without a valid credential.

    Attributes:
        credential: what the request contains, in words, for messages.
        token: the Authorization header.
        subscription: the subscription of a key that API Management accepts for the API.
        product: the product in whose context API Management handles the request.
    """

    credential: str
    token: str | None = None
    subscription: Subscription | None = None
    product: Product | None = None


_ATTEMPTS = (
    _Attempt(credential="no token"),
    *(_Attempt(credential="a forged token", token=token) for token in _FORGED),
    _Attempt(
        credential="a subscription key for all APIs",
        subscription=Subscription(id="all-apis", name="All APIs", key=""),
    ),
)


def _attempts(subject: Subject, api: DeclaredApi) -> Iterator[_Attempt]:
    yield from _ATTEMPTS
    for product in subject.service.products:
        if api.id in product.apis and not product.subscription_required:
            context = Product(id=product.id, name=product.name, subscription_required=False)
            yield _Attempt(credential="no token, in an open product,", product=context)


def _findings_without_check(subject: Subject, chain: list[str], credential: str) -> Iterator[Finding]:
    commented = [
        Finding(
            document=document,
            line=comment.line,
            column=comment.column,
            message="the check of the token is commented out",
            code="commented-token-check",
        )
        for document in (*chain, *(fragment.document.name for fragment in subject.service.fragments))
        if document in subject.roots
        and document in subject.sources
        and "<!--" in subject.sources[document].xml
        for comment in rawxml.comments(subject.sources[document].xml, document)
        if _is_a_check(subject, comment.text)
    ]
    yield from commented
    if not commented:
        message = f"a request with {credential} passes <inbound> and reaches the backend"
        yield _inbound_section(subject, chain).finding("missing-token-check", message)


def _inbound_section(subject: Subject, chain: list[str]) -> LocatedElement:
    """The inbound section that should contain the check: of the API, or else of the innermost scope."""
    document = next((name for name in chain if subject.scopes.get(name) == "api"), chain[-1])
    root = subject.roots[document]
    return LocatedElement(document, next((child for child in root.children if child.name == "inbound"), root))


def _is_a_check(subject: Subject, comment: str) -> bool:
    """Whether a comment contains policies that reject a request, or the start of such policies."""
    try:
        root = rawxml.parse(f"<fragment>{comment}</fragment>", "comment")
    except PolicyError:
        return False
    return _rejects_somewhere(subject, LocatedElement("comment", root))


def _rejects_somewhere(subject: Subject, holder: LocatedElement) -> bool:
    return _rejects(holder) or any(
        _rejects_somewhere(subject, policy) for policy in subject.statements(holder)
    )


def _rejects(policy: LocatedElement) -> bool:
    if policy.element.name in _VALIDATES:
        return True
    if policy.element.name == "set-variable":
        value = policy.element.attributes.get("value")
        return bool(value and value.expression and '"Authorization"' in value.text)
    return policy.element.name == "set-status" and _code(policy.element) in _REFUSALS


def _code(element: Element) -> str:
    value = element.attributes.get("code")
    return value.text if value else ""


def _request(method: str, attempt: _Attempt, api: DeclaredApi, operation: Operation | None) -> Context:
    headers = Headers({"Authorization": [attempt.token]} if attempt.token else {})
    url = Url(scheme="https", host="gateway", port=443, path="/", query_string="", query={})
    return Context(
        request=Request(
            method=method, url=url, original_url=url, headers=headers, body=None, matched_parameters={}
        ),
        response=None,
        variables={},
        api=Api(id=api.id, name=api.name, path=api.path),
        operation=CalledOperation(
            id=operation.id if operation else "",
            name=operation.name if operation else "",
            method=method,
            url_template=operation.url_template if operation else "/",
        ),
        deployment=Deployment(service_name="gateway"),
        now=lambda: 0.0,
        timestamp=0.0,
        product=attempt.product,
        subscription=attempt.subscription,
    )
