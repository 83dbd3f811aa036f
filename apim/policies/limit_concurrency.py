"""https://learn.microsoft.com/azure/api-management/limit-concurrency-policy."""

from apim.failure import Failure
from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action


def _compile(node: Node) -> Action:
    key_of, most, statements = node.string("key"), int(node.constant("max-count") or 1), node.statements()

    async def limit_concurrency(run: Run) -> None:
        key, inside = key_of(run.context) or "", run.services.concurrency
        if inside.get(key, 0) >= most:
            raise Failure(
                reason="ConcurrencyLimitExceeded",
                message="Concurrency limit is exceeded",
                status=429,
                public="Concurrency limit is exceeded.",
            )
        inside[key] = inside.get(key, 0) + 1

        def leave() -> None:
            inside[key] -= 1
            if not inside[key]:
                del inside[key]

        try:
            pending = statements(run)
            if pending is not None:
                await pending
        finally:
            if run.reply is not None and run.readings.limit_concurrency == "until-end":
                run.at_end.append(leave)
            else:
                leave()

    return limit_concurrency


POLICY = Policy(
    name="limit-concurrency",
    shape=Shape(
        (
            Attribute("key", required=True),
            Attribute("max-count", required=True, expression=False, kind=Kind.INTEGER, least=1),
        ),
        statements=True,
    ),
    compile=_compile,
)
