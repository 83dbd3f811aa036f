"""Checks of discovery: metadata documents and challenges."""

import re
from collections.abc import Iterable, Mapping

import httpx2

from verify.check import Check, FailedError, require
from verify.session import Session

SECTION = "Discovery"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"

_METADATA_LINK = re.compile(r'resource_metadata="([^"]*)"')
# Clients also use methods for which the server has no operation, and must receive the challenge for them,
# too.
_PROBES = ("HEAD", "POST", "GET")


def checks() -> Iterable[Check]:
    """The checks of this section, in the order of the report."""
    deploy = "Run `pulumi up`. If it shows no change, compare the rows of the section Azure."
    yield Check(
        id="gateway",
        section=SECTION,
        title="The gateway responds",
        run=_answers,
        remedy="Check the URL. A local stack runs after `make up`, a deployed one after `pulumi up`.",
    )
    yield Check(
        id="authorization-server-metadata",
        section=SECTION,
        title="Metadata of the authorization server",
        run=_authorization_server,
        remedy=f"The named value gateway-url must be the gateway's URL without a trailing slash. {deploy}",
        needs=("gateway",),
    )
    yield Check(
        id="protected-resource-metadata",
        section=SECTION,
        title="Metadata of each MCP path",
        run=_protected_resources,
        remedy=f"The named value gateway-url must be the gateway's URL without a trailing slash. {deploy}",
        needs=("gateway",),
    )
    yield Check(
        id="challenge",
        section=SECTION,
        title="Requests without a token are challenged",
        run=_challenges,
        remedy=f"The API of the server must have its policy, and the policy must include mcp-token. {deploy}",
        needs=("gateway",),
    )


def authorization_server_documents(session: Session) -> tuple[str, ...]:
    """The paths of the metadata: RFC 8414, sections 3.1 and 5, and OpenID Connect Discovery, section 4."""
    path = session.target.expected.issuer_path
    return tuple(
        dict.fromkeys(
            (
                f"{AUTHORIZATION_SERVER}{path}",
                f"{OPENID_CONFIGURATION}{path}",
                f"{path}{OPENID_CONFIGURATION}",
            )
        )
    )


async def _answers(session: Session) -> str:
    try:
        answer = await session.request("GET", authorization_server_documents(session)[0])
    except httpx2.HTTPError as error:
        raise FailedError(f"{session.url} does not respond: {type(error).__name__}") from error
    return f"{session.url}, HTTP {answer.status_code}"


async def _authorization_server(session: Session) -> str:
    problems = []
    for path in authorization_server_documents(session):
        document = await document_at(session, path)
        expected = {
            "issuer": session.issuer,
            "authorization_endpoint": f"{session.issuer}/authorize",
            "token_endpoint": f"{session.issuer}/token",
            "registration_endpoint": f"{session.issuer}/register",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        problems += _differences(path, document, expected)
        problems += [
            f"{path}: {name} does not list {value!r}"
            for name, value in (
                ("response_types_supported", "code"),
                ("grant_types_supported", "authorization_code"),
                ("token_endpoint_auth_methods_supported", "none"),
            )
            if value not in _list(document.get(name))
        ]
    return require(problems, f"RFC 8414, issuer {session.issuer}")


async def _protected_resources(session: Session) -> str:
    problems = []
    paths = {path: server for server in session.target.expected.servers for path in server.endpoints}
    for path, server in paths.items():
        at = f"{PROTECTED_RESOURCE}{path}"
        document = await document_at(session, at)
        resource = f"{session.url}{path}"
        if document.get("resource") != resource:
            problems.append(f"{at}: resource is {document.get('resource')!r}, not {resource}")
        expected: dict[str, object] = {"bearer_methods_supported": ["header"]}
        if server.admits_users:
            expected["authorization_servers"] = [session.issuer]
        problems += _differences(at, document, expected)
    absent = await session.request(
        "GET", f"{PROTECTED_RESOURCE}{session.target.expected.issuer_path}/no-such-server"
    )
    if absent.status_code != 404:  # noqa: PLR2004 -- HTTP: Not Found
        problems.append(f"an unknown path has metadata: HTTP {absent.status_code}")
    return require(problems, ", ".join(paths))


async def _challenges(session: Session) -> str:
    # Several servers may accept messages at the same path below the root. The challenge there is for one of
    # them.
    expected: dict[tuple[str, str], set[str]] = {}
    for server in session.target.expected.servers:
        documents = {f"{session.url}{PROTECTED_RESOURCE}{path}" for path in server.endpoints}
        requests = {(method, server.at(template)) for method, template in server.operations}
        requests |= {("POST", path) for path in server.root_messages}
        requests |= {(method, path) for path in server.endpoints for method in _PROBES}
        for request in requests:
            expected.setdefault(request, set()).update(documents)
    problems = []
    for (method, path), documents in sorted(expected.items()):
        answer = await session.probe(method, path)
        at = f"{method} {path}"
        if answer.status_code != 401:  # noqa: PLR2004 -- HTTP: Unauthorized
            problems.append(f"{at} is answered with HTTP {answer.status_code} instead of 401")
        else:
            problems += [f"{at}: {problem}" for problem in challenge_problems(answer, documents)]
    return require(problems, f"{len(expected)} requests by GET, POST, HEAD and DELETE")


def challenge_problems(answer: httpx2.Response, documents: set[str]) -> list[str]:
    """The problems of the challenge in a response with status 401 (RFC 9728, section 5.1)."""
    challenge = answer.headers.get("www-authenticate", "")
    if not challenge.lower().startswith("bearer "):
        return [
            "WWW-Authenticate is missing" if not challenge else "WWW-Authenticate is not a Bearer challenge"
        ]
    link = _METADATA_LINK.search(challenge)
    if link is None:
        return ["WWW-Authenticate has no resource_metadata"]
    if link[1] not in documents:
        return [f"resource_metadata is {link[1]}, not {' or '.join(sorted(documents))}"]
    return []


async def document_at(session: Session, path: str) -> Mapping[str, object]:
    """The JSON object at a path of the gateway.

    Raises:
        FailedError: the response is not a JSON object with status 200.
    """
    answer = await session.request("GET", path)
    if answer.status_code != 200:  # noqa: PLR2004 -- HTTP: OK
        raise FailedError(f"GET {path} is answered with HTTP {answer.status_code}")
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise FailedError(f"GET {path} does not return a JSON object")
    return document


def _differences(at: str, document: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    return [
        f"{at}: {name} is {document.get(name)!r}, not {value!r}"
        for name, value in expected.items()
        if document.get(name) != value
    ]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
