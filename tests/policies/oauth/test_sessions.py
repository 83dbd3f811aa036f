"""An MCP session belongs to one user and one client, whom the store records (docs/authorization.md, E5)."""

import json

import pytest

from tests.e2e.client import refusal_of
from tests.policies.engine.harness import Response, reply
from tests.policies.oauth.flow import Flow, status, unreachable

WITHOUT_SESSIONS = {"MCP_Protocol_Version": "2026-07-28"}
MAX_LENGTH = 8192


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


@pytest.fixture
def token(flow: Flow) -> str:
    return flow.token()


def post(flow: Flow, token: str, session: str | None = None, **headers: str) -> Response:
    """Sends a message over streamable HTTP."""
    all_headers = headers | ({"Mcp_Session_Id": session} if session is not None else {})
    return flow.harness.send("POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}", **all_headers)


def message(flow: Flow, token: str, query: str, **headers: str) -> Response:
    """Sends a message to a legacy event stream."""
    return flow.harness.send(
        "POST", "/mcp/message", query, body=b"{}", Authorization=f"Bearer {token}", **headers
    )


def issues(flow: Flow, session: str, code: int = 200) -> None:
    """Makes the server respond with this session id."""
    flow.served = lambda: reply(code, "{}", Mcp_Session_Id=session, Content_Type="application/json")


def accepts(flow: Flow, code: int = 202) -> None:
    """Makes the server respond with this status and no session id."""
    flow.served = lambda: reply(code, "")


def reached(flow: Flow) -> list[str]:
    """The URLs of the requests that the gateway forwarded to the server."""
    return [sent.url for sent in flow.harness.network.sent if "functions.example" in sent.url]


def token_of_another_client(flow: Flow) -> str:
    """An access token of the same user for another client."""
    flow.register()
    return flow.token()


@pytest.mark.parametrize("session", ["x", "a,b", "!~", "x" * MAX_LENGTH])
def test_e5_a_session_id_of_up_to_8_kb_of_visible_ascii_is_accepted(
    flow: Flow, token: str, session: str
) -> None:
    issues(flow, session)
    assert post(flow, token).header("Mcp-Session-Id") == session
    accepts(flow)
    assert post(flow, token, session).status == 202


@pytest.mark.parametrize("session", ["", "a b", "\u00e9", "x" * (MAX_LENGTH + 1), "a\x7f", "a, b"])
def test_e5_a_session_id_that_the_gateway_would_refuse_is_refused_when_the_server_issues_it(
    flow: Flow, token: str, session: str
) -> None:
    issues(flow, session)
    answer = post(flow, token)
    assert (answer.status, refusal_of(answer.json())) == (502, "server_error")
    assert answer.header("Mcp-Session-Id") is None
    assert list(flow.store.of("sessions")) == []
    accepts(flow)
    assert post(flow, token, session).status == 404


def test_e5_a_server_may_repeat_the_id_of_a_session_in_its_responses(flow: Flow, token: str) -> None:
    """The session is stored only once, and its owner is read from the store only once."""
    issues(flow, "x")
    assert {post(flow, token, session).header("Mcp-Session-Id") for session in (None, "x", "x")} == {"x"}
    calls = [method for method, container in flow.store.calls if container == "sessions"]
    assert calls == ["POST", "GET"]


def test_e5_a_request_with_several_session_ids_is_refused(flow: Flow, token: str) -> None:
    issues(flow, "own")
    post(flow, token)
    before = len(reached(flow))
    for sessions in ("own,other", "other,own", "own,own"):
        assert post(flow, token, sessions).status == 404
    assert len(reached(flow)) == before


@pytest.mark.parametrize(
    "session", ["", "1234567", "12345678%0A", "12345678!", "../../../admin!", "%21query%7C12345678"]
)
def test_e5_a_malformed_session_id_in_the_query_is_refused(flow: Flow, token: str, session: str) -> None:
    accepts(flow)
    answer = message(flow, token, f"azmcpcs={session}")
    assert (answer.status, refusal_of(answer.json())) == (404, "invalid_session")
    assert reached(flow) == []
    assert message(flow, token, "azmcpcs=12345678").status == 202


def test_e5_a_request_with_session_ids_in_the_header_and_in_the_query_is_refused(
    flow: Flow, token: str
) -> None:
    """A server might use the id that the gateway did not check."""
    issues(flow, "own")
    post(flow, token)
    accepts(flow)
    count = len(reached(flow))
    assert message(flow, token, "azmcpcs=12345678", Mcp_Session_Id="own").status == 404
    assert len(reached(flow)) == count


