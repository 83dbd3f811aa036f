"""Everything expires exactly to the second, even if the store has not deleted an expired document yet."""

import pytest

from tests.e2e.client import parameters_of
from tests.policies.engine.harness import reply
from tests.policies.oauth.flow import Flow, handle_of


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


@pytest.mark.parametrize(("seconds_left", "status"), [(1, 200), (0, 400), (-1, 400)])
def test_the_consent_page_refuses_an_expired_transaction_that_the_store_still_has(
    flow: Flow, seconds_left: int, status: int
) -> None:
    handle = handle_of(flow.authorize())
    flow.store.one("transactions")["expires"] = flow.now + seconds_left
    assert flow.consent_page(handle).status == status


@pytest.mark.parametrize("decision", ["allow", "deny"])
@pytest.mark.parametrize(("seconds_left", "status"), [(1, 303), (0, 400)])
def test_the_consent_form_refuses_an_expired_transaction_that_the_store_still_has(
    flow: Flow, decision: str, seconds_left: int, status: int
) -> None:
    page = flow.page()
    flow.store.one("transactions")["expires"] = flow.now + seconds_left
    assert flow.consent(page, decision).status == status


@pytest.mark.parametrize(("seconds_left", "status"), [(1, 302), (0, 400)])
def test_the_callback_refuses_an_expired_transaction_that_the_store_still_has(
    flow: Flow, seconds_left: int, status: int
) -> None:
    at_entra = flow.at_entra()
    flow.store.one("transactions")["expires"] = flow.now + seconds_left
    assert flow.callback(at_entra).status == status
    assert len(list(flow.store.of("grants"))) == (1 if status == 302 else 0)


def test_no_step_changes_the_expiry_of_a_transaction(flow: Flow) -> None:
    """The store counts a document's time to live from its last change."""
    page = flow.page()
    document = flow.store.one("transactions")
    assert (document["ttl"], document["expires"]) == (600, flow.now + 600)
    flow.harness.clock.advance(200)
    at_entra = flow.consent(page)
    assert flow.store.one("transactions")["ttl"] == 400
    flow.harness.clock.advance(399)
    flow.callback(at_entra)
    document = flow.store.one("transactions")
    assert (document["ttl"], document["expires"], document["status"]) == (1, flow.now + 1, "claimed")


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
def test_a_code_expires_after_a_minute_even_if_the_store_still_has_it(
    flow: Flow, seconds: int, status: int
) -> None:
    code = flow.code()
    flow.harness.clock.advance(seconds)
    assert flow.redeem(code).status == status
    assert flow.store.one("grants")["status"] == ("redeemed" if status == 200 else "issued")


@pytest.mark.parametrize(("seconds_left", "status"), [(1, 200), (0, 400)])
def test_an_access_token_expires_with_its_grant_at_the_latest(
    flow: Flow, seconds_left: int, status: int
) -> None:
    code = flow.code()
    flow.store.one("grants")["expires"] = flow.now + seconds_left
    answer = flow.redeem(code)
    assert answer.status == status
    assert status == 400 or answer.json()["expires_in"] == seconds_left


def test_an_access_token_expires_exactly_after_expires_in(flow: Flow) -> None:
    answer = flow.redeem(flow.code()).json()
    assert answer["expires_in"] == 600
    flow.harness.clock.advance(599)
    assert flow.call(answer["access_token"]).status == 200
    flow.harness.clock.advance(1)
    assert flow.call(answer["access_token"]).status == 401


@pytest.mark.parametrize(("seconds", "accepted"), [(59, True), (61, False)])
def test_an_id_token_that_expired_less_than_a_minute_ago_is_accepted(
    flow: Flow, seconds: int, accepted: bool
) -> None:
    """Entra's clock may differ from the gateway's clock."""
    at_entra = flow.at_entra()
    flow.tampered = {"nbf": flow.now - 3600, "exp": flow.now - seconds}
    parameters = parameters_of(flow.callback(at_entra).header("Location") or "")
    assert ("code" in parameters) == accepted


def test_b4_a_request_without_a_sign_in_does_not_extend_a_registration(flow: Flow) -> None:
    client = dict(flow.store.one("clients"))
    flow.harness.clock.advance(86400 - 1)
    flow.page()
    assert flow.store.one("clients") == client
    assert client["ttl"] == 86400


def test_b4_the_first_token_request_of_a_sign_in_extends_the_registration(
    flow: Flow,
) -> None:
    """No earlier step extends it, so an unused registration expires after a day."""
    client = dict(flow.store.one("clients"))
    assert client["ttl"] == 86400
    flow.harness.clock.advance(3600)
    code = flow.code()
    assert flow.store.one("clients") == client
    flow.redeem(code)
    extended = flow.store.one("clients")
    assert extended["ttl"] == 90 * 86400
    assert extended["_ts"] == flow.now
    unchanged = client.keys() - {"ttl", "_ts", "_etag"}
    assert {name: extended[name] for name in unchanged} == {name: client[name] for name in unchanged}


@pytest.mark.parametrize("body", ["{}", ""])
def test_a_code_is_redeemed_although_the_registration_no_longer_exists(flow: Flow, body: str) -> None:
    """The registration may have expired in the meantime, or the client has a metadata document."""
    code = flow.code()
    flow.store.documents = {
        key: document for key, document in flow.store.documents.items() if key[0] != "clients"
    }
    flow.store.calls.clear()
    flow.store.failing = {1: lambda: reply(404, body)}
    assert flow.redeem(code).status == 200
    assert not list(flow.store.of("clients"))


def test_a_client_is_read_from_the_store_again_after_thirty_seconds(flow: Flow) -> None:
    reads = []
    for seconds in (0, 29, 2):
        flow.harness.clock.advance(seconds)
        flow.store.calls.clear()
        flow.authorize()
        reads.append(("GET", "clients") in flow.store.calls)
    assert reads == [True, False, True]
