"""Sign-ins and tokens while a rotation of the keys is deployed.

API Management does not guarantee an order in which changed named values and policies take effect, and units
of a gateway may differ for minutes. Each step of a sign-in may therefore run with the policies of either
version, and each policy with the named values of either version.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.e2e.client import parameters_of
from tests.policies.engine.harness import Harness
from tests.policies.oauth.flow import Flow, ManualClock, handle_of, service_with

VERSIONS = ("1", "2", "3", "4")
ROTATIONS = tuple(itertools.pairwise(VERSIONS))
STEPS = ("authorize", "consent page", "consent", "callback", "token", "call")

rotation = pytest.mark.parametrize(("before", "after"), ROTATIONS)


@functools.cache
def clock() -> ManualClock:
    return ManualClock()


@functools.cache
def harness_with(policies: str, values: str) -> Harness:
    """A gateway with the policies of one key version and the named values of another."""
    service = replace(
        service_with(keyVersion=policies), named_values=service_with(keyVersion=values).named_values
    )
    return Harness(service, clock())


def signed_in(harnesses: Callable[[str], Harness]) -> int:
    """The status of the call at the end of a sign-in; `harnesses` has the gateway of each step."""
    flow = Flow.at(harnesses(STEPS[0]))

    def step(name: str) -> Flow:
        flow.move_to(harnesses(name))
        return flow

    authorized = step("authorize").authorize()
    page = step("consent page").consent_page(handle_of(authorized))
    at_entra = step("consent").consent(page)
    back = step("callback").callback(at_entra)
    redeemed = step("token").redeem(parameters_of(back.header("Location") or "")["code"])
    return step("call").call(redeemed.json()["access_token"]).status


@rotation
@pytest.mark.parametrize("first", STEPS)
def test_d4_a_sign_in_in_progress_continues_during_the_rotation(before: str, after: str, first: str) -> None:
    """From the step `first` on, the policies are those of the other version, in either direction."""
    changed_steps = STEPS[STEPS.index(first) :]
    for versions in ((before, after), (after, before)):
        assert (
            signed_in(lambda step, versions=versions: harness_with(versions[step in changed_steps], after))
            == 200
        )


ALL_STEPS = (*STEPS, "refresh", "second call", "revoke")
ORDERS = {
    "named values first": (("1", "1"), ("1", "2"), ("2", "2")),
    "policies first": (("1", "1"), ("2", "1"), ("2", "2")),
    "rolled back after the named values": (("1", "1"), ("1", "2"), ("1", "1")),
    "rolled back after the policies": (("1", "1"), ("2", "1"), ("1", "1")),
}
"""Versions of policies and of named values, one after the other."""


@pytest.mark.parametrize("order", ORDERS)
def test_d4_a_half_deployed_rotation_invalidates_nothing_at_any_step(order: str) -> None:
    """The second state takes effect at any step, and the third state at the same or any later step (R11)."""
    for second, third in itertools.combinations_with_replacement(range(len(ALL_STEPS)), 2):

        def state(step: str, second: int = second, third: int = third) -> Harness:
            position = ALL_STEPS.index(step)
            return harness_with(*ORDERS[order][(position >= second) + (position >= third)])

        flow = Flow.at(state("authorize"))

        def step(name: str, flow: Flow = flow, state: Callable[[str], Harness] = state) -> Flow:
            flow.move_to(state(name))
            return flow

        authorized = step("authorize").authorize()
        page = step("consent page").consent_page(handle_of(authorized))
        at_entra = step("consent").consent(page)
        code = parameters_of(step("callback").callback(at_entra).header("Location") or "")["code"]
        response = step("token").redeem(code).json()
        assert step("call").call(response["access_token"]).status == 200
        refreshed = step("refresh").refresh(response["refresh_token"]).json()
        assert step("second call").call(refreshed["access_token"]).status == 200
        assert step("revoke").revoke(refreshed["refresh_token"]).status == 200
        assert flow.call(refreshed["access_token"]).status == 401


@rotation
def test_d4_policies_work_with_the_named_values_of_either_version(before: str, after: str) -> None:
    for policies, values in ((before, after), (after, before)):
        assert signed_in(lambda _, policies=policies, values=values: harness_with(policies, values)) == 200


@rotation
def test_d4_a_rotation_changes_no_named_value(before: str, after: str) -> None:
    """A rotation adds a key, and removes a key that the policies of neither version use."""
    old, new = (
        {named_value.name: named_value.value for named_value in service_with(keyVersion=version).named_values}
        for version in (before, after)
    )
    assert {name: new[name] for name in old.keys() & new.keys()} == {
        name: old[name] for name in old.keys() & new.keys()
    }
    removed = old.keys() - new.keys()
    for version in (before, after):
        used = harness_with(version, version).gateway.used_values
        assert removed & used == set()


def test_d4_a_token_is_accepted_after_one_rotation_but_not_after_two() -> None:
    flow = Flow.at(harness_with("1", "1"))
    token = flow.token()
    statuses = []
    for version in VERSIONS:
        flow.move_to(harness_with(version, version))
        statuses.append(flow.call(token).status)
    assert statuses == [200, 200, 401, 401]


def test_d4_a_sign_in_in_progress_continues_after_one_rotation_but_not_after_two() -> None:
    flow = Flow.at(harness_with("1", "1"))
    page = flow.page()
    flow.move_to(harness_with("3", "3"))
    assert flow.consent(page).status == 400
    flow.move_to(harness_with("2", "2"))
    assert flow.consent(page).status == 303


def test_d4_adding_four_to_the_version_accepts_no_key_that_existed_before() -> None:
    """Rotate like this after a leak, because named values and state also contain keys of later versions."""
    leaked = {named_value.name for named_value in service_with(keyVersion="1").named_values}
    accepted = {
        name
        for name in harness_with("5", "5").gateway.used_values
        if name.startswith(("token-key", "consent-key"))
    }
    assert len(accepted) == 6
    assert accepted & leaked == set()


@rotation
def test_d5_a_refresh_token_stays_valid_during_the_rotation(before: str, after: str) -> None:
    """Also while units run the policies of both versions, and while the rotation is rolled back."""
    for first, second, third in itertools.product((before, after), repeat=3):
        flow = Flow.at(harness_with(first, after))
        token = flow.refresh_token()
        for version in (second, third):
            flow.move_to(harness_with(version, after))
            answer = flow.refresh(token)
            assert answer.status == 200
            assert flow.call(answer.json()["access_token"]).status == 200
            token = answer.json()["refresh_token"]
            assert flow.store.one("grants")["keyVersion"] == int(version)


@rotation
def test_d5_units_with_policies_of_both_versions_issue_the_same_new_refresh_token(
    before: str, after: str
) -> None:
    for first, second in ((before, after), (after, before)):
        flow = Flow.at(harness_with(first, after))
        token = flow.refresh_token()
        renewed = flow.refresh(token).json()["refresh_token"]
        flow.move_to(harness_with(second, after))
        assert flow.refresh(token).json()["refresh_token"] == renewed
        assert flow.refresh(renewed).status == 200


def test_d5_a_refresh_token_that_was_not_used_between_two_rotations_is_refused() -> None:
    flow = Flow.at(harness_with("1", "1"))
    token = flow.refresh_token()
    flow.move_to(harness_with("3", "3"))
    answer = flow.refresh(token)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert flow.store.one("grants")["status"] == "redeemed"


def test_d5_a_refresh_after_each_rotation_keeps_the_client_connected() -> None:
    """The stored Entra refresh token is also encrypted with the new key."""
    flow = Flow.at(harness_with("1", "1"))
    token = flow.refresh_token()
    for version in VERSIONS[1:]:
        flow.move_to(harness_with(version, version))
        token = flow.refresh(token).json()["refresh_token"]
        assert token.split(".")[2] == version


@pytest.mark.parametrize("version", ["3", "5"])
def test_d5_codes_and_refresh_tokens_of_unaccepted_keys_are_refused(version: str) -> None:
    flow = Flow.at(harness_with("1", "1"))
    token = flow.refresh_token()
    code = flow.code()
    flow.move_to(harness_with(version, version))
    for answer in (flow.refresh(token), flow.redeem(code)):
        assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("version", ["3", "5"])
def test_d6_a_refresh_token_of_an_unaccepted_key_revokes_nothing(version: str) -> None:
    """Its MAC cannot be checked; otherwise a leaked key could be used to revoke grants."""
    flow = Flow.at(harness_with("1", "1"))
    token = flow.refresh_token()
    flow.move_to(harness_with(version, version))
    assert flow.revoke(token).status == 200
    assert flow.store.one("grants")["status"] == "redeemed"
