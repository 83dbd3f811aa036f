"""Whose an MCP session is, as far as the store's part goes (docs/authorization.md, E5)."""

import json

import pytest

from tests.e2e.client import refusal_of
from tests.policies.engine.stage import Got, reply
from tests.policies.oauth.stand import Stand, away, status

MODERN = {"MCP_Protocol_Version": "2026-07-28"}
LONGEST = 8192


@pytest.fixture
def stand() -> Stand:
    return Stand.new()


@pytest.fixture
def token(stand: Stand) -> str:
    return stand.token()


def post(stand: Stand, token: str, session: str | None = None, **headers: str) -> Got:
    """A message over streamable HTTP."""
    given = headers | ({"Mcp_Session_Id": session} if session is not None else {})
    return stand.stage.ask("POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}", **given)


def message(stand: Stand, token: str, query: str, **headers: str) -> Got:
    """A message to a legacy event stream."""
    return stand.stage.ask(
        "POST", "/mcp/message", query, body=b"{}", Authorization=f"Bearer {token}", **headers
    )


def issues(stand: Stand, session: str, code: int = 200) -> None:
    stand.served = lambda: reply(code, "{}", Mcp_Session_Id=session, Content_Type="application/json")


def accepts(stand: Stand, code: int = 202) -> None:
    stand.served = lambda: reply(code, "")


def reached(stand: Stand) -> list[str]:
    return [sent.url for sent in stand.stage.wire.sent if "functions.example" in sent.url]


def another_client(stand: Stand) -> str:
    """A token of the same person for another client."""
    stand.register()
    return stand.token()


@pytest.mark.parametrize("session", ["x", "a,b", "!~", "x" * LONGEST])
def test_e5_an_id_of_up_to_8_kb_of_visible_ascii_works(stand: Stand, token: str, session: str) -> None:
    issues(stand, session)
    assert post(stand, token).header("Mcp-Session-Id") == session
    accepts(stand)
    assert post(stand, token, session).status == 202


@pytest.mark.parametrize("session", ["", "a b", "\u00e9", "x" * (LONGEST + 1), "a\x7f", "a, b"])
def test_e5_an_id_that_would_be_refused_later_is_refused_when_it_is_issued(
    stand: Stand, token: str, session: str
) -> None:
    issues(stand, session)
    answer = post(stand, token)
    assert (answer.status, refusal_of(answer.json())) == (502, "server_error")
    assert answer.header("Mcp-Session-Id") is None
    assert list(stand.store.of("sessions")) == []
    accepts(stand)
    assert post(stand, token, session).status == 404


def test_e5_several_ids_are_not_the_session_of_either(stand: Stand, token: str) -> None:
    issues(stand, "own")
    post(stand, token)
    before = len(reached(stand))
    for given in ("own,other", "other,own", "own,own"):
        assert post(stand, token, given).status == 404
    assert len(reached(stand)) == before


def test_e5_a_session_belongs_to_the_client_too(stand: Stand, token: str) -> None:
    issues(stand, "mine")
    post(stand, token)
    accepts(stand)
    other = another_client(stand)
    answers = [post(stand, other, session) for session in ("mine", "unknown")]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body
    assert answers[0].json()["error"]["code"] == -32001
    assert post(stand, token, "mine").status == 202


def test_e5_an_event_stream_belongs_to_the_client_too(stand: Stand, token: str) -> None:
    accepts(stand)
    assert message(stand, token, "azmcpcs=0123456789ab").status == 202
    assert message(stand, another_client(stand), "azmcpcs=0123456789ab").status == 404
    assert message(stand, token, "azmcpcs=0123456789ab").status == 202


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_e5_nothing_is_kept_of_a_stream_whose_message_the_server_does_not_accept(
    stand: Stand, token: str, code: int
) -> None:
    accepts(stand, code)
    for number in range(3):
        message(stand, token, f"azmcpcs=0123456789ab{number}")
    assert list(stand.store.of("sessions")) == []


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_e5_nothing_is_kept_of_a_session_in_an_answer_that_refuses(
    stand: Stand, token: str, code: int
) -> None:
    issues(stand, "new", code)
    assert post(stand, token).header("Mcp-Session-Id") is None
    assert list(stand.store.of("sessions")) == []


def test_e5_an_unknown_session_leaves_nothing_behind(stand: Stand, token: str) -> None:
    accepts(stand)
    before = len(reached(stand))
    assert post(stand, token, "unknown").status == 404
    assert list(stand.store.of("sessions")) == []
    assert len(reached(stand)) == before


def test_e5_what_is_kept_of_a_session_is_who_began_it_and_through_which_client(
    stand: Stand, token: str
) -> None:
    issues(stand, "mine")
    post(stand, token)
    grant, session = stand.store.one("grants"), stand.store.one("sessions")
    assert {name: session[name] for name in ("sub", "clientDocumentId", "ttl")} == {
        "sub": grant["sub"],
        "clientDocumentId": grant["clientDocumentId"],
        "ttl": 86400,
    }
    assert "mine" not in json.dumps(session)


