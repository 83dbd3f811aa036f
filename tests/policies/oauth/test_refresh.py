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
from tests.policies.engine.harness import Harness, Response, reply
from tests.policies.oauth.flow import (
    FORM,
    GATEWAY,
    RESOURCE,
    Failing,
    Flow,
    ManualClock,
    service_with,
    status,
    unreachable,
)

Result = TypeVar("Result")


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def refused(answer: Response) -> bool:
    """Whether the answer is exactly `invalid_grant`."""
    if answer.status == 200:
        return False
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.header("Cache-Control") == "no-store"
    return True


def alive(flow: Flow) -> bool:
    """Whether the grant is still good, as far as the store knows."""
    return flow.store.one("grants")["status"] == "redeemed"


def successor(flow: Flow, token: str) -> str:
    answer = flow.refresh(token)
    assert answer.status == 200, answer.body
    return answer.json()["refresh_token"]


# Rotation


def test_d5_a_refresh_gives_new_tokens(flow: Flow) -> None:
    given = flow.redeem(flow.code()).json()
    assert set(given) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    flow.harness.clock.advance(601)
    assert flow.call(given["access_token"]).status == 401
    answer = flow.refresh(given["refresh_token"])
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
    assert flow.call(refreshed["access_token"]).status == 200
    claims = flow.claims_of(refreshed["access_token"])
    assert (claims["aud"], claims["client_id"]) == (RESOURCE, flow.client_id)
    assert claims["gid"] == flow.store.one("grants")["id"]


def test_d5_a_client_stays_connected_for_the_lifetime_of_the_grant_and_no_longer(flow: Flow) -> None:
    end = flow.now + 30 * 86400
    token = flow.refresh_token()
    for _ in range(29):
        flow.harness.clock.advance(86400)
        token = successor(flow, token)
        assert flow.store.one("grants")["ttl"] == end - flow.now
    flow.harness.clock.advance(86390)
    answer = flow.refresh(token).json()
    assert answer["expires_in"] == 10
    flow.harness.clock.advance(10)
    assert refused(flow.refresh(answer["refresh_token"]))
    assert refused(flow.refresh(token))


def test_d5_the_lifetime_of_the_grant_is_a_setting() -> None:
    flow = Flow.at(_harness(grantDays="1"))
    token = flow.refresh_token()
    flow.harness.clock.advance(86399)
    token = successor(flow, token)
    flow.harness.clock.advance(1)
    assert refused(flow.refresh(token))


# Repetition and reuse


def test_d5_the_same_token_gives_the_same_new_one_again(flow: Flow) -> None:
    token = flow.refresh_token()
    answers = []
    for seconds in (0, 60, 59):
        flow.harness.clock.advance(seconds)
        answers.append(flow.refresh(token).json())
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert len({answer["access_token"] for answer in answers}) == 3
    for answer in answers:
        assert flow.call(answer["access_token"]).status == 200
    assert alive(flow)


def test_d5_a_repetition_costs_no_call_of_entra_and_no_write(flow: Flow) -> None:
    token = flow.refresh_token()
    flow.refresh(token)
    flow.store.calls.clear()
    flow.entra_request = {}
    flow.refresh(token)
    assert (flow.store.calls, flow.entra_request) == ([("GET", "grants")], {})


def test_d5_a_refresh_token_used_after_the_grace_period_revokes_the_family(flow: Flow) -> None:
    token = flow.refresh_token()
    given = flow.refresh(token).json()
    flow.harness.clock.advance(120)
    assert refused(flow.refresh(token))
    assert not alive(flow)
    assert refused(flow.refresh(given["refresh_token"]))
    assert flow.call(given["access_token"]).status == 401


def test_d5_a_refresh_token_whose_successor_was_used_revokes_the_family(flow: Flow) -> None:
    first = flow.refresh_token()
    second = successor(flow, first)
    given = flow.refresh(second).json()
    assert refused(flow.refresh(first))
    assert not alive(flow)
    assert refused(flow.refresh(second))
    assert refused(flow.refresh(given["refresh_token"]))
    assert flow.call(given["access_token"]).status == 401


