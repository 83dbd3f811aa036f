"""What policies use of the gateway while they run."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from apim.background import BackgroundTasks
from apim.cache import Cache, Timed
from apim.counters import Counters
from apim.identity import CachedTokens
from apim.keysets import OpenIdConfigurations
from apim.network import Network

_MOST_METRICS = 1000
_MOST_TELEMETRY = 1000

Metric = tuple[str, float, dict[str, str]]
"""The name, value and dimensions of a metric that emit-metric sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceTelemetry:
    """What one trace policy sent to Application Insights.

    Attributes:
        at: when, POSIX seconds of the gateway's clock.
        operation_id: id of the distributed trace: that of the client's `traceparent`, or a new one.
        source: the policy's attribute.
        severity: `verbose`, `information` or `error`.
        message: its text.
        properties: its metadata.
    """

    at: float
    operation_id: str
    source: str
    severity: str
    message: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The state and the surroundings of a gateway, shared by all requests.

    Attributes:
        network: sends requests to backends.
        clock: the time, for tokens, caches and limits.
        cache: of cache-store-value.
        counters: of rate-limit-by-key.
        concurrency: of limit-concurrency: how many requests are inside, by key.
        tokens: of managed identities.
        keys: signing keys from OpenID configuration endpoints.
        metrics: of emit-metric, the latest ones.
        telemetry: of trace, the latest.
        background: requests of send-one-way-request.
    """

    network: Network
    clock: Timed
    cache: Cache
    counters: Counters
    tokens: CachedTokens
    keys: OpenIdConfigurations
    concurrency: dict[str, int] = field(default_factory=dict)
    metrics: deque[Metric] = field(default_factory=lambda: deque(maxlen=_MOST_METRICS))
    telemetry: deque[TraceTelemetry] = field(default_factory=lambda: deque(maxlen=_MOST_TELEMETRY))
    background: BackgroundTasks = field(default_factory=BackgroundTasks)

    def clear(self) -> None:
        """Drops everything that is kept between requests, except for the requests that are inside."""
        for kept in (self.cache, self.counters, self.tokens, self.keys, self.metrics, self.telemetry):
            kept.clear()
