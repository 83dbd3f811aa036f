"""The owner of an MCP session, through the whole twin (docs/authorization.md, E5)."""

import secrets

import httpx
import pytest

from tests.e2e.client import Client, parameters_of, refusal_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person


@pytest.fixture
def other_token(twin: RunningTwin, client: Client) -> str:
    """A token of another user of the same client."""
    code = parameters_of(twin.person("Grace Hopper").sign_in(client.authorize_url()))["code"]
    return client.redeem(code).json()["access_token"]


@pytest.fixture
def session(twin: RunningTwin, client: Client, token: str) -> str:
    """A new session of the user with `token`."""
    session = secrets.token_hex(8)
    twin.fault("functions", status=200, times=1, headers={"Mcp-Session-Id": session}, body="{}")
    assert client.call(token, method="initialize").headers["mcp-session-id"] == session
    return session


def in_session(client: Client, token: str, session: str) -> httpx.Response:
    return client.call(token, headers={"Mcp-Session-Id": session})


def served(twin: RunningTwin, client: Client, token: str, session: str) -> bool:
    """Whether a request in the session reaches the server, which has this session."""
    twin.fault("functions", status=200, times=1, body="{}")
    return in_session(client, token, session).status_code == 200


def message(client: Client, token: str, session: str) -> httpx.Response:
    return client.call(token, url=f"{client.resource}/message", params={"azmcpcs": session})


def calls(twin: RunningTwin) -> int:
    return len(twin.received("functions"))


@pytest.mark.parametrize("cache", ["kept", "emptied"])
def test_e5_a_session_belongs_to_the_user_who_started_it(
    twin: RunningTwin, client: Client, token: str, other_token: str, session: str, cache: str
) -> None:
    if cache == "emptied":
        twin.clear_cache()
    before = calls(twin)
    assert in_session(client, other_token, session).status_code == 404
    assert calls(twin) == before
    assert served(twin, client, token, session)


def test_e5_another_users_session_is_answered_like_an_unknown_one(
    client: Client, other_token: str, session: str
) -> None:
    foreign, unknown = (
        in_session(client, other_token, session),
        in_session(client, other_token, secrets.token_hex(8)),
    )
    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content)
    assert refusal_of(foreign.json()) == "invalid_session"


def test_e5_a_new_token_of_the_same_user_can_continue_the_session(
    twin: RunningTwin, client: Client, ada: Person, session: str
) -> None:
    again = client.redeem(parameters_of(ada.sign_in(client.authorize_url()))["code"]).json()["access_token"]
    assert served(twin, client, again, session)


def test_e5_two_session_ids_are_rejected(client: Client, token: str, session: str) -> None:
    answer = client.http.post(
        client.resource,
        json={},
        headers=[("Authorization", f"Bearer {token}"), ("Mcp-Session-Id", session), ("Mcp-Session-Id", "x")],
    )
    assert answer.status_code == 404


def test_e5_a_session_whose_owner_cannot_be_stored_is_an_error(
    twin: RunningTwin, client: Client, token: str
) -> None:
    client.call(token)
    twin.fault("functions", status=200, times=1, headers={"Mcp-Session-Id": "s"}, body="{}")
    twin.fault("cosmos", status=503, times=1)
    answer = client.call(token, method="initialize")
    assert answer.status_code == 503
    assert "mcp-session-id" not in answer.headers


def test_e5_the_first_event_of_a_legacy_stream_binds_the_session_to_its_user(
    twin: RunningTwin, client: Client, token: str, other_token: str
) -> None:
    stream = secrets.token_hex(8)
    twin.fault("functions", status=202, times=1)
    assert message(client, token, stream).status_code == 202
    before = calls(twin)
    assert message(client, other_token, stream).status_code == 404
    twin.clear_cache()
    assert message(client, other_token, stream).status_code == 404
    assert calls(twin) == before
    twin.fault("functions", status=202, times=1)
    assert message(client, token, stream).status_code == 202


@pytest.mark.parametrize(
    "query",
    [
        "azmcpcs={id}&azmcpcs=zzzzzzzz",
        "azmcpcs={id}&azmcpcs",
        "azmcpcs={upper}",
        "azmcpcs={hyphens}",
        "azmcpcs=0{id}",
        "azmcpcs=0x{id}",
        "azmcpcs=%2B{id}",
        "azmcpcs={last}",
        "azmcpcs={id}%2Cx",
        "azmcpcs={id}%3B",
        "azmcpcs=urn:uuid:{id}",
        "azmcpcs=short",
        "azmcpcs={id}&azmcpcs={id}",
    ],
)
def test_e5_no_encoding_of_the_id_gives_access_to_another_users_stream(
    twin: RunningTwin, client: Client, token: str, other_token: str, query: str
) -> None:
    stream = "0a" + secrets.token_hex(7)
    twin.fault("functions", status=202, times=1)
    assert message(client, token, stream).status_code == 202
    spelled = query.format(
        id=stream, upper=stream.upper(), hyphens=stream[:4] + "-" + stream[4:], last=stream[:-1] + "Z"
    )
    before = calls(twin)
    assert client.call(other_token, url=f"{client.resource}/message?{spelled}").status_code == 404
    assert calls(twin) == before


