"""Checks of sign-ins: the sign-in in the browser, the redemption of the code, and the end of the sign-in.

The checks implement OAuth without a client library, so that the message of a failure names the step.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from urllib.parse import urlencode

import httpx2

from verify.callback import REDIRECT_PATH, listening
from verify.check import Check, FailedError, SkippedError, require
from verify.registration import SECTION
from verify.session import Session, SignIn
from verify.target import Expectation, Server

_LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
_MCP_HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


def signed_in_servers(expected: Expectation) -> tuple[Server, ...]:
    """The servers for which the user has to sign in: only the first if tokens are valid at all servers."""
    return expected.servers[:1] if expected.audience == "gateway" else expected.servers


def sign_in_id(expected: Expectation, server: Server) -> str:
    """The id of the check that obtains a token for a server."""
    return f"sign-in:{server.name if expected.audience == 'backend' else expected.servers[0].name}"


def token_for(session: Session, server: Server) -> SignIn:
    """The sign-in whose token is valid at a server.

    Raises:
        SkippedError: the user has not signed in for this server.
    """
    expected = session.target.expected
    name = server.name if expected.audience == "backend" else expected.servers[0].name
    if name not in session.sign_ins:
        raise SkippedError(f"No sign-in for {server.title} was completed.")
    return session.sign_ins[name]


def checks(expected: Expectation, users_of_tokens: tuple[str, ...]) -> Iterable[Check]:
    """The checks of sign-ins.

    Args:
        expected: the expected state of the stack.
        users_of_tokens: ids of all checks that need a sign-in. The check that ends the sign-ins runs after
            them.
    """
    servers = signed_in_servers(expected)
    previous: tuple[str, ...] = ()
    for position, server in enumerate(servers, 1):
        count = f"{server.title} ({position} of {len(servers)})" if len(servers) > 1 else server.title
        check = Check(
            id=f"sign-in:{server.name}",
            section=SECTION,
            title=f"{server.title}: a sign-in in the browser",
            run=partial(_sign_in, server, count),
            remedy="Sign in with a user of the stack's tenant and select Allow. If a page shows an error, "
            "its text has the remedy.",
            # The sign-ins are made one after the other, so that the user sees one page at a time.
            needs=("registration", *previous),
        )
        yield check
        previous = (check.id,)
    yield Check(
        id="redirect-uri",
        section=SECTION,
        title="Unregistered redirect URIs are rejected",
        run=_redirect_uris,
        remedy="The policy of the operation authorize must compare redirect URIs exactly. Run `pulumi up`.",
        needs=("registration",),
    )
    yield Check(
        id="used-code",
        section=SECTION,
        title="A used code ends the sign-in",
        run=_end,
        remedy="The policy of the operation token must revoke the grant of a code that is used twice. "
        "Run `pulumi up`.",
        needs=(f"sign-in:{servers[0].name}",) if servers else (),
        after=users_of_tokens,
    )


async def _redirect_uris(session: Session) -> str:
    registered = f"http://127.0.0.1{REDIRECT_PATH}"
    foreign = (
        f"https://foreign-site.example{REDIRECT_PATH}",
        f"{registered}/more",
        f"{registered}?more=1",
        f"http://127.0.0.1.foreign-site.example{REDIRECT_PATH}",
    )
    problems = []
    for uri in foreign:
        request = {
            "response_type": "code",
            "client_id": session.client_id,
            "redirect_uri": uri,
            "code_challenge": _challenge(secrets.token_urlsafe(48)),
            "code_challenge_method": "S256",
        }
        answer = await session.request("GET", f"{session.issuer}/authorize", params=request)
        if answer.status_code != 400 or "location" in answer.headers:  # noqa: PLR2004 -- HTTP: Bad Request
            problems.append(f"{uri} is answered with HTTP {answer.status_code} instead of 400")
    return require(problems, f"{len(foreign)} of them are answered with HTTP 400")


async def _sign_in(server: Server, count: str, session: Session) -> str:
    if not server.admits_users:
        raise SkippedError("Users may not call this server (`access`).")
    if session.open_browser is None:
        raise SkippedError("Not tried (--no-sign-in).")
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    resource = f"{session.url}/{server.path}"
    async with listening(state) as listener:
        request = {
            "response_type": "code",
            "client_id": session.client_id,
            "redirect_uri": listener.redirect_uri,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
            "state": state,
            # With all scopes, the token may list all tools whose rules name a scope.
            "scope": " ".join(server.scopes),
            "resource": resource,
        }
        await _require_page(session, request)
        session.open_browser(count, f"{session.issuer}/authorize?{urlencode(request)}")
        try:
            answer = await asyncio.wait_for(listener.answer, session.durations.sign_in)
        except TimeoutError:
            raise FailedError(
                f"no response from the browser within {session.durations.sign_in:.0f} seconds",
                "Run the verification again, and sign in when the page opens. --sign-in-seconds sets the "
                "time.",
            ) from None
    redemption = {
        "grant_type": "authorization_code",
        "code": _code(answer, session.issuer),
        "redirect_uri": listener.redirect_uri,
        "client_id": session.client_id,
        "code_verifier": verifier,
        "resource": resource,
    }
    await _require_verifier(session, redemption)
    token, lifetime = await _redeem(session, redemption)
    session.sign_ins[server.name] = SignIn(server=server, access_token=token, redemption=redemption)
    return f"access token for /{server.path}, valid for {lifetime} s"


async def _require_page(session: Session, request: Mapping[str, str]) -> None:
    """Requests the first page, so that an error is reported here instead of in the browser.

    Raises:
        FailedError: the browser would not reach the consent page.
    """
    answer = await session.request("GET", f"{session.issuer}/authorize", params=request)
    location = answer.headers.get("location", "")
    if answer.status_code != 302 or not location.startswith(f"{session.issuer}/"):  # noqa: PLR2004 -- HTTP: Found
        raise FailedError(
            f"GET /authorize is answered with HTTP {answer.status_code}, not with the consent page",
            "HTTP 503: the gateway's identity needs its role on the Cosmos DB account. HTTP 400: see "
            "reading R1 in docs/readings.md.",
        )


def _code(answer: Mapping[str, str], issuer: str) -> str:
    """The authorization code that the browser sent to the redirect URI.

    Raises:
        FailedError: the response is an error, has no code, or is from another authorization server.
    """
    if "error" in answer:
        description = answer.get("error_description", "")
        raise FailedError(f"the gateway returned {answer['error']}: {description}".rstrip(": "))
    if answer.get("iss") != issuer:
        raise FailedError(
            f"iss in the response is {answer.get('iss')!r}, not {issuer!r} (RFC 9207)",
            "The named value gateway-url must be the gateway's URL without a trailing slash: `pulumi up`.",
        )
    if not answer.get("code"):
        raise FailedError("the response has no code")
    return answer["code"]


async def _require_verifier(session: Session, redemption: Mapping[str, str]) -> None:
    """Sends the code with another PKCE verifier, which does not invalidate the code.

    Raises:
        FailedError: the gateway accepts it.
    """
    stolen = {**redemption, "code_verifier": secrets.token_urlsafe(48)}
    answer = await session.request("POST", f"{session.issuer}/token", form=stolen)
    if answer.status_code == 200:  # noqa: PLR2004 -- HTTP: OK
        raise FailedError(
            "a code was redeemed with another PKCE verifier (RFC 7636)",
            "The policy of the operation token must compare the verifier with the challenge: `pulumi up`.",
        )


async def _redeem(session: Session, redemption: Mapping[str, str]) -> tuple[str, object]:
    """Redeems a code; returns the access token and its lifetime in seconds.

    Raises:
        FailedError: the gateway returned no token.
    """
    answer = await session.request("POST", f"{session.issuer}/token", form=redemption)
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if answer.status_code != 200 or not isinstance(document, dict):  # noqa: PLR2004 -- HTTP: OK
        error = document.get("error", "") if isinstance(document, dict) else ""
        raise FailedError(
            f"POST /token is answered with HTTP {answer.status_code} {error}".rstrip(),
            "See the request in Application Insights: `exceptions | where operation_Name contains 'token'`.",
        )
    token = document.get("access_token")
    if not isinstance(token, str) or not token:
        raise FailedError("POST /token returns no access_token")
    if answer.headers.get("cache-control") != "no-store":
        raise FailedError("POST /token may be cached: Cache-Control is not no-store")
    return token, document.get("expires_in")


async def _end(session: Session) -> str:
    problems = []
    for sign_in in session.sign_ins.values():
        answer = await session.request("POST", f"{session.issuer}/token", form=sign_in.redemption)
        if answer.status_code != 400 or _error(answer) != "invalid_grant":  # noqa: PLR2004 -- HTTP: Bad Request
            problems.append(
                f"a used code is answered with HTTP {answer.status_code} {_error(answer)}".rstrip()
            )
    deadline = asyncio.get_running_loop().time() + session.durations.revocation
    for sign_in in session.sign_ins.values():
        while await _is_accepted(session, sign_in):
            if asyncio.get_running_loop().time() > deadline:
                problems.append(f"the token for {sign_in.server.title} is still accepted")
                break
            await asyncio.sleep(1)
    count = len(session.sign_ins)
    subject = "the sign-in has" if count == 1 else f"{count} sign-ins have"
    return require(problems, f"{subject} ended; no token is valid")


async def _is_accepted(session: Session, sign_in: SignIn) -> bool:
    answer = await session.request(
        "POST", sign_in.server.message_path, json=_LIST_TOOLS, headers={**_MCP_HEADERS, **sign_in.headers}
    )
    return answer.status_code != 401  # noqa: PLR2004 -- HTTP: Unauthorized


def _error(answer: httpx2.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return ""
    return str(document.get("error", "")) if isinstance(document, dict) else ""


def _challenge(verifier: str) -> str:
    """The S256 challenge of PKCE for a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
