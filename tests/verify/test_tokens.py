"""A token for one server must not be valid for another."""

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from verify import tokens
from verify.check import FailedError, SkippedError
from verify.session import Durations, Session, SignIn
from verify.sign_in import checks, token_for
from verify.stack import Options, find_target
from verify.target import Target

URL = "http://localhost:8000"


def target(**config: str) -> Target:
    return find_target(Options(url=URL, stack="dev", config=config))


def signed_in(target: Target, answer: Callable[[httpx2.Request], httpx2.Response], *names: str) -> Session:
    session = Session(
        target=target,
        durations=Durations(),
        open_browser=None,
        transport=lambda: httpx2.MockTransport(answer),
    )
    for server in target.expected.servers:
        if server.name in names:
            token = f"token-for-{server.name}"
            session.sign_ins[server.name] = SignIn(server=server, access_token=token, redemption={})
    return session


def audience(session: Session) -> str:
    (check,) = [check for check in tokens.checks(session.target.expected) if check.id == "audience"]
    return asyncio.run(check.run(session))


def own_server_only(request: httpx2.Request) -> httpx2.Response:
    name = {"/mcp": "functions", "/slack-mcp": "slack", "/jira-mcp": "jira"}[request.url.path]
    good = request.headers["authorization"] == f"Bearer token-for-{name}"
    return httpx2.Response(200 if good else 401)


def test_each_token_is_tried_at_each_other_server() -> None:
    session = signed_in(target(), own_server_only, "functions", "slack", "jira")
    assert audience(session) == "6 combinations are answered with HTTP 401"
    assert audience(signed_in(target(), own_server_only, "slack")).startswith("2 ")


def test_a_token_that_another_server_accepts_is_found() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200) if request.url.path == "/jira-mcp" else own_server_only(request)

    with pytest.raises(FailedError) as error:
        audience(signed_in(target(), answer, "functions", "slack"))
    assert error.value.details == (
        "a token for Functions is answered with HTTP 200 at Jira; "
        "a token for Slack is answered with HTTP 200 at Jira"
    )


def test_a_stack_with_one_audience_has_one_sign_in_for_all_servers() -> None:
    whole = target(audience="gateway")
    assert [check.id for check in checks(whole.expected, ())] == [
        "sign-in:functions",
        "redirect-uri",
        "used-code",
    ]
    session = signed_in(whole, own_server_only, "functions")
    assert {token_for(session, server).access_token for server in whole.expected.servers} == {
        "token-for-functions"
    }
    with pytest.raises(SkippedError, match="one audience"):
        audience(session)


def test_users_sign_in_for_one_server_after_the_other() -> None:
    by_id = {check.id: check for check in checks(target().expected, ())}
    assert by_id["sign-in:slack"].needs == ("registration", "sign-in:functions")
    assert by_id["sign-in:jira"].needs == ("registration", "sign-in:slack")


def test_a_token_is_not_shown_when_a_sign_in_is_printed() -> None:
    session = signed_in(target(), own_server_only, "functions")
    assert "token-for" not in repr(session.sign_ins["functions"])