def test_e5_another_client_of_the_same_user_cannot_use_a_session(flow: Flow, token: str) -> None:
    issues(flow, "mine")
    post(flow, token)
    accepts(flow)
    other = token_of_another_client(flow)
    answers = [post(flow, other, session) for session in ("mine", "unknown")]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body == answers[1].body
    assert answers[0].json()["error"]["code"] == -32001
    assert post(flow, token, "mine").status == 202


def test_e5_another_client_of_the_same_user_cannot_send_to_an_event_stream(flow: Flow, token: str) -> None:
    accepts(flow)
    assert message(flow, token, "azmcpcs=0123456789ab").status == 202
    assert message(flow, token_of_another_client(flow), "azmcpcs=0123456789ab").status == 404
    assert message(flow, token, "azmcpcs=0123456789ab").status == 202


def test_e5_another_client_cannot_use_another_spelling_of_a_stream_id(flow: Flow, token: str) -> None:
    """A server may treat several spellings as the same id."""
    accepts(flow)
    assert message(flow, token, "azmcpcs=0a1b2c3d-0000-4000-8000-00000000abcd").status == 202
    other = token_of_another_client(flow)
    for spelling in (
        "0A1B2C3D-0000-4000-8000-00000000ABCD",
        "0a1b2c3d00004000800000000000abcd",
        "a1b2c3d-0000-4000-8000-00000000abcd",
        "0a1b2c3d-0000-4000-8000-00000000abce",
    ):
        assert message(flow, other, f"azmcpcs={spelling}").status == 404
    assert message(flow, other, "azmcpcs=0a1b2c3d-0000-4000-8000-00000000bbcd").status == 202


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_e5_a_stream_whose_message_the_server_refuses_is_not_stored(
    flow: Flow, token: str, code: int
) -> None:
    accepts(flow, code)
    for number in range(3):
        message(flow, token, f"azmcpcs=0123456789ab{number}")
    assert list(flow.store.of("sessions")) == []


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_e5_a_session_in_an_error_response_is_not_stored(flow: Flow, token: str, code: int) -> None:
    issues(flow, "new", code)
    assert post(flow, token).header("Mcp-Session-Id") is None
    assert list(flow.store.of("sessions")) == []


def test_e5_an_unknown_session_is_not_stored(flow: Flow, token: str) -> None:
    accepts(flow)
    before = len(reached(flow))
    assert post(flow, token, "unknown").status == 404
    assert list(flow.store.of("sessions")) == []
    assert len(reached(flow)) == before


def test_e5_the_stored_session_has_only_its_user_and_client(flow: Flow, token: str) -> None:
    issues(flow, "mine")
    post(flow, token)
    grant, session = flow.store.one("grants"), flow.store.one("sessions")
    assert {name: session[name] for name in ("sub", "clientDocumentId", "ttl")} == {
        "sub": grant["sub"],
        "clientDocumentId": grant["clientDocumentId"],
        "ttl": 86400,
    }
    assert "mine" not in json.dumps(session)


def test_e5_a_session_id_that_a_server_issues_again_still_belongs_to_its_owner(
    flow: Flow, token: str
) -> None:
    issues(flow, "mine")
    assert [post(flow, token).status for _ in range(2)] == [200, 200]
    answer = post(flow, token_of_another_client(flow))
    assert (answer.status, refusal_of(answer.json())) == (502, "invalid_session")


@pytest.mark.parametrize("failing", [status(403), status(503), unreachable])
def test_e5_a_session_id_whose_owner_cannot_be_stored_is_not_returned_to_the_client(
    flow: Flow, token: str, failing: object
) -> None:
    issues(flow, "mine")
    flow.store.failing = {len(flow.store.calls) + 1: failing}  # ty: ignore[invalid-assignment]
    answer = post(flow, token)
    assert (answer.status, answer.header("Mcp-Session-Id")) == (503, None)
    assert (answer.header("Retry-After"), refusal_of(answer.json())) == ("5", "temporarily_unavailable")