def test_d5_a_revoked_grant_keeps_nothing_that_only_a_valid_one_needs(flow: Flow) -> None:
    first = flow.refresh_token()
    successor(flow, successor(flow, first))
    flow.refresh(first)
    document = flow.store.one("grants")
    assert document["status"] == "revoked"
    assert not {"entraToken", "refreshSecret"} & document.keys()
    assert document["ttl"] == 30 * 86400


def test_d5_the_grace_period_is_a_setting() -> None:
    flow = Flow.at(_harness(refreshGraceSeconds="0"))
    token = flow.refresh_token()
    flow.refresh(token)
    assert refused(flow.refresh(token))
    assert not alive(flow)


def test_d5_of_two_requests_at_once_both_get_the_same_new_token(flow: Flow) -> None:
    """The second one read the grant before the first one changed it."""
    token = flow.refresh_token()
    first: list[Response] = []

    def faster() -> Reply:
        flow.store.failing.clear()
        first.append(_elsewhere(lambda: flow.refresh(token)))
        return reply(412, "{}")

    flow.store.calls.clear()
    flow.store.failing = {1: faster}
    second = flow.refresh(token)
    assert second.json()["refresh_token"] == first[0].json()["refresh_token"]
    assert flow.store.one("grants")["counter"] == 2
    assert alive(flow)


def test_d5_a_request_that_is_overtaken_by_a_revocation_gets_nothing(flow: Flow) -> None:
    token = flow.refresh_token()

    def revoked() -> Reply:
        flow.store.one("grants")["status"] = "revoked"
        return reply(412, "{}")

    flow.store.calls.clear()
    flow.store.failing = {1: revoked}
    assert refused(flow.refresh(token))


def test_d5_a_request_that_is_overtaken_twice_is_reuse(flow: Flow) -> None:
    token = flow.refresh_token()

    def overtaken() -> Reply:
        flow.store.failing.clear()
        _elsewhere(lambda: successor(flow, successor(flow, token)))
        return reply(412, "{}")

    flow.store.calls.clear()
    flow.store.failing = {1: overtaken}
    assert refused(flow.refresh(token))
    assert not alive(flow)


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
def test_d5_a_token_without_a_valid_mac_is_refused_and_does_no_harm(flow: Flow, changed: str) -> None:
    token = flow.refresh_token()
    gid, counter, version, mac = token.split(".")
    tampered = ("A" if mac[0] != "A" else "B") + mac[1:]
    parts = {"gid": gid, "counter": counter, "version": version, "mac": mac, "tampered": tampered}
    before = dict(flow.store.documents)
    assert refused(flow.refresh(changed.format(**parts, other="A" * 22)))
    assert flow.store.documents == before
    assert flow.refresh(token).status == 200


def test_d5_every_bit_of_the_mac_counts(flow: Flow) -> None:
    token = flow.refresh_token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for position in range(len(token) - 43, len(token)):
        flipped = alphabet[alphabet.index(token[position]) ^ 1]
        assert refused(flow.refresh(token[:position] + flipped + token[position + 1 :]))
    assert alive(flow)
    assert flow.refresh(token).status == 200


def test_d5_a_copy_of_the_store_is_not_enough_to_make_a_token(flow: Flow) -> None:
    """The MAC of another grant's secret, or of another gateway's key, is as wrong as any."""
    token = flow.refresh_token()
    secret = flow.store.one("grants")["refreshSecret"]
    flow.store.one("grants")["refreshSecret"] = "A" * 43
    assert refused(flow.refresh(token))
    flow.store.one("grants")["refreshSecret"] = secret
    assert flow.refresh(token).status == 200


def test_d5_a_refresh_token_of_another_client_does_no_harm(flow: Flow) -> None:
    token = flow.refresh_token()
    own = flow.client_id
    flow.register()
    assert refused(flow.refresh(token))
    assert alive(flow)
    assert flow.refresh(token, client_id=own).status == 200


