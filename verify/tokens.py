"""Checks that invalid tokens, tokens in the wrong place, and tokens for another server are rejected."""

from collections.abc import Iterable, Mapping

import httpx2

from verify.check import Check, SkippedError, require
from verify.discovery import PROTECTED_RESOURCE, challenge_problems
from verify.session import Session, SignIn
from verify.sign_in import sign_in_id, token_for
from verify.target import Expectation, Server

SECTION = "Tokens"
_MESSAGE = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
_HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


def checks(expected: Expectation) -> Iterable[Check]:
    """The checks of this section, in the order of the report."""
    signed_in = tuple(dict.fromkeys(sign_in_id(expected, server) for server in expected.servers))
    deploy = "The deployed fragment mcp-token must equal the rendered fragment. Run `pulumi up`."
    yield Check(
        id="bad-tokens",
        section=SECTION,
        title="Bad tokens are rejected at each server",
        run=_bad_tokens,
        remedy=deploy,
        needs=signed_in[:1],
        after=signed_in,
    )
    yield Check(
        id="audience",
        section=SECTION,
        title="A token is valid only at its own server",
        run=_audience,
        remedy=f"The variable audiences of each server's policy must name that server. {deploy}",
        needs=signed_in[:1],
        after=signed_in,
    )


async def _bad_tokens(session: Session) -> str:
    problems = []
    tried: list[str] = []
    for server in session.target.expected.servers:
        try:
            sign_in = token_for(session, server)
        except SkippedError:
            continue
        answers = {}
        for name, headers, params in _bad_credentials(sign_in.access_token):
            answer = await _send(session, server, headers, params)
            answers[name] = answer
            if answer.status_code != 401:  # noqa: PLR2004 -- HTTP: Unauthorized
                problems.append(
                    f"{server.title}: {name} is answered with HTTP {answer.status_code} instead of 401"
                )
            else:
                documents = {f"{session.url}{PROTECTED_RESOURCE}{path}" for path in server.endpoints}
                problems += [
                    f"{server.title}: {name}: {problem}" for problem in challenge_problems(answer, documents)
                ]
        flipped = {answers[name].content for name in answers if name.endswith("changed")}
        if len(flipped) > 1:
            problems.append(f"{server.title}: the responses reveal which part of a token is wrong")
        tried.append(server.title)
    return require(problems, f"changed, empty, without a scheme, in the query: {', '.join(tried)}")


def _bad_credentials(token: str) -> Iterable[tuple[str, Mapping[str, str], Mapping[str, str]]]:
    """Credentials that no server may accept, each as a name, headers and query parameters."""
    parts = token.split(".")
    for position, part in enumerate(parts):
        if part:
            changed = [*parts[:position], _flipped(part), *parts[position + 1 :]]
            yield f"a token with part {position + 1} changed", _bearer(".".join(changed)), {}
    yield "an empty token", {"Authorization": "Bearer"}, {}
    yield "a token without a scheme", {"Authorization": token}, {}
    yield "a token in the query", {}, {"access_token": token}
    yield "a token in the header and in the query", _bearer(token), {"access_token": token}


def _flipped(part: str) -> str:
    """A part of a token whose first character was changed to another character of base64url."""
    return ("B" if part[0] == "A" else "A") + part[1:]


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _audience(session: Session) -> str:
    expected = session.target.expected
    if expected.audience == "gateway":
        raise SkippedError(
            "The stack has one audience (setting audience): one token is valid at all servers."
        )
    if len(expected.servers) == 1:
        raise SkippedError("Needs two servers.")
    problems = []
    tried = 0
    for sign_in in session.sign_ins.values():
        for server in expected.servers:
            if server.name != sign_in.server.name:
                problems += await _problems_at(session, sign_in, server)
                tried += 1
    return require(problems, f"{tried} combinations are answered with HTTP 401")


async def _problems_at(session: Session, sign_in: SignIn, server: Server) -> list[str]:
    answer = await _send(session, server, sign_in.headers, {})
    if answer.status_code == 401:  # noqa: PLR2004 -- HTTP: Unauthorized
        return []
    return [
        f"a token for {sign_in.server.title} is answered with HTTP {answer.status_code} at {server.title}"
    ]


async def _send(
    session: Session, server: Server, headers: Mapping[str, str], params: Mapping[str, str]
) -> httpx2.Response:
    return await session.request(
        "POST", server.message_path, json=_MESSAGE, params=params, headers={**_HEADERS, **headers}
    )