@pytest.mark.parametrize("failing", [status(404), status(503), unreachable])
def test_e5_a_session_id_whose_owner_cannot_be_read_is_not_returned_to_the_client(
    flow: Flow, token: str, failing: object
) -> None:
    issues(flow, "mine")
    post(flow, token)
    calls = len(flow.store.calls)
    flow.store.failing = {calls + 1: failing}  # ty: ignore[invalid-assignment]
    answer = post(flow, token)
    assert (answer.status, answer.header("Mcp-Session-Id")) == (502, None)


def test_e5_of_two_parallel_first_messages_only_one_stores_the_owner_of_the_stream(
    flow: Flow, token: str
) -> None:
    """Both find no owner in the store, and the store rejects the second write."""
    accepts(flow)
    other = token_of_another_client(flow)
    message(flow, token, "azmcpcs=0123456789ab")
    flow.harness.gateway.services.cache.clear()
    post(flow, other)
    post(flow, token)
    for sender, code in ((other, 404), (token, 202)):
        flow.store.failing = {len(flow.store.calls): status(404)}
        assert message(flow, sender, "azmcpcs=0123456789ab").status == code


@pytest.mark.parametrize("failing", [status(404), status(503), unreachable])
def test_e5_a_first_message_is_refused_when_the_owner_cannot_be_read(
    flow: Flow, token: str, failing: object
) -> None:
    accepts(flow)
    message(flow, token, "azmcpcs=0123456789ab")
    flow.harness.gateway.services.cache.clear()
    post(flow, token)
    calls = len(flow.store.calls)
    flow.store.failing = {calls: status(404), calls + 2: failing}  # ty: ignore[invalid-assignment]
    assert message(flow, token, "azmcpcs=0123456789ab").status == 404


@pytest.mark.parametrize("failing", [status(503), unreachable])
def test_e5_a_stream_that_cannot_be_stored_is_stored_with_its_next_message(
    flow: Flow, token: str, failing: object
) -> None:
    accepts(flow)
    post(flow, token)
    flow.store.failing = {len(flow.store.calls) + 1: failing}  # ty: ignore[invalid-assignment]
    assert message(flow, token, "azmcpcs=0123456789ab").status == 202
    assert list(flow.store.of("sessions")) == []
    flow.store.failing.clear()
    assert message(flow, token, "azmcpcs=0123456789ab").status == 202
    assert flow.store.one("sessions")["sub"]


# Versions without sessions


@pytest.mark.parametrize("version", ["2026-07-28", "2026-12-01", "2030-01-01"])
def test_e5_a_session_id_is_dropped_in_a_version_without_sessions(
    flow: Flow, token: str, version: str
) -> None:
    accepts(flow)
    assert post(flow, token, "left over", MCP_Protocol_Version=version).status == 202
    (sent,) = [request for request in flow.harness.network.sent if "functions.example" in request.url]
    assert (sent.header("Mcp-Session-Id"), sent.header("MCP-Protocol-Version")) == (None, version)
    assert ("GET", "sessions") not in flow.store.calls


@pytest.mark.parametrize(
    "version", ["2025-11-25", "2025-03-26", "2026-07-27", "", "2026-07-28x", "x2026-07-28", "9", "DRAFT"]
)
def test_e5_an_unknown_session_id_is_refused_in_every_other_version(
    flow: Flow, token: str, version: str
) -> None:
    accepts(flow)
    assert post(flow, token, "unknown", MCP_Protocol_Version=version).status == 404


def test_e5_a_server_cannot_begin_a_session_in_a_version_without_sessions(flow: Flow, token: str) -> None:
    issues(flow, "new")
    answer = post(flow, token, **WITHOUT_SESSIONS)
    assert (answer.status, answer.header("Mcp-Session-Id")) == (200, None)
    assert list(flow.store.of("sessions")) == []


def test_e5_a_legacy_stream_has_an_owner_regardless_of_the_version_of_its_messages(
    flow: Flow, token: str
) -> None:
    accepts(flow)
    assert message(flow, token, "azmcpcs=0123456789ab", **WITHOUT_SESSIONS).status == 202
    assert (
        message(flow, token_of_another_client(flow), "azmcpcs=0123456789ab", **WITHOUT_SESSIONS).status == 404
    )


def test_e5_a_session_id_in_the_response_to_a_stream_message_is_removed(flow: Flow, token: str) -> None:
    issues(flow, "new", 202)
    answer = message(flow, token, "azmcpcs=0123456789ab")
    assert (answer.status, answer.header("Mcp-Session-Id")) == (202, None)
