"""What a client hears of a server's answer, by its status."""

import pytest

from tests.policies.engine.stage import Got, reply
from tests.policies.oauth.stand import Stand


def heard(status: int, **headers: str) -> Got:
    stand = Stand.new()
    token = stand.token()
    stand.served = lambda: reply(status, "the server's words", **headers)
    return stand.call(token)


@pytest.mark.parametrize("status", [200, 202, 204, 299, 400, 404, 405, 406, 409, 410, 499])
def test_a_server_is_heard_with_what_it_says_of_the_request(status: int) -> None:
    answer = heard(status)
    assert answer.status == status
    assert status == 204 or answer.body == b"the server's words"


@pytest.mark.parametrize("status", [199, 300, 302, 307, 399, 401, 403, 500, 501, 502, 504, 599])
def test_a_server_that_fails_or_leads_elsewhere_is_not_heard(status: int) -> None:
    answer = heard(status, Location="https://ca-notes.internal.example", Server="x")
    assert (answer.status, answer.json()["error"]) == (502, "server_error")
    assert answer.header("Location") is None
    assert b"words" not in answer.body


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("said", "told"),
    [("7", "7"), ("1", "1"), ("0", "5"), ("-1", "5"), ("soon", "5"), ("", "5"), ("7, 8", "5"), (None, "5")],
)
def test_a_busy_server_says_when_to_come_again(status: int, said: str | None, told: str) -> None:
    answer = heard(status) if said is None else heard(status, Retry_After=said)
    assert (answer.status, answer.header("Retry-After")) == (status, told)
    assert answer.json()["error"] == "temporarily_unavailable"
    assert b"words" not in answer.body
