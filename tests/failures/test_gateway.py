"""The gateway restarts, or its cache loses its entries, before any step of a journey.

The cache is a hint: API Management stores asynchronously, per region, and may drop everything at any moment.
"""

from collections.abc import Callable

import pytest

from apim.cache import Cache
from tests.failures.journey import Journey
from tests.failures.scenarios import SCENARIOS
from tests.failures.test_services import assert_in_order, assert_registered


def _cache(journey: Journey) -> Cache:
    return journey.flow.harness.gateway.services.cache


MOMENTS: dict[str, Callable[[Journey], object]] = {
    "the cache is emptied": lambda journey: _cache(journey).clear(),
    "the gateway restarts": lambda journey: journey.flow.harness.gateway.services.clear(),
    "a minute passes": lambda journey: journey.flow.harness.clock.advance(59),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_d7_no_step_depends_on_the_gateways_cache(name: str, moment: str) -> None:
    """Before one step of a journey, and before each."""
    count = len(SCENARIOS[name].steps)
    for chosen in (*range(count), None):
        journey = SCENARIOS[name].journey()
        taken: list[str] = []

        def before(
            step: str, journey: Journey = journey, taken: list[str] = taken, chosen: int | None = chosen
        ) -> None:
            if chosen in (None, len(taken)) and (moment != "a minute passes" or chosen is not None):
                MOMENTS[moment](journey)
            taken.append(step)

        journey.before = before
        journey.run()
        assert (journey.repeated, journey.restarted) == ([], [])
        assert_in_order(journey)
        assert_registered(journey)


BROKEN = {
    "stores are late": ("store_delay", 20.0),
    "stores are lost": ("fail_stores", True),
    "lookups miss": ("fail_lookups", True),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("name", SCENARIOS)
def test_d7_a_journey_needs_no_cache(name: str, broken: str) -> None:
    journey = SCENARIOS[name].journey()
    attribute, value = BROKEN[broken]
    cache = _cache(journey)
    working = getattr(cache, attribute)
    setattr(cache, attribute, value)
    try:
        journey.run()
    finally:
        setattr(cache, attribute, working)
    assert (journey.repeated, journey.restarted) == ([], [])
    assert_in_order(journey)
    assert_registered(journey)


def test_d6_a_delayed_store_answer_does_not_extend_a_revoked_token_beyond_thirty_seconds() -> None:
    """A call reads the grant before its revocation, and caches it after the revocation."""
    journey = SCENARIOS["session of an older client"].journey()
    journey.steps = journey.steps[:6]
    journey.run()
    flow, cache = journey.flow, _cache(journey)
    assert flow.call(journey.access_token).status == 200
    (entry,) = [(key, cache.lookup(key)) for key in list(cache._entries) if key.startswith("grant|")]
    assert flow.revoke(journey.refresh_token).status == 200
    assert flow.call(journey.access_token).status == 401
    cache.store(*entry, 30, 100)
    assert flow.call(journey.access_token).status == 200
    flow.harness.clock.advance(30)
    assert flow.call(journey.access_token).status == 401