def test_d5_a_code_is_no_refresh_token_and_a_refresh_token_no_code(flow: Flow) -> None:
    code = flow.code()
    assert refused(flow.refresh(code))
    token = flow.redeem(code).json()["refresh_token"]
    assert refused(flow.redeem(token))
    assert alive(flow)


def test_d5_a_refresh_token_ahead_of_the_store_is_refused_and_does_no_harm(flow: Flow) -> None:
    """As after the restoration of the store from a backup."""
    token = flow.refresh_token()
    backup = dict(flow.store.one("grants"))
    ahead = successor(flow, token)
    key = ("grants", backup["id"])
    flow.store.documents[key] = backup
    assert refused(flow.refresh(ahead))
    assert alive(flow)


# Who gets one


def test_d5_a_client_need_not_ask_for_offline_access(flow: Flow) -> None:
    assert "refresh_token" in flow.redeem(flow.code()).json()
    flow.register(grant_types=["authorization_code", "refresh_token"])
    assert "refresh_token" in flow.redeem(flow.code()).json()


def test_d5_without_a_refresh_token_from_entra_there_is_none(flow: Flow) -> None:
    """The gateway could not find out later whether the user may still sign in."""
    at_entra = flow.at_entra()
    flow.entra = lambda: flow.signed_in_at_entra(refresh_token=None)
    code = flow.callback(at_entra).header("Location") or ""
    answer = flow.redeem(code.partition("code=")[2].partition("&")[0]).json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert not {"counter", "entraToken", "refreshSecret"} & flow.store.one("grants").keys()


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
    flow: Flow, granted: str, asked: list[str], audience: str | None
) -> None:
    token = flow.refresh_token()
    flow.store.one("grants")["resource"] = granted
    form = f"grant_type=refresh_token&refresh_token={token}&client_id={flow.client_id}"
    form += "".join(f"&resource={each}" for each in asked)
    answer = flow.post("/token", form, content_type=FORM)
    if audience is None:
        assert (answer.status, answer.json()["error"]) == (400, "invalid_target")
        assert flow.refresh(token).status == 200
        return
    assert flow.claims_of(answer.json()["access_token"])["aud"] == audience
    assert flow.store.one("grants")["resource"] == granted
    following = flow.refresh(answer.json()["refresh_token"]).json()
    assert flow.claims_of(following["access_token"])["aud"] == granted


def test_d5_a_token_that_is_reused_is_not_excused_by_a_wrong_resource_or_scope(flow: Flow) -> None:
    for changed in ({"resource": "https://evil.example"}, {"scope": '"'}):
        flow = Flow.new()
        first = flow.refresh_token()
        successor(flow, successor(flow, first))
        assert refused(flow.refresh(first, **changed))
        assert not alive(flow)


# What Entra says


def test_d5_entra_is_asked_at_each_new_counter_with_its_newest_refresh_token(flow: Flow) -> None:
    token = flow.refresh_token()
    for number in (1, 2, 3):
        token = successor(flow, token)
        assert flow.entra_request == {
            "grant_type": "refresh_token",
            "client_id": flow.named_value("entra-client"),
            "scope": "openid profile offline_access",
            "refresh_token": f"entra/refresh+{number}",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "token-for-api://AzureADTokenExchange",
        }


def test_d5_entras_refresh_token_is_kept_when_there_is_no_new_one(flow: Flow) -> None:
    token = flow.refresh_token()
    flow.entra = lambda: flow.signed_in_at_entra(refresh_token=None)
    token = successor(flow, token)
    successor(flow, token)
    assert flow.entra_request["refresh_token"] == "entra/refresh+1"


def test_d5_entras_refresh_token_is_nowhere_in_clear(flow: Flow) -> None:
    given = flow.redeem(flow.code())
    refreshed = flow.refresh(given.json()["refresh_token"])
    kept = json.dumps(list(flow.store.documents.values()), default=str)
    for text in (kept, given.body.decode(), refreshed.body.decode()):
        assert "entra/refresh" not in text
    header, _, _, _, _ = flow.store.one("grants")["entraToken"].split(".")
    access_header, _, _, _, _ = refreshed.json()["access_token"].split(".")
    assert header != access_header


