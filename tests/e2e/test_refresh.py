"""Refresh tokens and revocation through a whole twin, with its Entra and its store."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.client import Client
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment

ADA = "ada@twin.example"


@pytest.fixture
def issued(client: Client, code: str) -> dict[str, str]:
    """The tokens that the client received for its code."""
    return client.redeem(code).json()


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json().get("error")) == (400, "invalid_grant")


def test_d5_a_client_can_refresh_until_its_grant_expires(
    twin: RunningTwin, client: Client, issued: dict[str, str]
) -> None:
    """Thirty days, in steps of a week; the grant stays valid in the store and at Entra."""
    for _ in range(4):
        twin.advance_clock(7 * 86400)
        assert client.call(issued["access_token"]).status_code == 401
        answer = client.refresh(issued["refresh_token"], resource=client.resource, scope="functions")
        assert answer.status_code == 200, answer.text
        issued = answer.json()
        assert client.call(issued["access_token"]).status_code == 200
    twin.advance_clock(3 * 86400)
    assert refused(client.refresh(issued["refresh_token"]))


def test_d5_a_disabled_user_has_no_access_after_the_lifetime_of_an_access_token(
    twin: RunningTwin, client: Client, issued: dict[str, str]
) -> None:
    twin.control.post(f"/entra/users/{ADA}", json={"enabled": False}).raise_for_status()
    assert client.call(issued["access_token"]).status_code == 200
    twin.advance_clock(600)
    assert client.call(issued["access_token"]).status_code == 401
    assert refused(client.refresh(issued["refresh_token"]))
    twin.control.post(f"/entra/users/{ADA}", json={"enabled": True}).raise_for_status()
    assert refused(client.refresh(issued["refresh_token"]))


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 429}, {"error": True}, {"status": 200, "body": "<html>"}], ids=str
)
def test_d5_a_failure_of_entra_does_not_end_a_grant(
    twin: RunningTwin, client: Client, issued: dict[str, str], fault: dict[str, object]
) -> None:
    twin.fault("entra", **fault)
    answer = client.refresh(issued["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert client.call(issued["access_token"]).status_code == 200
    twin.control.delete("/faults").raise_for_status()
    assert client.refresh(issued["refresh_token"]).status_code == 200


def test_d5_a_single_failure_of_entra_is_retried(
    twin: RunningTwin, client: Client, issued: dict[str, str]
) -> None:
    twin.fault("entra", status=503, times=1)
    assert client.refresh(issued["refresh_token"]).status_code == 200


def test_d5_fifty_parallel_refreshes_get_the_same_refresh_token(
    twin: RunningTwin, client: Client, issued: dict[str, str]
) -> None:
    twin.fault("cosmos", delay=0.5, times=50)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: client.refresh(issued["refresh_token"]), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    twin.clear_cache()
    assert client.call(answers[0].json()["access_token"]).status_code == 200


def test_d5_reuse_of_a_refresh_token_also_revokes_access_tokens(
    twin: RunningTwin, client: Client, issued: dict[str, str]
) -> None:
    newest = client.refresh(client.refresh(issued["refresh_token"]).json()["refresh_token"]).json()
    assert client.call(newest["access_token"]).status_code == 200
    assert refused(client.refresh(issued["refresh_token"]))
    twin.clear_cache()
    assert client.call(newest["access_token"]).status_code == 401


def test_d5_no_secret_is_stored_in_clear_text(
    deployment: Deployment, client: Client, issued: dict[str, str]
) -> None:
    again = client.refresh(issued["refresh_token"]).json()
    kept = str(deployment.documents())
    for secret in (issued["access_token"], issued["refresh_token"], again["refresh_token"]):
        assert secret not in kept


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_d6_a_revoked_token_is_refused_everywhere(
    twin: RunningTwin, client: Client, issued: dict[str, str], kind: str
) -> None:
    assert client.call(issued["access_token"]).status_code == 200
    answer = client.revoke(issued[kind])
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.call(issued["access_token"]).status_code == 401
    twin.clear_cache()
    assert client.call(issued["access_token"]).status_code == 401
    assert refused(client.refresh(issued["refresh_token"]))


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("calls_before", [0, 1, 2])
def test_d7_a_refresh_succeeds_although_the_store_throttles_it(
    twin: RunningTwin, client: Client, issued: dict[str, str], calls_before: int, times: int
) -> None:
    if calls_before:
        twin.fault("cosmos", times=calls_before, delay=0.001)
    twin.fault("cosmos", times=times, status=429, headers={"x-ms-retry-after-ms": "20"})
    assert client.refresh(issued["refresh_token"]).status_code == 200


def fail_at(twin: RunningTwin, call: int) -> None:
    """Makes the store fail after this number of calls. tests/failures covers all failures of the store."""
    if call:
        twin.fault("cosmos", times=call, delay=0.001)
    twin.fault("cosmos", times=1, error=True)


def is_store_failure(answer: httpx.Response) -> bool:
    """Whether the response reports a failure of the store; otherwise it must be a success."""
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    return True


@pytest.mark.parametrize("call", range(4))
def test_d7_a_redemption_survives_a_failure_of_each_call(
    twin: RunningTwin, client: Client, code: str, call: int
) -> None:
    """The calls: read the grant, read the client, change the grant, extend the registration."""
    fail_at(twin, call)
    answer = client.redeem(code)
    last = call == 3
    assert is_store_failure(answer) != last
    twin.control.delete("/faults").raise_for_status()
    response = answer.json() if last else client.redeem(code).json()
    twin.clear_cache()
    assert client.call(response["access_token"]).status_code == 200
    assert client.refresh(response["refresh_token"]).status_code == 200


@pytest.mark.parametrize("call", range(2))
def test_d7_a_refresh_survives_a_failure_of_each_call(
    twin: RunningTwin, client: Client, issued: dict[str, str], call: int
) -> None:
    fail_at(twin, call)
    assert is_store_failure(client.refresh(issued["refresh_token"]))
    twin.control.delete("/faults").raise_for_status()
    answer = client.refresh(issued["refresh_token"])
    twin.clear_cache()
    assert client.call(answer.json()["access_token"]).status_code == 200


@pytest.mark.parametrize("call", range(3))
def test_d7_a_revocation_survives_a_failure_of_each_call(
    twin: RunningTwin, client: Client, issued: dict[str, str], call: int
) -> None:
    """The calls: read the grant, read it again, change it."""
    fail_at(twin, call)
    answer = client.revoke(issued["refresh_token"])
    assert is_store_failure(answer)
    twin.control.delete("/faults").raise_for_status()
    assert client.revoke(issued["refresh_token"]).status_code == 200
    twin.clear_cache()
    assert client.call(issued["access_token"]).status_code == 401


def test_d7_a_request_to_the_store_that_times_out_is_repeated(
    twin: RunningTwin, client: Client, issued: dict[str, str]
) -> None:
    """If the store processes the first attempt later, that changes nothing."""
    twin.fault("cosmos", times=1, delay=0.001)
    twin.fault("cosmos", times=1, delay=6)
    refreshed = client.refresh(issued["refresh_token"])
    assert refreshed.status_code == 200
    assert client.refresh(refreshed.json()["refresh_token"]).status_code == 200
