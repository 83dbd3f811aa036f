"""The very second in which something ends, by what the store still holds, not by what it throws away."""

import pytest

from tests.e2e.client import parameters_of
from tests.policies.oauth.stand import Stand, handle_of


@pytest.fixture
def stand() -> Stand:
    return Stand.new()


@pytest.mark.parametrize(("left", "status"), [(1, 200), (0, 400), (-1, 400)])
def test_a_transaction_that_the_store_still_has_ends_at_the_consent_page(
    stand: Stand, left: int, status: int
) -> None:
    handle = handle_of(stand.authorize())
    stand.store.one("transactions")["expires"] = stand.now + left
    assert stand.consent_page(handle).status == status


@pytest.mark.parametrize("decision", ["allow", "deny"])
@pytest.mark.parametrize(("left", "status"), [(1, 303), (0, 400)])
def test_a_transaction_that_the_store_still_has_ends_at_the_answer(
    stand: Stand, decision: str, left: int, status: int
) -> None:
    page = stand.page()
    stand.store.one("transactions")["expires"] = stand.now + left
    assert stand.consent(page, decision).status == status


@pytest.mark.parametrize(("left", "status"), [(1, 302), (0, 400)])
def test_a_transaction_that_the_store_still_has_ends_at_the_callback(
    stand: Stand, left: int, status: int
) -> None:
    at_entra = stand.at_entra()
    stand.store.one("transactions")["expires"] = stand.now + left
    assert stand.callback(at_entra).status == status
    assert len(list(stand.store.of("grants"))) == (1 if status == 302 else 0)


def test_each_step_leaves_a_transaction_what_is_left_of_its_time(stand: Stand) -> None:
    """The store counts a document's time to live from its last change."""
    page = stand.page()
    document = stand.store.one("transactions")
    assert (document["ttl"], document["expires"]) == (600, stand.now + 600)
    stand.stage.clock.advance(200)
    at_entra = stand.consent(page)
    assert stand.store.one("transactions")["ttl"] == 400
    stand.stage.clock.advance(399)
    stand.callback(at_entra)
    document = stand.store.one("transactions")
    assert (document["ttl"], document["expires"], document["status"]) == (1, stand.now + 1, "claimed")


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
def test_a_code_that_the_store_still_has_ends_after_a_minute(stand: Stand, seconds: int, status: int) -> None:
    code = stand.code()
    stand.stage.clock.advance(seconds)
    assert stand.redeem(code).status == status
    assert stand.store.one("grants")["status"] == ("redeemed" if status == 200 else "issued")


@pytest.mark.parametrize(("left", "status"), [(1, 200), (0, 400)])
def test_a_token_ends_with_the_grant_at_the_latest(stand: Stand, left: int, status: int) -> None:
    code = stand.code()
    stand.store.one("grants")["expires"] = stand.now + left
    answer = stand.redeem(code)
    assert answer.status == status
    assert status == 400 or answer.json()["expires_in"] == left


def test_a_token_ends_in_the_second_that_it_names(stand: Stand) -> None:
    answer = stand.redeem(stand.code()).json()
    assert answer["expires_in"] == 600
    stand.stage.clock.advance(599)
    assert stand.call(answer["access_token"]).status == 200
    stand.stage.clock.advance(1)
    assert stand.call(answer["access_token"]).status == 401


@pytest.mark.parametrize(("past", "taken"), [(59, True), (61, False)])
def test_entras_clock_may_be_a_minute_ahead(stand: Stand, past: int, taken: bool) -> None:
    at_entra = stand.at_entra()
    stand.tampered = {"nbf": stand.now - 3600, "exp": stand.now - past}
    heard = parameters_of(stand.callback(at_entra).header("Location") or "")
    assert ("code" in heard) == taken


def test_b4_a_request_without_a_sign_in_extends_no_registration(stand: Stand) -> None:
    client = dict(stand.store.one("clients"))
    stand.stage.clock.advance(86400 - 1)
    stand.page()
    assert stand.store.one("clients") == client
    assert client["ttl"] == 86400


def test_b4_a_registration_lives_a_day_until_its_first_sign_in_and_then_from_the_last_one(
    stand: Stand,
) -> None:
    """Nothing that happens before a user signed in extends it."""
    client = dict(stand.store.one("clients"))
    assert client["ttl"] == 86400
    stand.stage.clock.advance(3600)
    code = stand.code()
    assert stand.store.one("clients") == client
    stand.redeem(code)
    extended = stand.store.one("clients")
    assert extended["ttl"] == 90 * 86400
    assert extended["_ts"] == stand.now
    unchanged = client.keys() - {"ttl", "_ts", "_etag"}
    assert {name: extended[name] for name in unchanged} == {name: client[name] for name in unchanged}


def test_a_sign_in_of_a_client_without_a_registration_works(stand: Stand) -> None:
    """It expired meanwhile, or the client is known by other means."""
    code = stand.code()
    stand.store.documents = {key: each for key, each in stand.store.documents.items() if key[0] != "clients"}
    assert stand.redeem(code).status == 200
    assert not list(stand.store.of("clients"))


def test_a_client_is_looked_up_anew_after_five_minutes(stand: Stand) -> None:
    reads = []
    for seconds in (0, 299, 2):
        stand.stage.clock.advance(seconds)
        stand.store.calls.clear()
        stand.authorize()
        reads.append(("GET", "clients") in stand.store.calls)
    assert reads == [True, False, True]
