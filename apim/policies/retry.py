"""https://learn.microsoft.com/azure/api-management/retry-policy."""

import asyncio
import random

from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action


def _compile(node: Node) -> Action:
    condition_of, count_of = node.boolean("condition"), node.integer("count")
    interval_of, fast_of = node.number("interval"), node.boolean("first-fast-retry")
    most_of = node.number("max-interval") if node.has("max-interval") else None
    delta_of = node.number("delta") if node.has("delta") else None
    statements = node.statements()

    async def retry(run: Run) -> None:
        context = run.context
        count, attempt = count_of(context), 0
        while True:
            pending = statements(run)
            if pending is not None:
                await pending
            if attempt >= count:
                return
            await run.buffer_response_if(node.reads)
            if not condition_of(context):
                return
            attempt += 1
            if attempt > 1 or not fast_of(context):
                delta = delta_of(context) if delta_of else None
                most = most_of(context) if most_of else None
                await asyncio.sleep(wait(attempt, interval_of(context), delta, most))

    return retry


def wait(attempt: int, interval: float, delta: float | None, most: float | None) -> float:
    """Seconds before a retry, by the formulas of the documentation; `attempt` counts from 1."""
    if delta is None:
        return interval
    if most is None:
        return interval + (attempt - 1) * delta
    spread = random.uniform(delta * 0.8, delta * 1.2)  # noqa: S311 -- spreads retries, not for security
    return min(interval + (2 ** (attempt - 1) - 1) * spread, most)


POLICY = Policy(
    name="retry",
    shape=Shape(
        (
            Attribute("condition", required=True, kind=Kind.BOOLEAN),
            Attribute("count", required=True, kind=Kind.INTEGER, least=1, most=50),
            Attribute("interval", required=True, kind=Kind.NUMBER, least=0),
            Attribute("max-interval", kind=Kind.NUMBER, least=0),
            Attribute("delta", kind=Kind.NUMBER, least=0),
            Attribute("first-fast-retry", default="false", kind=Kind.BOOLEAN),
        ),
        statements=True,
    ),
    compile=_compile,
)
