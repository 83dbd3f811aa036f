"""The redirect URI of a sign-in accepts only the response of that sign-in."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from verify.callback import listening

STATE = "the-state"


def ask(*requests: tuple[str, str]) -> tuple[list[httpx2.Response], Mapping[str, str] | None]:
    """Sends requests to a listener; returns the responses and the accepted parameters."""

    async def run() -> tuple[list[httpx2.Response], Mapping[str, str] | None]:
        async with listening(STATE) as listener, httpx2.AsyncClient(trust_env=False) as client:
            parts = urlsplit(listener.redirect_uri)
            assert (parts.hostname, parts.path) == ("127.0.0.1", "/callback")
            origin = f"http://{parts.netloc}"
            answers = [await client.request(method, f"{origin}{path}") for method, path in requests]
            return answers, listener.answer.result() if listener.answer.done() else None

    return asyncio.run(run())


def callback(**parameters: str) -> str:
    return f"/callback?{urlencode(parameters)}"


def test_the_response_with_the_expected_state_is_accepted() -> None:
    (answer,), accepted = ask(("GET", callback(code="c", state=STATE, iss="https://gateway")))
    assert answer.status_code == 200
    assert "You are signed in" in answer.text
    assert accepted == {"code": "c", "state": STATE, "iss": "https://gateway"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == "default-src 'none'"


def test_an_error_response_with_the_expected_state_is_accepted() -> None:
    (answer,), accepted = ask(("GET", callback(error="access_denied", state=STATE)))
    assert "rejected" in answer.text
    assert accepted is not None
    assert accepted["error"] == "access_denied"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", callback(code="c", state="another"), 400),
        ("GET", callback(code="c"), 400),
        ("GET", "/favicon.ico", 404),
        ("POST", callback(code="c", state=STATE), 404),
    ],
)
def test_any_other_request_is_refused(method: str, path: str, status: int) -> None:
    (answer,), accepted = ask((method, path))
    assert answer.status_code == status
    assert accepted is None


def test_only_the_first_response_is_used() -> None:
    _, accepted = ask(
        ("GET", callback(code="first", state=STATE)), ("GET", callback(code="second", state=STATE))
    )
    assert accepted is not None
    assert accepted["code"] == "first"


def test_the_page_shows_no_part_of_a_request() -> None:
    (answer,), _ = ask(("GET", callback(error="<script>alert(1)</script>", state=STATE)))
    assert "script" not in answer.text
