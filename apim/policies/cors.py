"""https://learn.microsoft.com/azure/api-management/cors-policy.

The page states two defaults for `terminate-unmatched-request`; the default here is `true`, as in the text
and the syntax on that page. Besides preflights, only GET and HEAD requests are terminated, as documented.
"""

from urllib.parse import urlsplit

from apim.csharp.context import Context, Headers, Response
from apim.failure import FinishedError
from apim.node import Node, Read
from apim.policy import INBOUND, Policy
from apim.run import Run
from apim.shape import Attribute, Child, Kind, Shape, Text
from apim.statements import Action

_SIMPLE = frozenset({"GET", "HEAD"})
_ALWAYS_ALLOWED = frozenset({"accept", "accept-language", "content-language"})


def is_preflight(context: Context) -> bool:
    """Whether the request is a CORS-preflight request (Fetch standard)."""
    headers = context.request.headers
    return (
        context.request.method == "OPTIONS"
        and "Origin" in headers
        and "Access-Control-Request-Method" in headers
    )


class _Cors:
    """One cors element."""

    def __init__(self, node: Node) -> None:
        self._credentials = node.boolean("allow-credentials")
        self._terminate = node.boolean("terminate-unmatched-request")
        self._origins = _texts(node, "allowed-origins", "origin")
        self._methods = _texts(node, "allowed-methods", "method")
        methods = node.child("allowed-methods")
        self._age = methods.integer("preflight-result-max-age") if methods else None
        self._headers = _texts(node, "allowed-headers", "header")
        self._exposed = _texts(node, "expose-headers", "header")

    def run(self, run: Run) -> None:
        """The policy's action."""
        origin = ",".join(run.context.request.headers.get("Origin") or [])
        if not origin:
            return
        if is_preflight(run.context):
            self._preflight(run, origin)
        else:
            self._actual(run, origin)

    def _preflight(self, run: Run, origin: str) -> None:
        context = run.context
        method = ",".join(context.request.headers.get("Access-Control-Request-Method") or [])
        asked = _listed(context.request.headers.get("Access-Control-Request-Headers"))
        response = Response(status_code=200, status_reason="OK")
        if self._fits(context, origin, method) and self._fits_headers(context, asked):
            answer = self._permission(context, origin)
            answer["Access-Control-Allow-Methods"] = method
            if asked:
                answer["Access-Control-Allow-Headers"] = ",".join(asked)
            if self._age:
                answer["Access-Control-Max-Age"] = str(self._age(context))
            _write(answer, response.headers)
        elif not self._terminate(context):
            return
        context.response = response
        raise FinishedError

    def _actual(self, run: Run, origin: str) -> None:
        context = run.context
        if not self._fits(context, origin, context.request.method):
            if context.request.method in _SIMPLE and self._terminate(context):
                context.response = Response(status_code=200, status_reason="OK")
                raise FinishedError
            return
        answer = self._permission(context, origin)
        if self._exposed:
            answer["Access-Control-Expose-Headers"] = ",".join(_values(self._exposed, context))
        run.cors = lambda headers: _write(answer, headers)

    def _permission(self, context: Context, origin: str) -> dict[str, str]:
        credentials = self._credentials(context)
        anybody = "*" in _values(self._origins, context) and not credentials
        answer = {"Access-Control-Allow-Origin": "*" if anybody else origin}
        if credentials:
            answer["Access-Control-Allow-Credentials"] = "true"
        return answer

    def _fits(self, context: Context, origin: str, method: str) -> bool:
        origins = _values(self._origins, context)
        methods = _values(self._methods, context) or ["GET", "POST"]
        return ("*" in origins or _normal(origin) in [_normal(allowed) for allowed in origins]) and (
            "*" in methods or method.upper() in [allowed.upper() for allowed in methods]
        )

    def _fits_headers(self, context: Context, asked: list[str]) -> bool:
        permitted = [name.lower() for name in _values(self._headers, context)]
        return "*" in permitted or all(
            name.lower() in permitted or name.lower() in _ALWAYS_ALLOWED for name in asked
        )


def _write(answer: dict[str, str], headers: Headers) -> None:
    for name, value in answer.items():
        headers.set(name, [value])
    if answer["Access-Control-Allow-Origin"] != "*":
        headers.add("Vary", "Origin")


def _values(reads: list[Read[str | None]], context: Context) -> list[str]:
    return [(read(context) or "").strip() for read in reads]


def _listed(values: list[str] | None) -> list[str]:
    """The items of a comma-separated list in a header."""
    return [item.strip() for value in values or [] for item in value.split(",") if item.strip()]


def _compile(node: Node) -> Action:
    return _Cors(node).run


def _texts(node: Node, group: str, name: str) -> list[Read[str | None]]:
    holder = node.child(group)
    return [child.text() for child in holder.children(name)] if holder else []


def _normal(origin: str) -> str:
    """An origin without the default port of its scheme and without a slash at the end."""
    parts = urlsplit(origin)
    port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return (
        f"{parts.scheme}://{parts.netloc.removesuffix(port)}".lower()
        if parts.netloc
        else origin.rstrip("/").lower()
    )


_HEADERS = Shape(children=(Child("header", Shape(text=Text.VALUE, text_required=True), least=1, most=None),))

POLICY = Policy(
    name="cors",
    sections=INBOUND,
    once=True,
    shape=Shape(
        (
            Attribute("allow-credentials", default="false", kind=Kind.BOOLEAN),
            Attribute("terminate-unmatched-request", default="true", kind=Kind.BOOLEAN),
        ),
        children=(
            Child(
                "allowed-origins",
                Shape(
                    children=(
                        Child("origin", Shape(text=Text.VALUE, text_required=True), least=1, most=None),
                    )
                ),
                least=1,
            ),
            Child(
                "allowed-methods",
                Shape(
                    (Attribute("preflight-result-max-age", default="0", kind=Kind.INTEGER, least=0),),
                    children=(
                        Child("method", Shape(text=Text.VALUE, text_required=True), least=1, most=None),
                    ),
                ),
            ),
            Child("allowed-headers", _HEADERS, least=1),
            Child("expose-headers", _HEADERS),
        ),
    ),
    compile=_compile,
)
