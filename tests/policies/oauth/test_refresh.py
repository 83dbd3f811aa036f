"""Refresh tokens: rotation, repetition, reuse, and narrowing."""

import base64
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from apim.network import Reply
from tests.policies.engine.harness import Harness, Response, reply
from tests.policies.oauth.flow import (
    FORM,
    GATEWAY,
    RESOURCE,
    Flow,
    ManualClock,
    encoded,
    service_with,
)

Result = TypeVar("Result")


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def refused(answer: Response) -> bool:
    """Whether the response is the error `invalid_grant`; any other error fails the test."""
    if answer.status == 200:
        return False
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.header("Cache-Control") == "no-store"
    return True


def valid(flow: Flow) -> bool:
    """Whether the grant is valid according to the store."""
    return flow.store.one("grants")["status"] == "redeemed"


def successor(flow: Flow, token: str) -> str:
    """The refresh token that replaces this one."""
    answer = flow.refresh(token)
    assert answer.status == 200, answer.body
    return answer.json()["refresh_token"]


def in_another_thread(function: Callable[[], Result]) -> Result:
    """Calls a function in another thread, while a request in this thread waits for the store."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def harness_with(**config: str) -> Harness:
    return Harness(service_with(**config), ManualClock())


# Rotation


def test_d5_a_refresh_gives_new_tokens(flow: Flow) -> None:
    response = flow.redeem(flow.code()).json()
    assert set(response) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    flow.harness.clock.advance(601)
    assert flow.call(response["access_token"]).status == 401
    answer = flow.refresh(response["refresh_token"])
    assert answer.header("Cache-Control") == "no-store"
    refreshed = answer.json()
    assert refreshed | {"access_token": "", "refresh_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "functions",
        "refresh_token": "",
    }
    assert refreshed["refresh_token"] != response["refresh_token"]
    assert flow.call(refreshed["access_token"]).status == 200
    claims = flow.claims_of(refreshed["access_token"])
    assert (claims["aud"], claims["client_id"]) == (RESOURCE, flow.client_id)
    assert claims["gid"] == flow.store.one("grants")["id"]


def test_d5_refresh_tokens_are_valid_until_the_lifetime_of_the_grant_ends(flow: Flow) -> None:
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
    flow = Flow.at(harness_with(grantDays="1"))
    token = flow.refresh_token()
    flow.harness.clock.advance(86399)
    token = successor(flow, token)
    flow.harness.clock.advance(1)
    assert refused(flow.refresh(token))


# Repetition and reuse


def test_d5_a_repeated_refresh_returns_the_same_new_refresh_token(flow: Flow) -> None:
    token = flow.refresh_token()
    answers = []
    for seconds in (0, 60, 59):
        flow.harness.clock.advance(seconds)
        answers.append(flow.refresh(token).json())
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert len({answer["access_token"] for answer in answers}) == 3
    for answer in answers:
        assert flow.call(answer["access_token"]).status == 200
    assert valid(flow)


def test_d5_a_repeated_refresh_neither_calls_entra_nor_writes_to_the_store(flow: Flow) -> None:
    token = flow.refresh_token()
    flow.refresh(token)
    flow.store.calls.clear()
    flow.entra_request = {}
    flow.refresh(token)
    assert (flow.store.calls, flow.entra_request) == ([("GET", "grants")], {})


def test_d5_a_refresh_token_used_after_the_grace_period_revokes_the_family(flow: Flow) -> None:
    token = flow.refresh_token()
    response = flow.refresh(token).json()
    flow.harness.clock.advance(120)
    assert refused(flow.refresh(token))
    assert not valid(flow)
    assert refused(flow.refresh(response["refresh_token"]))
    assert flow.call(response["access_token"]).status == 401


def test_d5_a_refresh_token_whose_successor_was_used_revokes_the_family(flow: Flow) -> None:
    first = flow.refresh_token()
    second = successor(flow, first)
    response = flow.refresh(second).json()
    assert refused(flow.refresh(first))
    assert not valid(flow)
    assert refused(flow.refresh(second))
    assert refused(flow.refresh(response["refresh_token"]))
    assert flow.call(response["access_token"]).status == 401


def test_d5_a_revoked_grant_contains_no_secrets(flow: Flow) -> None:
    first = flow.refresh_token()
    successor(flow, successor(flow, first))
    flow.refresh(first)
    document = flow.store.one("grants")
    assert document["status"] == "revoked"
    assert not {"entraToken", "refreshSecret"} & document.keys()
    assert document["ttl"] == 30 * 86400


def test_d5_the_grace_period_is_a_setting() -> None:
    flow = Flow.at(harness_with(refreshGraceSeconds="0"))
    token = flow.refresh_token()
    flow.refresh(token)
    assert refused(flow.refresh(token))
    assert not valid(flow)


def test_d5_two_parallel_refreshes_receive_the_same_new_token(flow: Flow) -> None:
    """The second request reads the grant before the first request changes it."""
    token = flow.refresh_token()
    first: list[Response] = []

    def first_refresh() -> Reply:
        flow.store.failing.clear()
        first.append(in_another_thread(lambda: flow.refresh(token)))
        return reply(412, "{}")

    flow.store.calls.clear()
    flow.store.failing = {1: first_refresh}
    second = flow.refresh(token)
    assert second.json()["refresh_token"] == first[0].json()["refresh_token"]
    assert flow.store.one("grants")["counter"] == 2
    assert valid(flow)


def test_d5_a_refresh_is_refused_if_the_grant_is_revoked_at_the_same_time(flow: Flow) -> None:
    token = flow.refresh_token()

    def revoked() -> Reply:
        flow.store.one("grants")["status"] = "revoked"
        return reply(412, "{}")

    flow.store.calls.clear()
    flow.store.failing = {1: revoked}
    assert refused(flow.refresh(token))


def test_d5_a_refresh_that_is_overtaken_by_two_others_counts_as_reuse(flow: Flow) -> None:
    token = flow.refresh_token()

    def refreshed_twice() -> Reply:
        flow.store.failing.clear()
        in_another_thread(lambda: successor(flow, successor(flow, token)))
        return reply(412, "{}")

    flow.store.calls.clear()
    flow.store.failing = {1: refreshed_twice}
    assert refused(flow.refresh(token))
    assert not valid(flow)


# Values that are not a refresh token of the client


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
def test_d5_a_token_without_a_valid_mac_is_refused_and_revokes_nothing(flow: Flow, changed: str) -> None:
    token = flow.refresh_token()
    gid, counter, version, mac = token.split(".")
    tampered = ("A" if mac[0] != "A" else "B") + mac[1:]
    parts = {"gid": gid, "counter": counter, "version": version, "mac": mac, "tampered": tampered}
    before = dict(flow.store.documents)
    assert refused(flow.refresh(changed.format(**parts, other="A" * 22)))
    assert flow.store.documents == before
    assert flow.refresh(token).status == 200


def test_d5_a_change_of_any_character_of_the_mac_makes_it_invalid(flow: Flow) -> None:
    token = flow.refresh_token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for position in range(len(token) - 43, len(token)):
        changed = alphabet[alphabet.index(token[position]) ^ 1]
        assert refused(flow.refresh(token[:position] + changed + token[position + 1 :]))
    assert valid(flow)
    assert flow.refresh(token).status == 200


def test_d5_a_valid_mac_needs_both_the_secret_of_the_grant_and_the_key_of_the_gateway(flow: Flow) -> None:
    """So a copy of the store is not enough to create a refresh token, and neither is the key."""
    token = flow.refresh_token()
    secret = flow.store.one("grants")["refreshSecret"]
    assert refused(flow.refresh(created_with(flow, bytes(64))))
    flow.store.one("grants")["refreshSecret"] = "A" * 43
    assert refused(flow.refresh(token))
    flow.store.one("grants")["refreshSecret"] = secret
    assert flow.refresh(token).status == 200


def created_with(flow: Flow, key: bytes, version: str = "1") -> str:
    """A refresh token for the first counter of the only grant, with the MAC of this key."""
    grant = flow.store.one("grants")
    parts = "|".join(("refresh", grant["id"], "1", version, grant.get("refreshSecret", "")))
    mac = encoded(hmac.digest(key, parts.encode(), "sha256"))
    return f"{grant['id']}.1.{version}.{mac}"


def gateways_key(flow: Flow) -> bytes:
    return base64.b64decode(flow.named_value("token-key-v1"))


def test_d5_a_mac_over_another_key_version_is_invalid_even_with_the_gateways_key(flow: Flow) -> None:
    token = flow.refresh_token()
    key = gateways_key(flow)
    assert created_with(flow, key) == token
    assert refused(flow.refresh(created_with(flow, key, version="9")))
    assert flow.refresh(token).status == 200


def test_d5_a_grant_without_refresh_tokens_accepts_none_even_with_the_gateways_key(flow: Flow) -> None:
    flow.register(grant_types=["authorization_code"])
    flow.redeem(flow.code())
    assert refused(flow.refresh(created_with(flow, gateways_key(flow))))


def test_d5_a_refresh_token_sent_by_another_client_revokes_nothing(flow: Flow) -> None:
    token = flow.refresh_token()
    original_client = flow.client_id
    flow.register()
    assert refused(flow.refresh(token))
    assert valid(flow)
    assert flow.refresh(token, client_id=original_client).status == 200


def test_d5_a_code_is_not_accepted_as_refresh_token_and_vice_versa(flow: Flow) -> None:
    code = flow.code()
    assert refused(flow.refresh(code))
    token = flow.redeem(code).json()["refresh_token"]
    assert refused(flow.redeem(token))
    assert valid(flow)


def test_d5_a_refresh_token_ahead_of_the_store_is_refused_and_revokes_nothing(flow: Flow) -> None:
    """This happens after the store was restored from a backup."""
    token = flow.refresh_token()
    backup = dict(flow.store.one("grants"))
    ahead = successor(flow, token)
    key = ("grants", backup["id"])
    flow.store.documents[key] = backup
    assert refused(flow.refresh(ahead))
    assert valid(flow)


# Clients that receive a refresh token


def test_d5_a_client_receives_a_refresh_token_without_requesting_offline_access(flow: Flow) -> None:
    assert "refresh_token" in flow.redeem(flow.code()).json()
    flow.register(grant_types=["authorization_code", "refresh_token"])
    assert "refresh_token" in flow.redeem(flow.code()).json()


def test_d5_without_a_refresh_token_from_entra_none_is_issued(flow: Flow) -> None:
    """The gateway could not check later whether the user may still sign in."""
    at_entra = flow.at_entra()
    flow.entra = lambda: flow.signed_in_at_entra(refresh_token=None)
    code = flow.callback(at_entra).header("Location") or ""
    answer = flow.redeem(code.partition("code=")[2].partition("&")[0]).json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert not {"counter", "entraToken", "refreshSecret"} & flow.store.one("grants").keys()


def test_d5_a_client_that_registered_without_refresh_tokens_gets_none(flow: Flow) -> None:
    """The grant keeps no refresh token of Entra either, although Entra issued one."""
    flow.register(grant_types=["authorization_code"])
    answer = flow.redeem(flow.code()).json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert not {"counter", "entraToken", "refreshSecret"} & flow.store.one("grants").keys()


# Scopes and resources of a refresh


@pytest.mark.parametrize(
    ("granted", "requested", "audience"),
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
    flow: Flow, granted: str, requested: list[str], audience: str | None
) -> None:
    token = flow.refresh_token()
    flow.store.one("grants")["resource"] = granted
    form = f"grant_type=refresh_token&refresh_token={token}&client_id={flow.client_id}"
    form += "".join(f"&resource={resource}" for resource in requested)
    answer = flow.post("/token", form, content_type=FORM)
    if audience is None:
        assert (answer.status, answer.json()["error"]) == (400, "invalid_target")
        assert flow.refresh(token).status == 200
        return
    assert flow.claims_of(answer.json()["access_token"])["aud"] == audience
    assert flow.store.one("grants")["resource"] == granted
    following = flow.refresh(answer.json()["refresh_token"]).json()
    assert flow.claims_of(following["access_token"])["aud"] == granted


def test_d5_reuse_is_detected_even_with_a_wrong_resource_or_scope(flow: Flow) -> None:
    for changed in ({"resource": "https://evil.example"}, {"scope": '"'}):
        flow = Flow.new()
        first = flow.refresh_token()
        successor(flow, successor(flow, first))
        assert refused(flow.refresh(first, **changed))
        assert not valid(flow)


@pytest.mark.parametrize("changed", [{"resource": "https://evil.example"}, {"scope": '"'}], ids=str)
def test_d5_an_invalid_code_or_refresh_token_is_an_invalid_grant_even_if_another_parameter_is_wrong(
    flow: Flow, changed: dict[str, str]
) -> None:
    """Clients begin a new sign-in only after the error `invalid_grant`."""
    code = flow.code()
    assert refused(flow.redeem(code, code_verifier="w" * 43, **changed))
    token = flow.redeem(code).json()["refresh_token"]
    flow.revoke(token)
    assert refused(flow.refresh(token, **changed))
