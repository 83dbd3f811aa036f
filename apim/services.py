"""The services of a gateway that policies use while they run."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from apim.background import BackgroundTasks
from apim.cache import Cache
from apim.clock import Clock
from apim.counters import Counters
from apim.identity import CachedTokens
from apim.keysets import OpenIdConfigurations
from apim.network import Network

_MAX_METRICS = 1000
_MAX_TELEMETRY = 1000

Metric = tuple[str, float, dict[str, str]]
"""The name, value and dimensions of a metric that emit-metric sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceTelemetry:
    """The telemetry that a trace policy sends to Application Insights.

    Attributes:
        at: time in POSIX seconds of the gateway's clock.
        operation_id: id of the distributed trace, from the client's `traceparent` or new.
        source: the attribute `source` of the policy.
        severity: `verbose`, `information` or `error`.
        message: the message.
        properties: the metadata.
    """

    at: float
    operation_id: str
    source: str
    severity: str
    message: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The state of a gateway and its connections to other systems, shared by all requests.

    Attributes:
        network: sends requests to backends.
        clock: the clock for tokens, caches and limits.
        cache: the values of cache-store-value.
        counters: the counters of rate-limit-by-key.
        concurrency: the number of requests inside limit-concurrency, by key.
        tokens: the tokens of managed identities.
        keys: signing keys from OpenID configuration endpoints.
        metrics: the latest metrics of emit-metric.
        telemetry: the latest telemetry of the trace policy.
        background: the requests of send-one-way-request.
    """

    network: Network
    clock: Clock
    cache: Cache
    counters: Counters
    tokens: CachedTokens
    keys: OpenIdConfigurations
    concurrency: dict[str, int] = field(default_factory=dict)
    metrics: deque[Metric] = field(default_factory=lambda: deque(maxlen=_MAX_METRICS))
    telemetry: deque[TraceTelemetry] = field(default_factory=lambda: deque(maxlen=_MAX_TELEMETRY))
    background: BackgroundTasks = field(default_factory=BackgroundTasks)

    def clear(self) -> None:
        """Removes everything that is kept between requests, except the counts in `concurrency`."""
        for kept in (self.cache, self.counters, self.tokens, self.keys, self.metrics, self.telemetry):
            kept.clear()
