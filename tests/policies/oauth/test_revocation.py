"""The revocation endpoint (RFC 7009)."""

import base64
from collections.abc import Callable

import pytest

from tests.policies.engine.stage import Got
from tests.policies.oauth.stand import FORM, Failing, Stand, away, status


@pytest.fixture
def stand() -> Stand:
    return Stand.new()


def tokens(stand: Stand) -> dict[str, str]:
    return stand.redeem(stand.code()).json()


def alive(stand: Stand) -> bool:
    return stand.store.one("grants")["status"] == "redeemed"


def done(answer: Got) -> bool:
    """Whether the answer is 200, and nothing else."""
    assert (answer.header("Cache-Control"), answer.header("Access-Control-Allow-Origin")) == ("no-store", "*")
    assert answer.status != 200 or answer.body == b""
    return answer.status == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "unheard_of"])
def test_d6_either_token_ends_the_sign_in(stand: Stand, kind: str, hint: str | None) -> None:
    """The hint is a hint: it may be wrong (RFC 7009, section 2.1)."""
    given = tokens(stand)
    assert stand.call(given["access_token"]).status == 200
    assert done(stand.revoke(given[kind], token_type_hint=hint))
    assert stand.call(given["access_token"]).status == 401
    assert stand.refresh(given["refresh_token"]).json()["error"] == "invalid_grant"
    assert not {"entraToken", "refreshSecret"} & stand.store.one("grants").keys()
    assert done(stand.revoke(given[kind]))


def test_d6_another_region_follows_within_thirty_seconds(stand: Stand) -> None:
    """Its cache still says that the grant is good."""
    given = tokens(stand)
    stand.call(given["access_token"])
    stand.stage.gateway.services.cache.fail_stores = True
    try:
        stand.revoke(given["refresh_token"])
    finally:
        stand.stage.gateway.services.cache.fail_stores = False
    stand.stage.clock.advance(29)
    assert stand.call(given["access_token"]).status == 200
    stand.stage.clock.advance(1)
    assert stand.call(given["access_token"]).status == 401


def test_d6_an_emptied_cache_makes_no_token_valid_again(stand: Stand) -> None:
    given = tokens(stand)
    stand.revoke(given["refresh_token"])
    stand.stage.gateway.services.cache.clear()
    assert stand.call(given["access_token"]).status == 401


def test_d6_an_old_refresh_token_of_the_client_ends_the_sign_in_too(stand: Stand) -> None:
    token = tokens(stand)["refresh_token"]
    stand.refresh(stand.refresh(token).json()["refresh_token"])
    assert done(stand.revoke(token))
    assert not alive(stand)


def changed(token: str) -> str:
    """The token with another letter in its MAC."""
    return token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]


