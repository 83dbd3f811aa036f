"""Every request of the gateway to another service fails once, in every way.

A journey without failures counts the requests of each step, so new requests are tested without being listed
here.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.failures.faults import REFUSALS, STOPS, TRANSIENT, UNREADABLE, Fault, expired
from tests.failures.journey import Call, Checkpoint, Journey
from tests.failures.scenarios import SCENARIOS, Scenario
from tests.profile import THOROUGH

REGISTRATION = 90 * 86400
SERVICES: dict[str, Mapping[str, Fault]] = {
    "store": TRANSIENT | STOPS | REFUSALS | UNREADABLE | {"document expires": expired},
    "Entra": TRANSIENT | STOPS | REFUSALS | UNREADABLE,
    "Entra's keys": TRANSIENT | UNREADABLE,
    "client's host": TRANSIENT | STOPS | REFUSALS | UNREADABLE,
    "MCP server": {name: TRANSIENT[name] for name in ("429", "500", "503", "no connection", "time-out")}
    | STOPS,
}
"""The failures of each service. Other 4xx responses of an MCP server are passed to the client."""
IMPOSSIBLE = {
    ("store", "POST"): {"409", "document expires"},
    ("store", "PUT"): set(UNREADABLE),
}
"""Impossible for writes: success without a write, and a conflict of a random id."""


@dataclass(frozen=True)
class Point:
    """A request of a journey.

    Attributes:
        first: the number of the step that makes the request.
        number: the number of the request in this step.
    """

    first: int
    before: Checkpoint
    number: int
    call: Call


@functools.cache
def points_of(name: str) -> Sequence[Point]:
    """The requests of a journey without failures, with a newly started gateway for each step."""
    scenario, points = SCENARIOS[name], []
    before = scenario.journey().checkpoint()
    for first, step in enumerate(scenario.steps):
        journey = Journey(scenario.begin(), [step]).resume(before).run()
        assert (journey.repeated, journey.restarted) == ([], [])
        if first >= scenario.known:
            points += [Point(first, before, number, call) for number, call in enumerate(journey.calls)]
        before = journey.checkpoint()
    return points


def failing_at(scenario: Scenario, point: Point, fault: Fault) -> Journey:
    """The journey, from the step whose request fails."""
    journey = scenario.journey().resume(point.before)
    journey.faults = {point.number: fault}
    return journey.run(point.first)


def assert_in_order(journey: Journey) -> None:
    """Every valid grant is known to the client, and no code resulted in two grants."""
    assert journey.live() == []
    assert all(len(tokens) == 1 for tokens in journey.issued_tokens.values())
    for grant in journey.flow.store.of("grants"):
        assert grant["status"] == "issued" or not {"refreshSecret", "entraToken"} & grant.keys()


def assert_registered(journey: Journey) -> None:
    """The registration is still valid after a sign-in."""
    if journey.issued_tokens and (registrations := list(journey.flow.store.of("clients"))):
        assert REGISTRATION in {registration["ttl"] for registration in registrations}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_journey_without_a_failure_needs_no_repetition(name: str) -> None:
    journey = SCENARIOS[name].journey().run()
    assert (journey.repeated, journey.restarted) == ([], [])
    assert_in_order(journey)
    assert_registered(journey)
    assert {point.call.service for point in points_of(name)} <= SERVICES.keys()


ALIKE = {"408", "410", "449", "500", "time-out", "408 after it was done", "500 after it was done"}
ALIKE |= {"400", "401", "409", "nothing with 200", "a list with 200"}
"""Faults that resemble others, so only a thorough run tries them."""
TRIED = [
    (service, fault)
    for service, faults in SERVICES.items()
    for fault in faults
    if THOROUGH or fault not in ALIKE
]


@pytest.mark.parametrize(("service", "fault"), TRIED)
@pytest.mark.parametrize("name", SCENARIOS)
def test_d7_a_single_failure_never_ends_a_sign_in_without_an_error(
    name: str, service: str, fault: str
) -> None:
    """The client succeeds, if necessary after repeating a request or starting a new sign-in."""
    for point in points_of(name):
        call = point.call
        if call.service != service or fault in IMPOSSIBLE.get((service, call.method), ()):
            continue
        journey = failing_at(SCENARIOS[name], point, SERVICES[service][fault])
        assert_in_order(journey)
        if "/colls/clients/" not in call.url or fault in TRANSIENT:
            assert_registered(journey)
        if service == "store" and fault in TRANSIENT:
            assert (journey.repeated, journey.restarted) == ([], []), call
