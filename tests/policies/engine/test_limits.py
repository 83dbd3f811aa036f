"""Policies that limit or reject requests; the cache, metrics and counters."""

import asyncio

import pytest

from apim.cache import LARGEST_ITEM
from apim.counters import Counters
from apim.failure import SendError
from apim.messages import InboundRequest
from apim.network import Reply
from tests.policies.engine.harness import Sent, harness_with, policies, reply
from twin.clock import Clock

LIMIT = '<rate-limit-by-key calls="2" renewal-period="60" counter-key="@(context.Request.IpAddress)" {} />'


def test_more_calls_than_allowed_are_429_until_the_window_has_passed() -> None:
    harness = harness_with(policies(LIMIT.format("")))
    assert [harness.send().status for _ in range(3)] == [200, 200, 429]
    refused = harness.send()
    assert refused.json() == {
        "statusCode": 429,
        "message": "Rate limit is exceeded. Try again in 60 seconds.",
    }
    assert refused.header("Retry-After") == "60"
    assert harness.send(ip="203.0.113.8").status == 200
    harness.clock.advance(61)
    assert harness.send().status == 200


def test_a_rate_limit_reports_the_remaining_calls() -> None:
    harness = harness_with(
        policies(
            LIMIT.format(
                'remaining-calls-header-name="Left" total-calls-header-name="All" '
                'retry-after-header-name="Wait"'
            )
        )
    )
    answers = [harness.send() for _ in range(3)]
    assert [(answer.header("Left"), answer.header("All")) for answer in answers] == [
        ("1", "2"),
        ("0", "2"),
        ("0", "2"),
    ]
    assert (answers[2].header("Wait"), answers[2].header("Retry-After")) == ("60", None)


def test_only_calls_that_meet_the_condition_count() -> None:
    harness = harness_with(
        policies(LIMIT.format('increment-condition="@(context.Response.StatusCode == 401)"'))
    )
    statuses = iter([200, 200, 200, 401, 200, 401])
    harness.network.answer = lambda _sent: reply(next(statuses))
    assert [harness.send().status for _ in range(7)] == [200, 200, 200, 401, 200, 401, 429]


def test_concurrent_requests_beyond_the_limit_are_429() -> None:
    harness = harness_with(
        policies("", '<limit-concurrency key="k" max-count="1"><forward-request /></limit-concurrency>')
    )
    gateway = harness.gateway

    async def both() -> list[int]:
        second_is_answered = asyncio.Event()

        async def fail_late(_sent: Sent) -> Reply:
            await second_is_answered.wait()
            raise SendError("gone")

        harness.network.answer = fail_late
        request = InboundRequest(method="GET", path="/api/items")
        first = asyncio.ensure_future(gateway.handle(request))
        await asyncio.sleep(0)
        second = await gateway.handle(request)
        second_is_answered.set()
        return [(await first).status, second.status]

    assert asyncio.run(both()) == [500, 429]
    assert gateway.services.concurrency == {}


@pytest.mark.parametrize(
    ("policy", "ip", "status"),
    [
        ('action="allow"><address>203.0.113.7</address>', "203.0.113.7", 200),
        ('action="allow"><address>203.0.113.7</address>', "203.0.113.8", 403),
        ('action="forbid"><address>203.0.113.7</address>', "203.0.113.7", 403),
        ('action="allow"><address-range from="203.0.113.1" to="203.0.113.9" />', "203.0.113.9", 200),
        ('action="allow"><address-range from="203.0.113.1" to="203.0.113.9" />', "203.0.113.10", 403),
        ('action="allow"><address>203.0.113.7</address>', "::ffff:203.0.113.7", 200),
    ],
)
def test_ip_filter_allows_or_forbids_the_listed_addresses(policy: str, ip: str, status: int) -> None:
    assert harness_with(policies(f"<ip-filter {policy}</ip-filter>")).send(ip=ip).status == status


CHECK = (
    '<check-header name="X-Key" failed-check-httpcode="403" '
    'failed-check-error-message="No entry" ignore-case="{}">'
    "<value>one</value><value>two</value></check-header>"
)