def test_e5_a_callers_session_gives_no_access_to_another_users_stream(
    twin: RunningTwin, client: Client, token: str, other_token: str, session: str
) -> None:
    stream = secrets.token_hex(8)
    twin.fault("functions", status=202, times=1)
    assert message(client, other_token, stream).status_code == 202
    before = calls(twin)
    answer = client.call(
        token,
        url=f"{client.resource}/message",
        params={"azmcpcs": stream},
        headers={"Mcp-Session-Id": session},
    )
    assert answer.status_code == 404
    assert calls(twin) == before


@pytest.mark.parametrize("path", ["", "/message"])
def test_e5_a_callers_stream_gives_no_access_to_another_users_session(
    twin: RunningTwin, client: Client, other_token: str, session: str, path: str
) -> None:
    stream = secrets.token_hex(8)
    twin.fault("functions", status=202, times=1)
    assert message(client, other_token, stream).status_code == 202
    before = calls(twin)
    url = f"{client.resource}{path}"
    answer = client.call(
        other_token, url=url, params={"azmcpcs": stream}, headers={"Mcp-Session-Id": session}
    )
    assert answer.status_code == 404
    assert calls(twin) == before


def test_e5_the_stored_owner_of_a_session_expires(deployment: Deployment, session: str) -> None:
    del session
    kept = [
        document
        for document in deployment.documents()
        if set(document) >= {"sub", "ttl"} and "status" not in document
    ]
    assert kept
    assert all(0 < document["ttl"] <= 24 * 3600 for document in kept)


def test_e5_a_session_without_a_known_owner_is_not_returned(
    twin: RunningTwin, client: Client, token: str, session: str
) -> None:
    client.call(token)
    twin.fault("functions", status=200, times=1, headers={"Mcp-Session-Id": session}, body="{}")
    twin.fault("cosmos", status=409, times=1)
    twin.fault("cosmos", status=503, times=1)
    answer = client.call(token, method="initialize")
    assert answer.status_code == 502
    assert "mcp-session-id" not in answer.headers


def test_e5_a_rejected_request_starts_no_session(twin: RunningTwin, client: Client, token: str) -> None:
    """The Python SDK sends a session id even in the error for a missing session."""
    named = {"Mcp-Session-Id": secrets.token_hex(8), "Content-Type": "application/json"}
    twin.fault("functions", status=400, times=1, headers=named, body='{"jsonrpc":"2.0"}')
    answer = client.http.get(client.resource, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (400, {"jsonrpc": "2.0"})
    assert "mcp-session-id" not in answer.headers


def test_e5_a_session_may_get_a_new_id(
    twin: RunningTwin, client: Client, token: str, other_token: str, session: str
) -> None:
    later = secrets.token_hex(8)
    twin.fault("functions", status=200, times=1, headers={"Mcp-Session-Id": later}, body="{}")
    assert in_session(client, token, session).headers["mcp-session-id"] == later
    assert in_session(client, other_token, later).status_code == 404
    assert served(twin, client, token, later)


def test_e5_a_repeated_session_id_is_returned_only_to_its_owner(
    twin: RunningTwin, client: Client, token: str, other_token: str, session: str
) -> None:
    for holder, status in ((other_token, 502), (token, 200)):
        twin.fault("functions", status=200, times=1, headers={"Mcp-Session-Id": session}, body="{}")
        assert client.call(holder, method="initialize").status_code == status


def test_e5_session_ids_of_the_two_transports_are_not_interchangeable(
    twin: RunningTwin, client: Client, token: str, session: str, other_token: str
) -> None:
    """A legacy id belongs to its first user; it gives no access to a session with an issued id."""
    message(client, other_token, session + "x")
    coming = secrets.token_hex(8)
    message(client, other_token, coming + "x")
    twin.fault("functions", status=200, times=1, headers={"Mcp-Session-Id": coming}, body="{}")
    assert client.call(token, method="initialize").status_code == 200
    assert in_session(client, other_token, session).status_code == 404
    assert served(twin, client, token, session)


def test_e5_no_session_is_accepted_without_the_store(
    twin: RunningTwin, client: Client, token: str, session: str
) -> None:
    client.call(token)
    twin.fault("cosmos", status=503, times=1)
    assert in_session(client, token, session).status_code == 503
    assert served(twin, client, token, session)
