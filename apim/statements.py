"""Runs statements in order. A coroutine is created only for a statement that must wait."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from apim.csharp import DotNetException
from apim.failure import Failure
from apim.messages import PayloadTooLargeError
from apim.position import Position
from apim.run import Run

Action = Callable[[Run], Awaitable[None] | None]
"""The action of a policy. A result other than None must be awaited before the next statement runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Position):
    """A compiled policy with its position.

    Attributes:
        action: runs the policy.
        ran: one byte, set to 1 when the policy has run.
    """

    action: Action
    ran: bytearray = field(default_factory=lambda: bytearray(1))

    def locate(self, failure: Failure) -> Failure:
        """Records this position in a failure, unless an inner statement already did."""
        if not failure.source:
            failure.source = self.element
        if not failure.section:
            failure.section, failure.scope = self.section, self.scope
            failure.path, failure.policy_id = self.path, self.policy_id
            failure.location = self.document, self.line, self.column
        return failure

    def evaluation_failure(self, error: DotNetException) -> Failure:
        """The failure for an exception in an expression."""
        message = f"Expression evaluation failed. {error.message}"
        return self.locate(Failure(reason="ExpressionValueEvaluationFailure", message=message))

    def too_large(self) -> Failure:
        """The failure for a body that an expression reads and that exceeds the gateway's limit."""
        message = "The message body is larger than the gateway can hold in memory."
        return self.locate(
            Failure(reason="MessagePayloadTooLarge", message=message, status=413, public=message)
        )


def in_order(statements: Sequence[Statement]) -> Action:
    """One action that runs the statements in order."""
    if not statements:
        return _nothing
    statements = tuple(statements)

    def run_all(run: Run) -> Awaitable[None] | None:
        if run.trace is not None:
            return _traced(statements, run)
        for index, statement in enumerate(statements):
            statement.ran[0] = 1
            try:
                pending = statement.action(run)
            except DotNetException as error:
                raise statement.evaluation_failure(error) from error
            except Failure as failure:
                statement.locate(failure)
                raise
            if pending is not None:
                return _resume(statements, index, pending, run)
        return None

    return run_all


def _nothing(_run: Run) -> None:
    return None


async def _resume(
    statements: tuple[Statement, ...], index: int, pending: Awaitable[None] | None, run: Run
) -> None:
    """Waits for the statement at `index`, then runs the rest."""
    last = len(statements) - 1
    while True:
        statement = statements[index]
        try:
            if pending is not None:
                await pending
            if index == last:
                return
            index += 1
            statement = statements[index]
            statement.ran[0] = 1
            pending = statement.action(run)
        except DotNetException as error:
            raise statement.evaluation_failure(error) from error
        except PayloadTooLargeError as error:
            raise statement.too_large() from error
        except Failure as failure:
            statement.locate(failure)
            raise


async def _traced(statements: tuple[Statement, ...], run: Run) -> None:
    """Runs the statements with a record of each."""
    trace = run.trace
    if trace is None:
        return
    for statement in statements:
        statement.ran[0] = 1
        with trace.statement(statement, run.context):
            await _resume((statement,), 0, _started(statement, run), run)


async def _started(statement: Statement, run: Run) -> None:
    pending = statement.action(run)
    if pending is not None:
        await pending