UNKNOWN: dict[str, Callable[[Stand, dict[str, str]], str]] = {
    "nothing of ours": lambda _s, _t: "x",
    "a JWT": lambda _s, _t: "e30.e30.e30",
    "a code": lambda stand, _t: stand.code(),
    "a changed refresh token": lambda _s, t: (
        t["refresh_token"][:-1] + ("A" if t["refresh_token"][-1] != "A" else "B")
    ),
    "a refresh token with another counter": lambda _s, t: t["refresh_token"].replace(".1.", ".2.", 1),
    "a refresh token of an unknown grant": lambda _s, t: "A" * 22 + t["refresh_token"][22:],
    "a changed access token": lambda _s, t: (
        t["access_token"][:-1] + ("A" if t["access_token"][-1] != "A" else "B")
    ),
    "what is sealed in the store": lambda stand, _t: stand.store.one("grants")["entraToken"],
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_d6_an_unknown_token_is_no_error_and_does_no_harm(stand: Stand, name: str) -> None:
    given = tokens(stand)
    presented = UNKNOWN[name](stand, given)
    before = dict(stand.store.documents)
    assert done(stand.revoke(presented))
    assert stand.store.documents == before
    assert stand.refresh(given["refresh_token"]).status == 200


def test_d6_an_expired_access_token_ends_nothing(stand: Stand) -> None:
    given = tokens(stand)
    stand.stage.clock.advance(600)
    assert done(stand.revoke(given["access_token"]))
    assert alive(stand)


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_d6_a_token_of_another_client_is_refused_and_does_no_harm(stand: Stand, kind: str) -> None:
    given = tokens(stand)
    own = stand.client_id
    stand.register()
    answer = stand.revoke(given[kind])
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert alive(stand)
    assert done(stand.revoke(given[kind], client_id=own))
    assert not alive(stand)


@pytest.mark.parametrize(
    "changed", [{"token": None}, {"token": ""}, {"client_id": None}, {"client_id": ""}], ids=str
)
def test_d6_a_request_names_a_token_and_a_client(stand: Stand, changed: dict[str, str | None]) -> None:
    given = tokens(stand)
    answer = stand.revoke(**{"token": given["refresh_token"]} | changed)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert alive(stand)


def test_d6_a_request_is_a_form_with_each_parameter_once(stand: Stand) -> None:
    form = f"token={tokens(stand)['refresh_token']}&client_id={stand.client_id}"
    for body, content_type in (
        (form + "&client_id=x", FORM),
        (form + "&token=x", FORM),
        (form, "text/plain"),
        ("{}", "application/json"),
    ):
        answer = stand.post("/revoke", body, content_type=content_type)
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert alive(stand)
    assert stand.post("/revoke", form + "&more=1", content_type=FORM).status == 200
    assert not alive(stand)


def test_d6_the_client_may_be_in_the_authorization_header(stand: Stand) -> None:
    token = tokens(stand)["refresh_token"]
    credentials = base64.b64encode(f"{stand.client_id}:".encode()).decode()
    answer = stand.stage.ask(
        "POST",
        "/revoke",
        body=f"token={token}".encode(),
        Content_Type=FORM,
        Authorization=f"Basic {credentials}",
    )
    assert done(answer)
    assert not alive(stand)


# Calls of the store: the grant; the grant again and its change, for the revocation.


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("failing", [away, status(503), status(403)])
def test_d7_a_revocation_that_fails_says_so_and_can_be_repeated(
    stand: Stand, number: int, failing: Failing
) -> None:
    token = tokens(stand)["refresh_token"]
    stand.store.calls.clear()
    stand.store.failing = {number: failing}
    answer = stand.revoke(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert alive(stand)
    assert done(stand.revoke(token))
    assert not alive(stand)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_d7_a_grant_that_disappears_needs_no_revocation(stand: Stand, number: int) -> None:
    token = tokens(stand)["refresh_token"]
    stand.store.calls.clear()
    stand.store.failing = {number: status(404)}
    assert done(stand.revoke(token))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_d7_a_throttled_call_of_a_revocation_is_repeated(stand: Stand, number: int) -> None:
    token = tokens(stand)["refresh_token"]
    stand.store.calls.clear()
    stand.store.failing = {number: status(429)}
    assert done(stand.revoke(token))
    assert not alive(stand)


def test_d7_a_revocation_that_is_overtaken_reads_the_grant_again(stand: Stand) -> None:
    token = tokens(stand)["refresh_token"]
    stand.store.calls.clear()
    stand.store.failing = {2: status(412)}
    assert done(stand.revoke(token))
    assert not alive(stand)


def test_d6_another_sign_in_with_the_same_client_is_not_affected(stand: Stand) -> None:
    first, second = tokens(stand), tokens(stand)
    assert done(stand.revoke(first["refresh_token"]))
    assert stand.call(first["access_token"]).status == 401
    assert stand.call(second["access_token"]).status == 200
    assert stand.refresh(second["refresh_token"]).status == 200


# Blocked clients


def test_a_client_that_an_operator_blocked_gets_no_page_and_no_token(stand: Stand) -> None:
    code = stand.code()
    client = stand.store.one("clients")
    client["blocked"] = {"at": stand.now, "ttl": 86400}
    answer = stand.redeem(code)
    assert (answer.status, answer.json()["error"]) == (400, "unauthorized_client")
    assert stand.store.one("grants")["status"] == "issued"
    stand.stage.clock.advance(300)
    page = stand.authorize()
    assert (page.status, page.header("Location")) == (403, None)
    assert b"blocked" in page.body
    del client["blocked"]
    stand.stage.gateway.services.cache.clear()
    assert stand.authorize().status == 302
