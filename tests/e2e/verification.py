"""The verification of the shared twin, with responses that tests can change."""

import asyncio
import threading
from collections.abc import Callable

import httpx
import httpx2
import pytest

from tests.e2e.conftest import CALLS_PER_MINUTE, RunningTwin
from tests.stacks import FUNCTIONS_ONLY
from verify.check import Row
from verify.resource_manager import LocalCredential, ResourceManager
from verify.run import all_checks, run
from verify.session import Durations, Session
from verify.stack import Options, find_target
from verify.target import Target

CONFIG = FUNCTIONS_ONLY | {"callsPerMinute": str(CALLS_PER_MINUTE)}
SHORT = Durations(stream=0.3, call=0.3, start=0, sign_in=20, revocation=0.5)
ONE_SERVER = {"audience"}
"""The check that needs two servers."""

Change = Callable[[httpx2.Request, httpx2.Response], httpx2.Response]


@pytest.fixture(scope="module")
def target(running_twin: RunningTwin) -> Target:
    return find_target(Options(url=running_twin.gateway, stack="dev", config=CONFIG))


class ChangingTransport(httpx2.AsyncBaseTransport):
    """An HTTP transport with a function that changes responses."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._network = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._network.handle_async_request(request)
        return self._change(request, answer)

    async def aclose(self) -> None:
        await self._network.aclose()


def signs_in(twin: RunningTwin, ends: list[str] | None = None) -> Callable[[str, str], None]:
    """Replaces the browser: Ada signs in, in a separate thread."""

    def open_page(_purpose: str, url: str) -> None:
        def drive() -> None:
            end = twin.person().sign_in(url)
            if ends is not None:
                ends.append(end)
            httpx.get(end)

        threading.Thread(target=drive).start()

    return open_page


def verify(
    target: Target,
    *,
    change: Change | None = None,
    open_page: Callable[[str, str], None] | None = None,
    durations: Durations = SHORT,
    sections: Callable[[str], bool] = lambda _section: True,
) -> tuple[Session, tuple[Row, ...]]:
    session = Session(
        target=target,
        durations=durations,
        open_browser=open_page,
        transport=(lambda: ChangingTransport(change)) if change else None,
    )
    manager = ResourceManager(target.azure.url, LocalCredential(), session.http)
    checks = [check for check in all_checks(target.expected, manager) if sections(check.section)]
    return session, asyncio.run(run(checks, session, lambda _check, _outcome: None))


def ids(rows: tuple[Row, ...], result: str) -> set[str]:
    return {row.check.id for row in rows if row.outcome.result == result}
