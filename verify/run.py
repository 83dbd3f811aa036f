"""Runs the checks in parallel; a check waits for the checks that it needs."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence

import httpx2

from verify import (
    browsers,
    discovery,
    durations,
    registration,
    server_authentication,
    service,
    sign_in,
    tokens,
    tool_lists,
    tools,
)
from verify.check import Check, FailedError, Outcome, Row, SkippedError
from verify.resource_manager import ResourceManager
from verify.session import Session
from verify.target import Expectation

_log = logging.getLogger(__name__)

Listener = Callable[[Check, Outcome | None], object]
"""A function that is called when a check starts (with None), and when it ends (with its outcome)."""


def all_checks(expected: Expectation, manager: ResourceManager) -> tuple[Check, ...]:
    """Every check, in the order of the report."""
    with_tokens = (
        *tokens.checks(expected),
        *tools.checks(expected),
        *tool_lists.checks(expected),
        *durations.checks(expected),
        *service.checks(manager),
        *server_authentication.checks(manager, expected),
    )
    return (
        *discovery.checks(),
        *browsers.checks(),
        *registration.checks(),
        *sign_in.checks(expected, tuple(check.id for check in with_tokens)),
        *with_tokens,
    )


async def run(checks: Sequence[Check], session: Session, listen: Listener) -> tuple[Row, ...]:
    """Runs checks and returns their rows in the same order.

    Args:
        checks: the checks; each one is after the checks that it needs.
        session: the state that the checks share.
        listen: called when a check starts and when it ends.
    """
    running: dict[str, asyncio.Task[Outcome]] = {}
    titles = {check.id: check.title for check in checks}
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(session.http)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for check in sorted(checks, key=lambda check: len(check.after)):
            running[check.id] = group.create_task(_run(check, session, running, titles, listen))
    return tuple(Row(check=check, outcome=running[check.id].result()) for check in checks)


async def _run(
    check: Check,
    session: Session,
    running: dict[str, asyncio.Task[Outcome]],
    titles: dict[str, str],
    listen: Listener,
) -> Outcome:
    # All tasks exist before the first of them runs, so the order of their creation does not matter.
    await asyncio.sleep(0)
    await _wait_for(running[name] for name in (*check.needs, *check.after) if name in running)
    unmet = [name for name in check.needs if name not in running or running[name].result().result != "ok"]
    if unmet:
        outcome = Outcome(result="skipped", details=f"Needs: {titles.get(unmet[0], unmet[0])}.")
    else:
        listen(check, None)
        outcome = await _try(check, session)
    listen(check, outcome)
    return outcome


async def _wait_for(tasks: Iterable[asyncio.Task[Outcome]]) -> None:
    for task in list(tasks):
        await asyncio.wait([task])


async def _try(check: Check, session: Session) -> Outcome:
    try:
        return Outcome(result="ok", details=await check.run(session))
    except FailedError as error:
        return Outcome(result="failed", details=error.details, remedy=error.remedy or check.remedy)
    except SkippedError as error:
        return Outcome(result="skipped", details=error.details, remedy=error.remedy)
    except httpx2.HTTPError as error:
        return Outcome(
            result="failed",
            details=f"{type(error).__name__} at {error.request.method} {error.request.url.path}",
            remedy=f"There was no response: run the verification again. {check.remedy}",
        )
    except Exception as error:  # noqa: BLE001 -- an unexpected response must not hide the other rows
        return Outcome(
            result="failed",
            details=f"unexpected response: {type(error).__name__} {error}",
            remedy=f"Run the verification again. {check.remedy}",
        )
