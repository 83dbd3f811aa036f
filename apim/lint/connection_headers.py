"""Finds policies that change headers of the connection, which only API Management may set (R3).

https://learn.microsoft.com/azure/api-management/set-header-policy#usage-notes
"""

from collections.abc import Iterator

from apim.csharp import DotNetException, Expression
from apim.csharp.context import Api as CalledApi
from apim.csharp.context import Context, Deployment, Headers, Request, Response, Url
from apim.csharp.context import Operation as CalledOperation
from apim.csharp.errors import UnsupportedError
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject

_NAMES = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OTHERS = ("Accept", "Authorization", "Content-Type", "Host", "Mcp-Session-Id", "User-Agent", "X-Other")


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about headers of the connection that a policy sets or deletes, by a literal or computed name.

    Computed names are evaluated for a request and a response that have every header of the connection.
    """
    variables: dict[str, list[LocatedElement]] = {}
    changes: list[LocatedElement] = []
    for document, root in subject.roots.items():
        for policy in LocatedElement(document, root).within():
            name = policy.element.attributes.get("name")
            if name is None:
                continue
            if policy.element.name == "set-variable":
                variables.setdefault(name.text, []).append(policy)
            elif policy.element.name == "set-header":
                changes.append(policy)
    for policy in changes:
        name = policy.element.attributes["name"]
        expression = subject.expression(policy.document, name)
        found = name.text.strip() if expression is None else _computed(subject, expression, variables)
        if found.lower() in _NAMES:
            how = "" if expression is None else ", by a computed name"
            yield policy.finding("connection-header", f"the policy changes the header {found}{how}", name)


def _computed(subject: Subject, expression: Expression, variables: dict[str, list[LocatedElement]]) -> str:
    """The value of the expression, preferably one that is a header of the connection; "" if it has none."""
    context = _context()
    for name, definitions in variables.items():
        if f"variables:{name}" not in expression.reads:
            continue
        for definition in definitions:
            value = definition.element.attributes["value"]
            inner = subject.expression(definition.document, value)
            context.variables[name] = value.text if inner is None else _evaluated(inner, context)
            named = _evaluated(expression, context)
            if isinstance(named, str) and named.lower() in _NAMES:
                return named
    named = _evaluated(expression, context)
    return named if isinstance(named, str) else ""


def _evaluated(expression: Expression, context: Context) -> object:
    try:
        return expression.evaluate(context)
    except (DotNetException, UnsupportedError):
        return None


def _context() -> Context:
    """A request and a response with every header of the connection."""
    url = Url(scheme="https", host="gateway", port=443, path="/")
    pairs = {name: ["x"] for name in (*sorted(_NAMES), *_OTHERS)}
    return Context(
        request=Request(method="POST", url=url, original_url=url, headers=Headers(pairs)),
        response=Response(status_code=200, headers=Headers(pairs)),
        variables={},
        api=CalledApi(id="", name="", path=""),
        operation=CalledOperation(id="", name="", method="POST", url_template="/"),
        deployment=Deployment(service_name="gateway"),
        now=lambda: 0.0,
        timestamp=0.0,
    )