def test_check_header_requires_one_of_its_values() -> None:
    ignoring_case, comparing_case = (
        harness_with(policies(CHECK.format("true"))),
        harness_with(policies(CHECK.format("false"))),
    )
    values = ("one", "TWO", "three")
    assert [ignoring_case.send(X_Key=value).status for value in values] == [200, 200, 403]
    assert [comparing_case.send(X_Key=value).status for value in values] == [200, 403, 403]
    assert ignoring_case.send().json() == {"statusCode": 403, "message": "No entry"}


STORE = (
    '<cache-store-value key="k" duration="60" '
    'value="@(context.Request.Headers.GetValueOrDefault("Value", ""))" />'
)
READ = (
    '<cache-lookup-value key="k" variable-name="v" default-value="none" />'
    '<return-response><set-body>@((string)context.Variables["v"])</set-body></return-response>'
)
CACHE = policies(
    f'<choose><when condition="@(context.Request.Method == "POST")">{STORE}</when>'
    f"<otherwise>{READ}</otherwise></choose>"
)


def test_a_stored_value_is_found_until_it_expires() -> None:
    harness = harness_with(CACHE)
    assert harness.send().body == b"none"
    harness.send("POST", Value="kept")
    assert harness.send().body == b"kept"
    harness.clock.advance(61)
    assert harness.send().body == b"none"


def test_a_test_can_empty_delay_or_disable_the_cache() -> None:
    harness = harness_with(CACHE)
    cache = harness.gateway.services.cache
    harness.send("POST", Value="a")
    cache.clear()
    assert harness.send().body == b"none"
    cache.store_delay = 2.0
    harness.send("POST", Value="b")
    assert harness.send().body == b"none"
    harness.clock.advance(3)
    assert harness.send().body == b"b"
    cache.store_delay, cache.fail_stores = 0.0, True
    harness.send("POST", Value="c")
    assert harness.send().body == b"b"
    cache.fail_lookups = True
    assert harness.send().body == b"none"


def test_a_value_that_is_too_large_is_not_cached() -> None:
    harness = harness_with(CACHE)
    harness.send("POST", Value="x" * (LARGEST_ITEM + 1))
    assert harness.send().body == b"none"


def test_a_value_can_be_removed() -> None:
    harness = harness_with(policies(STORE + '<cache-remove-value key="k" />' + READ))
    assert harness.send(Value="a").body == b"none"


def test_a_lookup_without_a_value_and_without_a_default_sets_no_variable() -> None:
    harness = harness_with(
        policies(
            '<cache-lookup-value key="k" variable-name="v" />'
            '<return-response><set-body>@(context.Variables.ContainsKey("v") ? "set" : "unset")</set-body>'
            "</return-response>"
        )
    )
    assert harness.send().body == b"unset"


def test_the_consumption_tier_has_no_cache() -> None:
    harness = harness_with(CACHE, sku="Consumption")
    harness.send("POST", Value="a")
    assert harness.send().body == b"none"


def test_metrics_are_recorded() -> None:
    harness = harness_with(
        policies(
            '<emit-metric name="calls" value="2"><dimension name="API ID" />'
            '<dimension name="Client" value="@(context.Request.IpAddress)" /></emit-metric>'
        )
    )
    harness.send()
    assert list(harness.gateway.services.metrics) == [
        ("calls", 2.0, {"API ID": "api", "Client": "203.0.113.7"})
    ]


def test_a_counter_sums_the_weights_within_a_sliding_window() -> None:
    clock = Clock()
    counters = Counters(clock)
    counters.add("k", 2)
    clock.advance(10)
    counters.add("k", 3)
    assert (counters.used("k", 60), counters.used("k", 5), counters.used("other", 60)) == (5, 3, 0)
    assert counters.wait("k", 6, 60) == 0
    assert round(counters.wait("k", 5, 60)) == 50
    assert round(counters.wait("k", 3, 60)) == 60
    clock.advance(51)
    assert (counters.used("k", 60), counters.wait("k", 4, 60)) == (3, 0)


def test_unused_counters_are_removed() -> None:
    clock = Clock()
    counters = Counters(clock)
    for number in range(500):
        counters.add(f"k{number}", 1)
    clock.advance(301)
    for _ in range(500):
        counters.add("k", 1)
    assert (len(counters), counters.used("k", 60)) == (1, 500)
