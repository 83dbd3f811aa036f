"""The gateway restarts, or its cache loses its entries, before any step of a journey.

API Management's cache stores values asynchronously and per region, and may lose all of them at any time.
"""

from collections.abc import Callable

import pytest

from apim.cache import Cache
from tests.failures.journey import Journey
from tests.failures.scenarios import SCENARIOS
from tests.failures.test_services import assert_no_valid_grant, assert_registered


def _cache(journey: Journey) -> Cache:
    return journey.flow.harness.gateway.services.cache


EVENTS: dict[str, Callable[[Journey], object]] = {
    "the cache is emptied": lambda journey: _cache(journey).clear(),
    "the gateway restarts": lambda journey: journey.flow.harness.gateway.services.clear(),
    "59 seconds pass": lambda journey: journey.flow.harness.clock.advance(59),
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_d7_no_step_depends_on_the_gateways_cache(name: str, event: str) -> None:
    """The event happens before a single step of a journey, for each step, and then before every step.

    Time passes only once per journey, because codes expire.
    """
    count = len(SCENARIOS[name].steps)
    for chosen in (*range(count), None):
        journey = SCENARIOS[name].journey()
        steps: list[str] = []

        def before(
            step: str, journey: Journey = journey, steps: list[str] = steps, chosen: int | None = chosen
        ) -> None:
            if chosen in (None, len(steps)) and (event != "59 seconds pass" or chosen is not None):
                EVENTS[event](journey)
            steps.append(step)

        journey.before = before
        journey.run()
        assert (journey.repeated, journey.restarted) == ([], [])
        assert_no_valid_grant(journey)
        assert_registered(journey)


CACHE_FAILURES = {
    "values are stored late": ("store_delay", 20.0),
    "values are not stored": ("fail_stores", True),
    "lookups find no value": ("fail_lookups", True),
}


@pytest.mark.parametrize("failure", CACHE_FAILURES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_d7_a_journey_succeeds_without_a_working_cache(name: str, failure: str) -> None:
    journey = SCENARIOS[name].journey()
    attribute, value = CACHE_FAILURES[failure]
    cache = _cache(journey)
    working = getattr(cache, attribute)
    setattr(cache, attribute, value)
    try:
        journey.run()
    finally:
        setattr(cache, attribute, working)
    assert (journey.repeated, journey.restarted) == ([], [])
    assert_no_valid_grant(journey)
    assert_registered(journey)


def test_d6_a_grant_that_is_cached_after_its_revocation_is_accepted_for_at_most_thirty_seconds() -> None:
    """A slow call reads the grant before its revocation, and caches it after the revocation."""
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