def test_e5_a_session_that_a_server_gives_again_stays_its_owners(stand: Stand, token: str) -> None:
    issues(stand, "mine")
    assert [post(stand, token).status for _ in range(2)] == [200, 200]
    answer = post(stand, another_client(stand))
    assert (answer.status, refusal_of(answer.json())) == (502, "invalid_session")


@pytest.mark.parametrize("failing", [status(404), status(503), away])
def test_e5_a_session_whose_owner_cannot_be_read_is_not_given(
    stand: Stand, token: str, failing: object
) -> None:
    issues(stand, "mine")
    post(stand, token)
    calls = len(stand.store.calls)
    stand.store.failing = {calls + 1: failing}  # ty: ignore[invalid-assignment]
    answer = post(stand, token)
    assert (answer.status, answer.header("Mcp-Session-Id")) == (502, None)


def test_e5_of_two_first_messages_at_once_one_decides(stand: Stand, token: str) -> None:
    """The store decides: the session has an owner, though it had none when the message arrived."""
    accepts(stand)
    other = another_client(stand)
    message(stand, token, "azmcpcs=0123456789ab")
    stand.stage.gateway.services.cache.clear()
    post(stand, other)
    post(stand, token)
    for sender, code in ((other, 404), (token, 202)):
        stand.store.failing = {len(stand.store.calls): status(404)}
        assert message(stand, sender, "azmcpcs=0123456789ab").status == code


@pytest.mark.parametrize("failing", [status(404), status(503), away])
def test_e5_a_first_message_is_refused_when_the_owner_cannot_be_read(
    stand: Stand, token: str, failing: object
) -> None:
    accepts(stand)
    message(stand, token, "azmcpcs=0123456789ab")
    stand.stage.gateway.services.cache.clear()
    post(stand, token)
    calls = len(stand.store.calls)
    stand.store.failing = {calls: status(404), calls + 2: failing}  # ty: ignore[invalid-assignment]
    assert message(stand, token, "azmcpcs=0123456789ab").status == 404


@pytest.mark.parametrize("failing", [status(503), away])
def test_e5_a_stream_that_cannot_be_kept_is_kept_with_its_next_message(
    stand: Stand, token: str, failing: object
) -> None:
    accepts(stand)
    post(stand, token)
    stand.store.failing = {len(stand.store.calls) + 1: failing}  # ty: ignore[invalid-assignment]
    assert message(stand, token, "azmcpcs=0123456789ab").status == 202
    assert list(stand.store.of("sessions")) == []
    stand.store.failing.clear()
    assert message(stand, token, "azmcpcs=0123456789ab").status == 202
    assert stand.store.one("sessions")["sub"]


# The era without sessions


@pytest.mark.parametrize("version", ["2026-07-28", "2026-12-01", "2030-01-01"])
def test_e5_a_left_over_id_is_dropped_where_there_are_no_sessions(
    stand: Stand, token: str, version: str
) -> None:
    accepts(stand)
    assert post(stand, token, "left over", MCP_Protocol_Version=version).status == 202
    (sent,) = [each for each in stand.stage.wire.sent if "functions.example" in each.url]
    assert (sent.header("Mcp-Session-Id"), sent.header("MCP-Protocol-Version")) == (None, version)
    assert ("GET", "sessions") not in stand.store.calls


@pytest.mark.parametrize(
    "version", ["2025-11-25", "2025-03-26", "2026-07-27", "", "2026-07-28x", "x2026-07-28", "9", "DRAFT"]
)
def test_e5_an_id_counts_in_every_other_version(stand: Stand, token: str, version: str) -> None:
    accepts(stand)
    assert post(stand, token, "unknown", MCP_Protocol_Version=version).status == 404


def test_e5_a_server_begins_no_session_where_there_are_none(stand: Stand, token: str) -> None:
    issues(stand, "new")
    answer = post(stand, token, **MODERN)
    assert (answer.status, answer.header("Mcp-Session-Id")) == (200, None)
    assert list(stand.store.of("sessions")) == []


def test_e5_a_legacy_stream_has_an_owner_whatever_version_its_messages_name(stand: Stand, token: str) -> None:
    accepts(stand)
    assert message(stand, token, "azmcpcs=0123456789ab", **MODERN).status == 202
    assert message(stand, another_client(stand), "azmcpcs=0123456789ab", **MODERN).status == 404


def test_e5_the_answer_to_a_first_message_names_no_other_session(stand: Stand, token: str) -> None:
    issues(stand, "new", 202)
    answer = message(stand, token, "azmcpcs=0123456789ab")
    assert (answer.status, answer.header("Mcp-Session-Id")) == (202, None)
