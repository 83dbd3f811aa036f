"""Each request of the gateway to another service fails once, in each way in which it can fail.

A journey without failures determines the requests of each step, so tests need no list of them.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.failures.faults import REFUSALS, STOPS, TRANSIENT, UNREADABLE, Fault, expired
from tests.failures.journey import Call, Checkpoint, Journey
from tests.failures.scenarios import SCENARIOS, Scenario
from tests.profile import THOROUGH

REGISTRATION_SECONDS = 90 * 86400
SERVICES: dict[str, Mapping[str, Fault]] = {
    "store": TRANSIENT | STOPS | REFUSALS | UNREADABLE | {"document expires": expired},
    "Entra": TRANSIENT | STOPS | REFUSALS | UNREADABLE,
    "Entra's keys": TRANSIENT | UNREADABLE,
    "client's host": TRANSIENT | STOPS | REFUSALS | UNREADABLE,
    "MCP server": {name: TRANSIENT[name] for name in ("429", "500", "503", "no connection", "time-out")}
    | STOPS,
}
"""The failures of each service. An MCP server's other 4xx responses are forwarded to the client."""
IMPOSSIBLE = {
    ("store", "POST"): {"409", "document expires"},
    ("store", "PUT"): set(UNREADABLE),
}
"""Faults that cannot occur: random ids cause no conflict and name no document that could expire, and the
store does not answer 200 to a PUT without writing."""


@dataclass(frozen=True)
class Point:
    """A call of a journey that may fail.

    Attributes:
        first: the index of the step that makes the call.
        before: the state before this step.
        number: the number of the call in this step, from 0.
    """

    first: int
    before: Checkpoint
    number: int
    call: Call


@functools.cache
def points_of(name: str) -> Sequence[Point]:
    """The calls of a journey without failures, with a newly started gateway for each step."""
    scenario, points = SCENARIOS[name], []
    before = scenario.journey().checkpoint()
    for first, step in enumerate(scenario.steps):
        journey = Journey(scenario.new_flow(), [step]).resume(before).run()
        assert (journey.repeated, journey.restarted) == ([], [])
        if first >= scenario.shared:
            points += [Point(first, before, number, call) for number, call in enumerate(journey.calls)]
        before = journey.checkpoint()
    return points


def failing_at(scenario: Scenario, point: Point, fault: Fault) -> Journey:
    """The journey with this fault, run from the step whose call fails."""
    journey = scenario.journey().resume(point.before)
    journey.faults = {point.number: fault}
    return journey.run(point.first)


def assert_no_valid_grant(journey: Journey) -> None:
    """After the revocation, no grant is valid and no revoked grant contains secrets. No code was redeemed
    for two refresh tokens."""
    assert journey.live() == []
    assert all(len(tokens) == 1 for tokens in journey.issued_tokens.values())
    for grant in journey.flow.store.of("grants"):
        assert grant["status"] == "issued" or not {"refreshSecret", "entraToken"} & grant.keys()


def assert_registered(journey: Journey) -> None:
    """The registration is kept for its full lifetime after a sign-in."""
    if journey.issued_tokens and (registrations := list(journey.flow.store.of("clients"))):
        assert REGISTRATION_SECONDS in {registration["ttl"] for registration in registrations}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_journey_without_a_failure_needs_no_repetition(name: str) -> None:
    journey = SCENARIOS[name].journey().run()
    assert (journey.repeated, journey.restarted) == ([], [])
    assert_no_valid_grant(journey)
    assert_registered(journey)
    assert {point.call.service for point in points_of(name)} <= SERVICES.keys()


THOROUGH_ONLY = {"408", "410", "449", "500", "time-out", "408 after processing", "500 after processing"}
THOROUGH_ONLY |= {"400", "401", "409", "an empty body with 200", "a list with 200"}
"""Faults that resemble other faults, so only a thorough run tries them."""
TRIED = [
    (service, fault)
    for service, faults in SERVICES.items()
    for fault in faults
    if THOROUGH or fault not in THOROUGH_ONLY
]


@pytest.mark.parametrize(("service", "fault"), TRIED)
@pytest.mark.parametrize("name", SCENARIOS)
def test_d7_a_journey_completes_although_a_single_call_fails(name: str, service: str, fault: str) -> None:
    """The client may have to repeat a request or to start a new sign-in, but every failed response is an
    error that it can act on. Transient failures of the store are retried and not noticed at all."""
    for point in points_of(name):
        call = point.call
        if call.service != service or fault in IMPOSSIBLE.get((service, call.method), ()):
            continue
        journey = failing_at(SCENARIOS[name], point, SERVICES[service][fault])
        assert_no_valid_grant(journey)
        if "/colls/clients/" not in call.url or fault in TRANSIENT:
            assert_registered(journey)
        if service == "store" and fault in TRANSIENT:
            assert (journey.repeated, journey.restarted) == ([], []), call
