"""https://learn.microsoft.com/azure/api-management/rate-limit-by-key-policy."""

import math

from apim.csharp.context import Context, Headers
from apim.failure import Failure
from apim.node import Node
from apim.policy import INBOUND, Policy
from apim.run import Run
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action


class _RateLimit:
    """One rate-limit-by-key element."""

    def __init__(self, node: Node) -> None:
        self._calls, self._period = node.integer("calls"), node.integer("renewal-period")
        self._key, self._count = node.string("counter-key"), node.integer("increment-count")
        self._condition = node.boolean("increment-condition") if node.has("increment-condition") else None
        self._retry_header = node.constant("retry-after-header-name")
        self._retry_variable = node.constant("retry-after-variable-name")
        self._left_header = node.constant("remaining-calls-header-name")
        self._left_variable = node.constant("remaining-calls-variable-name")
        self._total_header = node.constant("total-calls-header-name")

    def run(self, run: Run) -> None:
        """The policy's action."""
        context, counters = run.context, run.services.counters
        key, calls, period = self._key(context) or "", self._calls(context), self._period(context)
        wait = counters.wait(key, calls, period)
        if wait > 0:
            raise self._exceeded(context, calls, math.ceil(wait))
        condition = self._condition
        if condition is None:
            counters.add(key, self._count(context))
        if self._left_variable:
            context.variables[self._left_variable] = max(calls - counters.used(key, period), 0)

        def finish(headers: Headers) -> None:
            if condition is not None and condition(context):
                counters.add(key, self._count(context))
            self._write(headers, calls, max(calls - counters.used(key, period), 0))

        if condition is not None or self._left_header or self._total_header:
            run.finishers.append(finish)

    def _exceeded(self, context: Context, calls: int, seconds: int) -> Failure:
        if self._retry_variable:
            context.variables[self._retry_variable] = seconds
        headers = Headers()
        headers.set(self._retry_header, [str(seconds)])
        self._write(headers, calls, 0)
        return Failure(
            reason="RateLimitExceeded",
            message="Rate limit is exceeded",
            status=429,
            public=f"Rate limit is exceeded. Try again in {seconds} seconds.",
            headers={name: values[0] for name, values in headers.items()},
        )

    def _write(self, headers: Headers, calls: int, left: int) -> None:
        if self._left_header:
            headers.set(self._left_header, [str(left)])
        if self._total_header:
            headers.set(self._total_header, [str(calls)])


def _compile(node: Node) -> Action:
    return _RateLimit(node).run


POLICY = Policy(
    name="rate-limit-by-key",
    sections=INBOUND,
    unavailable=frozenset({"Consumption"}),
    shape=Shape(
        (
            Attribute("calls", required=True, kind=Kind.INTEGER, least=1),
            Attribute("counter-key", required=True),
            Attribute("increment-condition", kind=Kind.BOOLEAN),
            Attribute("increment-count", default="1", kind=Kind.INTEGER, least=1),
            Attribute("renewal-period", required=True, kind=Kind.INTEGER, least=1, most=300),
            Attribute("retry-after-header-name", default="Retry-After", expression=False),
            Attribute("retry-after-variable-name", expression=False),
            Attribute("remaining-calls-header-name", expression=False),
            Attribute("remaining-calls-variable-name", expression=False),
            Attribute("total-calls-header-name", expression=False),
        )
    ),
    compile=_compile,
)
