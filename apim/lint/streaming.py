"""Finds policies and settings that would buffer an event stream until its end.

https://learn.microsoft.com/azure/api-management/how-to-server-sent-events
"""

from collections.abc import Iterator
from dataclasses import dataclass

from apim.compiled_documents import within
from apim.compiler import SECTIONS
from apim.csharp.context import Api as CalledApi
from apim.csharp.context import Context, Deployment, Headers, Request, Response, Url
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject

_OF_RESPONSES = frozenset(
    {
        "cache-store",
        "find-and-replace",
        "json-to-xml",
        "redirect-content-urls",
        "set-body",
        "validate-content",
        "xml-to-json",
        "xsl-transform",
    }
)
_SUCCESS = range(200, 300)
_ANSWERS = frozenset({"return-response", "send-request", "send-one-way-request"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """The diagnostic settings of APIs: the parts of messages that are logged.

    Attributes:
        name: name of the resource.
        api: the API that it applies to; None for all APIs.
        body_bytes: the largest number of bytes of a body that are logged, on any side of the gateway.
    """

    name: str
    api: str | None = None
    body_bytes: int


def check(subject: Subject, chain: list[str], diagnostics: tuple[Diagnostic, ...]) -> Iterator[Finding]:
    """Findings about everything that buffers the responses of an operation that streams."""
    for policy in subject.all_parts(chain, "backend"):
        yield from _forwarding(policy)
    for section in SECTIONS:
        for policy in subject.section(chain, section):
            yield from subject.cached_findings(_body_access, policy, section)
            yield from subject.cached_findings(_policies, policy, section)
    for diagnostic in diagnostics:
        if diagnostic.body_bytes:
            message = (
                f"the diagnostic logs {diagnostic.body_bytes} bytes of bodies, which buffers them; "
                "set the number to 0"
            )
            yield Finding(
                document=f"diagnostic {diagnostic.name}",
                line=1,
                column=1,
                message=message,
                code="buffered-stream",
            )


def _forwarding(policy: LocatedElement) -> Iterator[Finding]:
    value = policy.element.attributes.get("buffer-response")
    if policy.element.name == "forward-request" and (value is None or value.text.lower() != "false"):
        message = '<forward-request> of an API that streams needs buffer-response="false"'
        yield policy.finding("buffered-stream", message, value)


def _body_access(subject: Subject, statement: LocatedElement, _section: str) -> Iterator[Finding]:
    for policy in _for_streams(subject, statement):
        for value in policy.values():
            expression = subject.expression(policy.document, value)
            for fact in expression.facts if expression else ():
                # An expression reads the body of a message in a variable, which may be context.Response.
                indirect = fact.name == "message.body" and expression and "response" in expression.reads
                if fact.name == "response.body" or indirect:
                    line, column = within(value.line, value.column, fact.line, fact.column)
                    yield Finding(
                        document=policy.document,
                        line=line,
                        column=column,
                        message="context.Response.Body waits for the end of the response",
                        code="buffered-stream",
                    )


def _for_streams(subject: Subject, policy: LocatedElement) -> Iterator[LocatedElement]:
    """A policy and the policies in it, without branches that do not apply to streams.

    These branches run only for failures, or depend on a variable that was computed from the request's body:
    such a branch may run only for requests whose responses are not streams.
    """
    yield policy
    if policy.element.name == "when" and (
        _excludes_success(subject, policy) or _depends_on_request_body(subject, policy)
    ):
        return
    for inner in subject.statements(policy):
        yield from _for_streams(subject, inner)


def _depends_on_request_body(subject: Subject, branch: LocatedElement) -> bool:
    """Whether a branch depends on a variable that was computed from the request's body."""
    condition = subject.expression(branch.document, branch.element.attributes.get("condition"))
    if condition is None:
        return False
    return any(f"variables:{name}" in condition.reads for name in subject.variables_from_bodies())


def _excludes_success(subject: Subject, branch: LocatedElement) -> bool:
    """Whether a branch depends on the response's status only and never runs for a success status."""
    condition = subject.expression(branch.document, branch.element.attributes.get("condition"))
    if condition is None or set(condition.reads) != {"response", "response.statuscode"}:
        return False
    return not any(condition.evaluate(_response(status)) for status in _SUCCESS)


def _response(status: int) -> Context:
    url = Url(scheme="https", host="gateway", port=443, path="/")
    return Context(
        request=Request(method="POST", url=url, original_url=url, headers=Headers()),
        response=Response(status_code=status),
        variables={},
        api=CalledApi(id="", name="", path=""),
        operation=None,
        deployment=Deployment(service_name="gateway"),
        now=lambda: 0.0,
        timestamp=0.0,
    )


def _policies(subject: Subject, statement: LocatedElement, section: str) -> Iterator[Finding]:
    """Policies that use the response's body; the body of a response that the gateway creates is complete."""
    name = statement.element.name
    if name in _ANSWERS:
        return
    if name == "cache-lookup" or (name in _OF_RESPONSES and section == "outbound"):
        yield statement.finding("buffered-stream", f"{name} in {section} buffers responses")
    if name == "when" and _depends_on_request_body(subject, statement):
        return
    for child in subject.statements(statement):
        yield from _policies(subject, child, section)
