"""Refresh tokens: rotation, repetition, reuse, and what Entra says about the user meanwhile."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TypeVar

import pytest

from apim.failure import SendError
from apim.network import Reply
from apim.policies import retry
from tests.policies.engine.stage import Got, Stage, reply
from tests.policies.oauth.stand import (
    FORM,
    GATEWAY,
    RESOURCE,
    Failing,
    Stand,
    StandingClock,
    away,
    declared,
    status,
)

Result = TypeVar("Result")


@pytest.fixture
def stand() -> Stand:
    return Stand.new()


def refused(answer: Got) -> bool:
    """Whether the answer is exactly `invalid_grant`."""
    if answer.status == 200:
        return False
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.header("Cache-Control") == "no-store"
    return True


def alive(stand: Stand) -> bool:
    """Whether the grant is still good, as far as the store knows."""
    return stand.store.one("grants")["status"] == "redeemed"


def successor(stand: Stand, token: str) -> str:
    answer = stand.refresh(token)
    assert answer.status == 200, answer.body
    return answer.json()["refresh_token"]


# Rotation


def test_d5_a_refresh_gives_new_tokens(stand: Stand) -> None:
    given = stand.redeem(stand.code()).json()
    assert set(given) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    stand.stage.clock.advance(601)
    assert stand.call(given["access_token"]).status == 401
    answer = stand.refresh(given["refresh_token"])
    assert answer.header("Cache-Control") == "no-store"
    refreshed = answer.json()
    assert refreshed | {"access_token": "", "refresh_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "functions",
        "refresh_token": "",
    }
    assert refreshed["refresh_token"] != given["refresh_token"]
    assert stand.call(refreshed["access_token"]).status == 200
    claims = stand.opened(refreshed["access_token"])
    assert (claims["aud"], claims["client_id"]) == (RESOURCE, stand.client_id)
    assert claims["gid"] == stand.store.one("grants")["id"]


def test_d5_a_client_stays_connected_for_the_lifetime_of_the_grant_and_no_longer(stand: Stand) -> None:
    end = stand.now + 30 * 86400
    token = stand.refresh_token()
    for _ in range(29):
        stand.stage.clock.advance(86400)
        token = successor(stand, token)
        assert stand.store.one("grants")["ttl"] == end - stand.now
    stand.stage.clock.advance(86390)
    answer = stand.refresh(token).json()
    assert answer["expires_in"] == 10
    stand.stage.clock.advance(10)
    assert refused(stand.refresh(answer["refresh_token"]))
    assert refused(stand.refresh(token))


def test_d5_the_lifetime_of_the_grant_is_a_setting() -> None:
    stand = Stand.at(_stage(grantDays="1"))
    token = stand.refresh_token()
    stand.stage.clock.advance(86399)
    token = successor(stand, token)
    stand.stage.clock.advance(1)
    assert refused(stand.refresh(token))


# Repetition and reuse


def test_d5_the_same_token_gives_the_same_new_one_again(stand: Stand) -> None:
    token = stand.refresh_token()
    answers = []
    for seconds in (0, 60, 59):
        stand.stage.clock.advance(seconds)
        answers.append(stand.refresh(token).json())
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert len({answer["access_token"] for answer in answers}) == 3
    for answer in answers:
        assert stand.call(answer["access_token"]).status == 200
    assert alive(stand)


def test_d5_a_repetition_costs_no_call_of_entra_and_no_write(stand: Stand) -> None:
    token = stand.refresh_token()
    stand.refresh(token)
    stand.store.calls.clear()
    stand.asked = {}
    stand.refresh(token)
    assert (stand.store.calls, stand.asked) == ([("GET", "grants")], {})


def test_d5_a_refresh_token_used_after_the_grace_period_revokes_the_family(stand: Stand) -> None:
    token = stand.refresh_token()
    given = stand.refresh(token).json()
    stand.stage.clock.advance(120)
    assert refused(stand.refresh(token))
    assert not alive(stand)
    assert refused(stand.refresh(given["refresh_token"]))
    assert stand.call(given["access_token"]).status == 401


def test_d5_a_refresh_token_whose_successor_was_used_revokes_the_family(stand: Stand) -> None:
    first = stand.refresh_token()
    second = successor(stand, first)
    given = stand.refresh(second).json()
    assert refused(stand.refresh(first))
    assert not alive(stand)
    assert refused(stand.refresh(second))
    assert refused(stand.refresh(given["refresh_token"]))
    assert stand.call(given["access_token"]).status == 401


def test_d5_a_revoked_grant_keeps_nothing_that_only_a_valid_one_needs(stand: Stand) -> None:
    first = stand.refresh_token()
    successor(stand, successor(stand, first))
    stand.refresh(first)
    document = stand.store.one("grants")
    assert document["status"] == "revoked"
    assert not {"entraToken", "refreshSecret"} & document.keys()
    assert document["ttl"] == 30 * 86400


def test_d5_the_grace_period_is_a_setting() -> None:
    stand = Stand.at(_stage(refreshGraceSeconds="0"))
    token = stand.refresh_token()
    stand.refresh(token)
    assert refused(stand.refresh(token))
    assert not alive(stand)


def test_d5_of_two_requests_at_once_both_get_the_same_new_token(stand: Stand) -> None:
    """The second one read the grant before the first one changed it."""
    token = stand.refresh_token()
    first: list[Got] = []

    def faster() -> Reply:
        stand.store.failing.clear()
        first.append(_elsewhere(lambda: stand.refresh(token)))
        return reply(412, "{}")

    stand.store.calls.clear()
    stand.store.failing = {1: faster}
    second = stand.refresh(token)
    assert second.json()["refresh_token"] == first[0].json()["refresh_token"]
    assert stand.store.one("grants")["counter"] == 2
    assert alive(stand)


def test_d5_a_request_that_is_overtaken_by_a_revocation_gets_nothing(stand: Stand) -> None:
    token = stand.refresh_token()

    def revoked() -> Reply:
        stand.store.one("grants")["status"] = "revoked"
        return reply(412, "{}")

    stand.store.calls.clear()
    stand.store.failing = {1: revoked}
    assert refused(stand.refresh(token))


def test_d5_a_request_that_is_overtaken_twice_is_reuse(stand: Stand) -> None:
    token = stand.refresh_token()

    def overtaken() -> Reply:
        stand.store.failing.clear()
        _elsewhere(lambda: successor(stand, successor(stand, token)))
        return reply(412, "{}")

    stand.store.calls.clear()
    stand.store.failing = {1: overtaken}
    assert refused(stand.refresh(token))
    assert not alive(stand)


# What is no refresh token of the client


@pytest.mark.parametrize(
    "changed",
    [
        "{gid}.{counter}.{version}.{tampered}",
        "{gid}.2.{version}.{mac}",
        "{gid}.01.{version}.{mac}",
        "{gid}.{counter}.2.{mac}",
        "{gid}.{counter}.9.{mac}",
        "{other}.{counter}.{version}.{mac}",
        "{gid}.{counter}.{version}.{mac}.",
        "{gid}.{counter}.{version}.{mac}\n",
        "{gid}.{counter}.{version}",
        "{gid}.-1.{version}.{mac}",
        "{gid}.99999999999999999999.{version}.{mac}",
        "{gid}..{version}.{mac}",
        "x",
        "../../clients",
        "{gid}",
    ],
)
def test_d5_a_token_without_a_valid_mac_is_refused_and_does_no_harm(stand: Stand, changed: str) -> None:
    token = stand.refresh_token()
    gid, counter, version, mac = token.split(".")
    tampered = ("A" if mac[0] != "A" else "B") + mac[1:]
    parts = {"gid": gid, "counter": counter, "version": version, "mac": mac, "tampered": tampered}
    before = dict(stand.store.documents)
    assert refused(stand.refresh(changed.format(**parts, other="A" * 22)))
    assert stand.store.documents == before
    assert stand.refresh(token).status == 200


def test_d5_every_bit_of_the_mac_counts(stand: Stand) -> None:
    token = stand.refresh_token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for position in range(len(token) - 43, len(token)):
        flipped = alphabet[alphabet.index(token[position]) ^ 1]
        assert refused(stand.refresh(token[:position] + flipped + token[position + 1 :]))
    assert alive(stand)
    assert stand.refresh(token).status == 200


def test_d5_a_copy_of_the_store_is_not_enough_to_make_a_token(stand: Stand) -> None:
    """The MAC of another grant's secret, or of another gateway's key, is as wrong as any."""
    token = stand.refresh_token()
    secret = stand.store.one("grants")["refreshSecret"]
    stand.store.one("grants")["refreshSecret"] = "A" * 43
    assert refused(stand.refresh(token))
    stand.store.one("grants")["refreshSecret"] = secret
    assert stand.refresh(token).status == 200


def test_d5_a_refresh_token_of_another_client_does_no_harm(stand: Stand) -> None:
    token = stand.refresh_token()
    own = stand.client_id
    stand.register()
    assert refused(stand.refresh(token))
    assert alive(stand)
    assert stand.refresh(token, client_id=own).status == 200


def test_d5_a_code_is_no_refresh_token_and_a_refresh_token_no_code(stand: Stand) -> None:
    code = stand.code()
    assert refused(stand.refresh(code))
    token = stand.redeem(code).json()["refresh_token"]
    assert refused(stand.redeem(token))
    assert alive(stand)


def test_d5_a_refresh_token_ahead_of_the_store_is_refused_and_does_no_harm(stand: Stand) -> None:
    """As after the restoration of the store from a backup."""
    token = stand.refresh_token()
    backup = dict(stand.store.one("grants"))
    ahead = successor(stand, token)
    key = ("grants", backup["id"])
    stand.store.documents[key] = backup
    assert refused(stand.refresh(ahead))
    assert alive(stand)


# Who gets one


def test_d5_a_client_need_not_ask_for_offline_access(stand: Stand) -> None:
    assert "refresh_token" in stand.redeem(stand.code()).json()
    stand.register(grant_types=["authorization_code", "refresh_token"])
    assert "refresh_token" in stand.redeem(stand.code()).json()


def test_d5_without_a_refresh_token_from_entra_there_is_none(stand: Stand) -> None:
    """The gateway could not find out later whether the user may still sign in."""
    at_entra = stand.at_entra()
    stand.entra = lambda: stand.signed_in_at_entra(refresh_token=None)
    code = stand.callback(at_entra).header("Location") or ""
    answer = stand.redeem(code.partition("code=")[2].partition("&")[0]).json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert not {"counter", "entraToken", "refreshSecret"} & stand.store.one("grants").keys()


# What a refresh may ask for


@pytest.mark.parametrize(
    ("granted", "asked", "audience"),
    [
        (RESOURCE, [], RESOURCE),
        (RESOURCE, [""], RESOURCE),
        (RESOURCE, [RESOURCE], RESOURCE),
        (RESOURCE, [RESOURCE, RESOURCE + "/"], RESOURCE),
        (RESOURCE, [GATEWAY], RESOURCE),
        (RESOURCE, [RESOURCE, GATEWAY], RESOURCE),
        (RESOURCE, [GATEWAY + "/other"], None),
        (RESOURCE, [RESOURCE, GATEWAY + "/other"], None),
        (RESOURCE, ["https://evil.example"], None),
        (GATEWAY, [], GATEWAY),
        (GATEWAY, [RESOURCE], RESOURCE),
        (GATEWAY, [GATEWAY + "/other"], None),
    ],
    ids=str,
)
def test_d5_a_resource_may_narrow_a_refresh_and_never_widen_it(
    stand: Stand, granted: str, asked: list[str], audience: str | None
) -> None:
    token = stand.refresh_token()
    stand.store.one("grants")["resource"] = granted
    form = f"grant_type=refresh_token&refresh_token={token}&client_id={stand.client_id}"
    form += "".join(f"&resource={each}" for each in asked)
    answer = stand.post("/token", form, content_type=FORM)
    if audience is None:
        assert (answer.status, answer.json()["error"]) == (400, "invalid_target")
        assert stand.refresh(token).status == 200
        return
    assert stand.opened(answer.json()["access_token"])["aud"] == audience
    assert stand.store.one("grants")["resource"] == granted
    following = stand.refresh(answer.json()["refresh_token"]).json()
    assert stand.opened(following["access_token"])["aud"] == granted


def test_d5_a_token_that_is_reused_is_not_excused_by_a_wrong_resource_or_scope(stand: Stand) -> None:
    for changed in ({"resource": "https://evil.example"}, {"scope": '"'}):
        stand = Stand.new()
        first = stand.refresh_token()
        successor(stand, successor(stand, first))
        assert refused(stand.refresh(first, **changed))
        assert not alive(stand)


# What Entra says


def test_d5_entra_is_asked_at_each_new_counter_with_its_newest_refresh_token(stand: Stand) -> None:
    token = stand.refresh_token()
    for number in (1, 2, 3):
        token = successor(stand, token)
        assert stand.asked == {
            "grant_type": "refresh_token",
            "client_id": stand.named("entra-client"),
            "scope": "openid profile offline_access",
            "refresh_token": f"entra/refresh+{number}",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "token-for-api://AzureADTokenExchange",
        }


def test_d5_entras_refresh_token_is_kept_when_there_is_no_new_one(stand: Stand) -> None:
    token = stand.refresh_token()
    stand.entra = lambda: stand.signed_in_at_entra(refresh_token=None)
    token = successor(stand, token)
    successor(stand, token)
    assert stand.asked["refresh_token"] == "entra/refresh+1"


def test_d5_entras_refresh_token_is_nowhere_in_clear(stand: Stand) -> None:
    given = stand.redeem(stand.code())
    refreshed = stand.refresh(given.json()["refresh_token"])
    kept = json.dumps(list(stand.store.documents.values()), default=str)
    for text in (kept, given.body.decode(), refreshed.body.decode()):
        assert "entra/refresh" not in text
    header, _, _, _, _ = stand.store.one("grants")["entraToken"].split(".")
    access_header, _, _, _, _ = refreshed.json()["access_token"].split(".")
    assert header != access_header


def test_d5_what_was_sealed_for_the_store_is_no_access_token(stand: Stand) -> None:
    stand.refresh_token()
    assert stand.call(stand.store.one("grants")["entraToken"]).status == 401


def _refusal(error: str, code: int = 400) -> Failing:
    return status(
        code, json.dumps({"error": error, "error_description": "AADSTS50057", "error_codes": [50057]})
    )


@pytest.mark.parametrize(
    "error", ["invalid_grant", "interaction_required", "login_required", "consent_required", "access_denied"]
)
def test_d5_a_user_whom_entra_refuses_is_signed_out(stand: Stand, error: str) -> None:
    given = stand.redeem(stand.code()).json()
    stand.entra = _refusal(error)
    assert refused(stand.refresh(given["refresh_token"]))
    assert not alive(stand)
    assert stand.call(given["access_token"]).status == 401
    stand.entra = None
    assert refused(stand.refresh(given["refresh_token"]))


def _timed_out() -> Reply:

    raise SendError("login.example", timed_out=True)


def _wrong_token(stand: Stand, **claims: object) -> Reply:
    stand.tampered = dict(claims)
    try:
        return stand.signed_in_at_entra()
    finally:
        stand.tampered = {}


UNKNOWN: dict[str, Callable[[Stand], Reply]] = {
    "does not answer": lambda _: away(),
    "takes too long": lambda _: _timed_out(),
    "answers 500": lambda _: reply(500, "{}"),
    "answers 503 with an OAuth error": lambda _: _refusal("invalid_grant", 503)(),
    "answers 429": lambda _: reply(429, '{"error":"invalid_grant"}'),
    "answers HTML": lambda _: reply(200, "<html>Service</html>"),
    "refuses with HTML": lambda _: reply(400, "<html>Service</html>"),
    "answers nothing": lambda _: reply(200, ""),
    "answers an array": lambda _: reply(200, "[]"),
    "refuses the gateway": lambda _: _refusal("invalid_client", 401)(),
    "refuses what the gateway asks": lambda _: _refusal("invalid_scope")(),
    "answers an error that is no string": lambda _: reply(400, '{"error":{"x":1}}'),
    "redirects": lambda _: reply(302, "{}", Location="https://login.example"),
    "gives no ID token": lambda stand: stand.signed_in_at_entra(id_token=None),
    "gives an ID token that cannot be read": lambda stand: stand.signed_in_at_entra(id_token="x.y"),
    "gives an ID token that is no string": lambda stand: stand.signed_in_at_entra(id_token=[1]),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_d5_without_a_clear_answer_of_entra_nobody_is_signed_out(stand: Stand, name: str) -> None:
    token = stand.refresh_token()
    before = dict(stand.store.documents)
    stand.entra = lambda: UNKNOWN[name](stand)
    answer = stand.refresh(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert b"login" not in answer.body
    assert stand.store.documents == before
    stand.entra = None
    assert stand.refresh(token).status == 200


@pytest.mark.parametrize("claim", ["oid", "tid"])
def test_d5_a_refresh_for_another_user_gives_no_token(stand: Stand, claim: str) -> None:
    token = stand.refresh_token()
    for changed in ("66666666-6666-4666-8666-666666666666", None):
        stand = Stand.new()
        token = stand.refresh_token()
        stand.entra = lambda changed=changed, stand=stand: _wrong_token(stand, **{claim: changed})
        assert refused(stand.refresh(token))
        assert not alive(stand)


def test_d5_without_the_gateways_identity_nobody_is_signed_out(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = stand.refresh_token()
    stand.entra = _refusal("invalid_client", 401)
    stand.stage.gateway.services.tokens.clear()
    token_of = stand.stage.tokens.token

    async def broken(*, resource: str, client_id: str | None) -> str:
        if resource == "api://AzureADTokenExchange":
            raise OSError("the identity endpoint does not answer")
        return await token_of(resource=resource, client_id=client_id)

    with monkeypatch.context() as patched:
        patched.setattr(stand.stage.tokens, "token", broken)
        assert stand.refresh(token).status == 503
    assert stand.asked["client_assertion"] == ""
    stand.entra = None
    assert stand.refresh(token).status == 200


@pytest.mark.parametrize("sealed", ["", "x", "another grant's", "tampered"])
def test_d5_a_sealed_token_that_does_not_open_is_never_sent_to_entra(stand: Stand, sealed: str) -> None:
    other = Stand.new()
    other.refresh_token()
    foreign = other.store.one("grants")["entraToken"]
    stand = Stand.new()
    token = stand.refresh_token()
    own = stand.store.one("grants")["entraToken"]
    stand.store.one("grants")["entraToken"] = {
        "another grant's": foreign,
        "tampered": own[:-20] + ("A" if own[-20] != "A" else "B") + own[-19:],
    }.get(sealed, sealed)
    stand.asked = {}
    assert refused(stand.refresh(token))
    assert stand.asked == {}
    assert alive(stand)


# When the store fails


@pytest.mark.parametrize("failing", [away, status(503), status(403), status(412)])
def test_d7_a_refresh_whose_write_fails_can_be_repeated(stand: Stand, failing: Failing) -> None:
    token = stand.refresh_token()
    before = dict(stand.store.documents)
    stand.store.calls.clear()
    stand.store.failing = {1: failing}
    answer = stand.refresh(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert stand.store.documents == before
    assert stand.refresh(token).status == 200


def test_d7_a_refresh_whose_write_succeeded_unseen_can_be_repeated(stand: Stand) -> None:
    """The store changed the document, and its answer was lost."""
    token = stand.refresh_token()
    written: list[int] = []
    answer_of = stand.store.answer

    def lost(sent: object) -> Reply:
        made = answer_of(sent)  # ty: ignore[invalid-argument-type]
        if stand.store.calls[-1] == ("PUT", "grants") and not written:
            written.append(1)
            return away()
        return made

    stand.store.answer = lost
    assert stand.refresh(token).status == 503
    assert stand.store.one("grants")["counter"] == 2
    assert stand.refresh(token).status == 200
    assert stand.store.one("grants")["counter"] == 2


@pytest.mark.parametrize(("failing", "code"), [(away, 503), (status(500), 503), (status(404), 400)])
def test_d7_a_refresh_that_is_overtaken_reads_the_grant_again_or_says_that_it_could_not(
    stand: Stand, failing: Failing, code: int
) -> None:
    token = stand.refresh_token()
    stand.store.calls.clear()
    stand.store.failing = {1: status(412), 2: failing}
    assert stand.refresh(token).status == code
    assert stand.refresh(token).status == 200


def test_d7_a_grant_that_disappears_during_a_refresh_is_refused(stand: Stand) -> None:
    token = stand.refresh_token()
    stand.store.calls.clear()
    stand.store.failing = {1: status(404)}
    assert refused(stand.refresh(token))


def test_d7_an_emptied_cache_is_not_noticed(stand: Stand) -> None:
    token = stand.refresh_token()
    for _ in range(3):
        stand.stage.gateway.services.cache.clear()
        given = stand.refresh(token).json()
        stand.stage.gateway.services.cache.clear()
        assert stand.call(given["access_token"]).status == 200
        token = given["refresh_token"]


def _elsewhere(go: Callable[[], Result]) -> Result:
    """Runs it in a thread, because the gateway of this one waits for the store."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(go).result()


def _stage(**config: str) -> Stage:
    return Stage(declared(**config), StandingClock())


@pytest.mark.parametrize("times", [1, 2])
def test_c7_a_sign_in_that_entra_throttles_for_a_moment_succeeds(
    stand: Stand, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def passed(_seconds: float) -> None:
        return

    monkeypatch.setattr(retry, "asyncio", SimpleNamespace(sleep=passed))
    at_entra = stand.at_entra()
    left = [reply(429, "{}")] * times
    stand.entra = lambda: left.pop() if left else stand.signed_in_at_entra()
    assert "code=" in (stand.callback(at_entra).header("Location") or "")


def test_d5_one_failure_of_entra_is_not_noticed(stand: Stand) -> None:
    """Many clients take a failed refresh for the end of the sign-in."""
    token = stand.refresh_token()
    for failing in (away, _timed_out, status(500), status(429)):
        left = [failing]
        stand.entra = lambda left=left: left.pop()() if left else stand.signed_in_at_entra()
        answer = stand.refresh(token)
        assert answer.status == 200
        token = answer.json()["refresh_token"]
