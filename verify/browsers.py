"""Checks that only allowed web pages may call MCP servers (CORS), and that no page may read sign-in pages."""

from collections.abc import Iterable

import httpx2

from verify.check import Check, require
from verify.discovery import PROTECTED_RESOURCE, authorization_server_documents
from verify.session import Session

SECTION = "Browsers"
_FOREIGN = "https://foreign-site.example"
_ANY = "https://mcp-client.example"
_PAGES = (("/authorize", "GET"), ("/consent", "GET"), ("/consent", "POST"), ("/oauth-callback", "GET"))
_DOCUMENT_HEADERS = "mcp-protocol-version"
_FORM_HEADERS = "content-type"
_MCP_HEADERS = "authorization,content-type,mcp-protocol-version,mcp-session-id"


def checks() -> Iterable[Check]:
    """The checks of this section, in the order of the report."""
    deploy = "Run `pulumi up`; if it shows no change, see the rows of the section Azure."
    yield Check(
        id="foreign-origin",
        section=SECTION,
        title="A foreign origin is rejected at MCP paths",
        run=_foreign_origin,
        remedy=f"Remove origins that must not call from allowedOrigins. {deploy}",
        needs=("gateway",),
    )
    yield Check(
        id="cors",
        section=SECTION,
        title="Browser clients may call (CORS)",
        run=_cors,
        remedy=f"See readings R9 and R10 in docs/readings.md. {deploy}",
        needs=("gateway",),
    )
    yield Check(
        id="no-cors",
        section=SECTION,
        title="Sign-in pages send no CORS headers",
        run=_no_cors,
        remedy=f"No cors policy may be on the global scope or on these operations. {deploy}",
        needs=("gateway",),
    )


async def _foreign_origin(session: Session) -> str:
    problems = []
    paths = [path for server in session.target.expected.servers for path in server.endpoints]
    for path in paths:
        for method, headers in (
            ("GET", {}),
            ("OPTIONS", {"Access-Control-Request-Method": "POST"}),
        ):
            answer = await session.probe(method, path, headers={"Origin": _FOREIGN, **headers})
            at = f"{method} {path} from {_FOREIGN}"
            if answer.status_code != 403:  # noqa: PLR2004 -- HTTP: Forbidden
                problems.append(f"{at} is answered with HTTP {answer.status_code} instead of 403")
            if allowed := answer.headers.get("access-control-allow-origin"):
                problems.append(f"{at} is allowed for {allowed}")
    return require(problems, f"HTTP 403 at {len(paths)} paths")


async def _cors(session: Session) -> str:
    servers = session.target.expected.servers
    documents = [
        *authorization_server_documents(session),
        *(f"{PROTECTED_RESOURCE}{path}" for server in servers for path in server.endpoints),
    ]
    preflights = [(path, "GET", _ANY, _DOCUMENT_HEADERS) for path in documents]
    preflights += [(session.issuer + path, "POST", _ANY, _FORM_HEADERS) for path in ("/register", "/token")]
    preflights += [
        (server.at(template), method, origin, _MCP_HEADERS)
        for server in servers
        for method, template in server.operations
        for origin in session.target.server_origins
    ]
    problems = []
    for path, method, origin, headers in preflights:
        answer = await session.request(
            "OPTIONS",
            path,
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": headers,
            },
        )
        problems += [
            f"preflight for {method} {path}: {problem}"
            for problem in _preflight_problems(answer, method, origin, headers)
        ]
    for path in documents:
        answer = await session.request("GET", path, headers={"Origin": _ANY})
        readable = answer.headers.get("access-control-allow-origin") in {"*", _ANY}
        if answer.status_code == 200 and not readable:  # noqa: PLR2004 -- HTTP: OK
            problems.append(f"GET {path}: a page cannot read the answer")
    return require(problems, f"{len(preflights)} preflights, {len(documents)} documents")


def _preflight_problems(answer: httpx2.Response, method: str, origin: str, headers: str) -> list[str]:
    """Why a browser would not continue after this preflight (Fetch standard, CORS-preflight fetch)."""
    if answer.status_code not in {200, 204}:
        return [f"HTTP {answer.status_code}"]
    problems = []
    if answer.headers.get("access-control-allow-origin") not in {"*", origin}:
        problems.append(f"{origin} is not allowed")
    if not _listed(answer, "access-control-allow-methods") & {"*", method.lower()}:
        problems.append(f"{method} is not allowed")
    # A wildcard never includes Authorization.
    allowed = _listed(answer, "access-control-allow-headers")
    missing = {
        name
        for name in headers.split(",")
        if name not in allowed and ("*" not in allowed or name == "authorization")
    }
    if missing:
        problems.append(f"the headers {', '.join(sorted(missing))} are not allowed")
    return problems


def _listed(answer: httpx2.Response, header: str) -> set[str]:
    return {part.strip().lower() for part in answer.headers.get(header, "").split(",")}


async def _no_cors(session: Session) -> str:
    problems = []
    for path, method in _PAGES:
        preflight = await session.request(
            "OPTIONS",
            session.issuer + path,
            headers={"Origin": _ANY, "Access-Control-Request-Method": method},
        )
        plain = await session.request(method, session.issuer + path, headers={"Origin": _ANY})
        for kind, answer in (("OPTIONS", preflight), (method, plain)):
            sent = sorted(name for name in answer.headers if name.startswith("access-control-"))
            if sent:
                problems.append(f"{kind} {path} sends {', '.join(sent)}")
    return require(problems, ", ".join(dict.fromkeys(path for path, _ in _PAGES)))