def test_d5_what_was_sealed_for_the_store_is_no_access_token(flow: Flow) -> None:
    flow.refresh_token()
    assert flow.call(flow.store.one("grants")["entraToken"]).status == 401


def _refusal(error: str, code: int = 400) -> Failing:
    return status(
        code, json.dumps({"error": error, "error_description": "AADSTS50057", "error_codes": [50057]})
    )


@pytest.mark.parametrize(
    "error", ["invalid_grant", "interaction_required", "login_required", "consent_required", "access_denied"]
)
def test_d5_a_user_whom_entra_refuses_is_signed_out(flow: Flow, error: str) -> None:
    given = flow.redeem(flow.code()).json()
    flow.entra = _refusal(error)
    assert refused(flow.refresh(given["refresh_token"]))
    assert not alive(flow)
    assert flow.call(given["access_token"]).status == 401
    flow.entra = None
    assert refused(flow.refresh(given["refresh_token"]))


def _timed_out() -> Reply:

    raise SendError("login.example", timed_out=True)


def _wrong_token(flow: Flow, **claims: object) -> Reply:
    flow.tampered = dict(claims)
    try:
        return flow.signed_in_at_entra()
    finally:
        flow.tampered = {}


UNKNOWN: dict[str, Callable[[Flow], Reply]] = {
    "does not answer": lambda _: unreachable(),
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
    "gives no ID token": lambda flow: flow.signed_in_at_entra(id_token=None),
    "gives an ID token that cannot be read": lambda flow: flow.signed_in_at_entra(id_token="x.y"),
    "gives an ID token that is no string": lambda flow: flow.signed_in_at_entra(id_token=[1]),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_d5_without_a_clear_answer_of_entra_nobody_is_signed_out(flow: Flow, name: str) -> None:
    token = flow.refresh_token()
    before = dict(flow.store.documents)
    flow.entra = lambda: UNKNOWN[name](flow)
    answer = flow.refresh(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert b"login" not in answer.body
    assert flow.store.documents == before
    flow.entra = None
    assert flow.refresh(token).status == 200


@pytest.mark.parametrize("claim", ["oid", "tid"])
def test_d5_a_refresh_for_another_user_gives_no_token(flow: Flow, claim: str) -> None:
    token = flow.refresh_token()
    for changed in ("66666666-6666-4666-8666-666666666666", None):
        flow = Flow.new()
        token = flow.refresh_token()
        flow.entra = lambda changed=changed, flow=flow: _wrong_token(flow, **{claim: changed})
        assert refused(flow.refresh(token))
        assert not alive(flow)


def test_d5_without_the_gateways_identity_nobody_is_signed_out(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = flow.refresh_token()
    flow.entra = _refusal("invalid_client", 401)
    flow.harness.gateway.services.tokens.clear()
    token_of = flow.harness.tokens.token

    async def broken(*, resource: str, client_id: str | None) -> str:
        if resource == "api://AzureADTokenExchange":
            raise OSError("the identity endpoint does not answer")
        return await token_of(resource=resource, client_id=client_id)

    with monkeypatch.context() as patched:
        patched.setattr(flow.harness.tokens, "token", broken)
        assert flow.refresh(token).status == 503
    assert flow.entra_request["client_assertion"] == ""
    flow.entra = None
    assert flow.refresh(token).status == 200


@pytest.mark.parametrize("sealed", ["", "x", "another grant's", "tampered"])
def test_d5_a_sealed_token_that_does_not_open_is_never_sent_to_entra(flow: Flow, sealed: str) -> None:
    other = Flow.new()
    other.refresh_token()
    foreign = other.store.one("grants")["entraToken"]
    flow = Flow.new()
    token = flow.refresh_token()
    own = flow.store.one("grants")["entraToken"]
    flow.store.one("grants")["entraToken"] = {
        "another grant's": foreign,
        "tampered": own[:-20] + ("A" if own[-20] != "A" else "B") + own[-19:],
    }.get(sealed, sealed)
    flow.entra_request = {}
    assert refused(flow.refresh(token))
    assert flow.entra_request == {}
    assert alive(flow)


# When the store fails


@pytest.mark.parametrize("failing", [unreachable, status(503), status(403), status(412)])
def test_d7_a_refresh_whose_write_fails_can_be_repeated(flow: Flow, failing: Failing) -> None:
    token = flow.refresh_token()
    before = dict(flow.store.documents)
    flow.store.calls.clear()
    flow.store.failing = {1: failing}
    answer = flow.refresh(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert flow.store.documents == before
    assert flow.refresh(token).status == 200


def test_d7_a_refresh_whose_write_succeeded_unseen_gives_its_tokens(flow: Flow) -> None:
    """The store changed the document, and its answer was lost: the gateway recognizes what it wrote."""
    token = flow.refresh_token()
    written: list[int] = []
    answer_of = flow.store.answer

    def lost(sent: object) -> Reply:
        answer = answer_of(sent)  # ty: ignore[invalid-argument-type]
        if flow.store.calls[-1] == ("PUT", "grants") and not written:
            written.append(1)
            return unreachable()
        return answer

    flow.store.answer = lost
    given = flow.refresh(token).json()["refresh_token"]
    assert flow.store.one("grants")["counter"] == 2
    assert flow.refresh(given).status == 200


@pytest.mark.parametrize(("failing", "code"), [(unreachable, 503), (status(500), 503), (status(404), 400)])
def test_d7_a_refresh_that_is_overtaken_reads_the_grant_again_or_says_that_it_could_not(
    flow: Flow, failing: Failing, code: int
) -> None:
    token = flow.refresh_token()
    flow.store.calls.clear()
    flow.store.failing = {1: status(412), 2: failing}
    assert flow.refresh(token).status == code
    assert flow.refresh(token).status == 200


def test_d7_a_grant_that_disappears_during_a_refresh_is_refused(flow: Flow) -> None:
    token = flow.refresh_token()
    flow.store.calls.clear()
    flow.store.failing = {1: status(404)}
    assert refused(flow.refresh(token))


def test_d7_an_emptied_cache_is_not_noticed(flow: Flow) -> None:
    token = flow.refresh_token()
    for _ in range(3):
        flow.harness.gateway.services.cache.clear()
        given = flow.refresh(token).json()
        flow.harness.gateway.services.cache.clear()
        assert flow.call(given["access_token"]).status == 200
        token = given["refresh_token"]


def _elsewhere(go: Callable[[], Result]) -> Result:
    """Runs it in a thread, because the gateway of this one waits for the store."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(go).result()


def _harness(**config: str) -> Harness:
    return Harness(service_with(**config), ManualClock())


@pytest.mark.parametrize("times", [1, 2])
def test_c7_a_sign_in_that_entra_throttles_for_a_moment_succeeds(
    flow: Flow, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def passed(_seconds: float) -> None:
        return

    monkeypatch.setattr(retry, "asyncio", SimpleNamespace(sleep=passed))
    at_entra = flow.at_entra()
    left = [reply(429, "{}")] * times
    flow.entra = lambda: left.pop() if left else flow.signed_in_at_entra()
    assert "code=" in (flow.callback(at_entra).header("Location") or "")


def test_d5_a_single_failure_of_entra_is_retried(flow: Flow) -> None:
    """Many clients take a failed refresh for the end of the sign-in."""
    token = flow.refresh_token()
    for failing in (unreachable, _timed_out, status(500), status(429)):
        left = [failing]
        flow.entra = lambda left=left: left.pop()() if left else flow.signed_in_at_entra()
        answer = flow.refresh(token)
        assert answer.status == 200
        token = answer.json()["refresh_token"]
