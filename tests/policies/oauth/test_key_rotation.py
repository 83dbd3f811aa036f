"""A rotation of the keys while it is deployed.

API Management gives no order in which changed named values and changed policies take effect, and units of a
gateway may differ for minutes. So each step of a sign-in may meet the policies of either version, and each
policy the named values of either version.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.e2e.client import parameters_of
from tests.policies.engine.stage import Stage
from tests.policies.oauth.stand import Stand, StandingClock, declared, handle_of

VERSIONS = ("1", "2", "3", "4")
ROTATIONS = tuple(itertools.pairwise(VERSIONS))
STEPS = ("authorize", "consent page", "consent", "callback", "token", "call")

rotation = pytest.mark.parametrize(("before", "after"), ROTATIONS)


@functools.cache
def clock() -> StandingClock:
    return StandingClock()


@functools.cache
def stage(policies: str, values: str) -> Stage:
    """A gateway with the policies of one key version and the named values of another."""
    service = replace(declared(keyVersion=policies), named_values=declared(keyVersion=values).named_values)
    return Stage(service, clock())


def signed_in(stages: Callable[[str], Stage]) -> int:
    """The status of the call at the end of a sign-in; `stages` gives the gateway of each step."""
    stand = Stand.at(stages(STEPS[0]))

    def step(name: str) -> Stand:
        stand.move_to(stages(name))
        return stand

    authorized = step("authorize").authorize()
    page = step("consent page").consent_page(handle_of(authorized))
    at_entra = step("consent").consent(page)
    back = step("callback").callback(at_entra)
    redeemed = step("token").redeem(parameters_of(back.header("Location") or "")["code"])
    return step("call").call(redeemed.json()["access_token"]).status


@rotation
@pytest.mark.parametrize("first", STEPS)
def test_d4_a_sign_in_under_way_survives_the_rotation(before: str, after: str, first: str) -> None:
    """From the step `first` on, the policies are those of the other version, in either direction."""
    late = STEPS[STEPS.index(first) :]
    for versions in ((before, after), (after, before)):
        assert signed_in(lambda step, versions=versions: stage(versions[step in late], after)) == 200


@rotation
def test_d4_policies_work_with_the_named_values_of_either_version(before: str, after: str) -> None:
    for policies, values in ((before, after), (after, before)):
        assert signed_in(lambda _, policies=policies, values=values: stage(policies, values)) == 200


@rotation
def test_d4_a_rotation_changes_no_named_value(before: str, after: str) -> None:
    """It adds keys, and removes one that the policies of neither version mention."""
    old, new = (
        {each.name: each.value for each in declared(keyVersion=version).named_values}
        for version in (before, after)
    )
    assert {name: new[name] for name in old.keys() & new.keys()} == {
        name: old[name] for name in old.keys() & new.keys()
    }
    removed = old.keys() - new.keys()
    for version in (before, after):
        mentioned = stage(version, version).gateway.used_values
        assert removed & mentioned == set()


def test_d4_a_token_is_accepted_for_one_rotation_and_not_for_two() -> None:
    stand = Stand.at(stage("1", "1"))
    token = stand.token()
    statuses = []
    for version in VERSIONS:
        stand.move_to(stage(version, version))
        statuses.append(stand.call(token).status)
    assert statuses == [200, 200, 401, 401]


def test_d4_a_sign_in_does_not_outlive_two_rotations() -> None:
    stand = Stand.at(stage("1", "1"))
    page = stand.page()
    stand.move_to(stage("3", "3"))
    assert stand.consent(page).status == 400
    stand.move_to(stage("2", "2"))
    assert stand.consent(page).status == 303


def test_d4_adding_four_to_the_version_accepts_no_key_that_existed_before() -> None:
    """What an operator does after a leak: named values and state held the keys of two further versions."""
    leaked = {each.name for each in declared(keyVersion="1").named_values}
    accepted = {
        name for name in stage("5", "5").gateway.used_values if name.startswith(("token-key", "consent-key"))
    }
    assert len(accepted) == 6
    assert accepted & leaked == set()


@rotation
def test_d5_a_refresh_token_survives_the_rotation(before: str, after: str) -> None:
    """Also while units with the policies of both versions answer, and the new one while it is rolled back."""
    for first, second, third in itertools.product((before, after), repeat=3):
        stand = Stand.at(stage(first, after))
        token = stand.refresh_token()
        for version in (second, third):
            stand.move_to(stage(version, after))
            answer = stand.refresh(token)
            assert answer.status == 200
            assert stand.call(answer.json()["access_token"]).status == 200
            token = answer.json()["refresh_token"]
            assert stand.store.one("grants")["keyVersion"] == int(version)


@rotation
def test_d5_units_of_both_versions_give_the_same_new_refresh_token(before: str, after: str) -> None:
    for first, second in ((before, after), (after, before)):
        stand = Stand.at(stage(first, after))
        token = stand.refresh_token()
        given = stand.refresh(token).json()["refresh_token"]
        stand.move_to(stage(second, after))
        assert stand.refresh(token).json()["refresh_token"] == given
        assert stand.refresh(given).status == 200


def test_d5_a_refresh_token_that_was_not_used_between_two_rotations_ends() -> None:
    stand = Stand.at(stage("1", "1"))
    token = stand.refresh_token()
    stand.move_to(stage("3", "3"))
    answer = stand.refresh(token)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert stand.store.one("grants")["status"] == "redeemed"


def test_d5_a_refresh_after_each_rotation_keeps_the_client_connected() -> None:
    """What the store keeps of Entra's token moves on to the new key, too."""
    stand = Stand.at(stage("1", "1"))
    token = stand.refresh_token()
    for version in VERSIONS[1:]:
        stand.move_to(stage(version, version))
        token = stand.refresh(token).json()["refresh_token"]
        assert token.split(".")[2] == version


@pytest.mark.parametrize("later", ["3", "5"])
def test_d5_no_code_and_no_refresh_token_of_a_key_that_is_not_accepted_gives_anything(later: str) -> None:
    stand = Stand.at(stage("1", "1"))
    token = stand.refresh_token()
    code = stand.code()
    stand.move_to(stage(later, later))
    for answer in (stand.refresh(token), stand.redeem(code)):
        assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
