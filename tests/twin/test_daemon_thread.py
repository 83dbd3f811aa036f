"""Work in a separate thread."""

import asyncio
import threading

import pytest

from twin import daemon_thread


def test_work_that_is_no_longer_awaited_ends_without_a_message() -> None:
    """A traceback of the thread would be a warning, which fails the test."""
    go_on = threading.Event()

    async def give_up() -> None:
        waiting = asyncio.ensure_future(asyncio.wrap_future(daemon_thread.start(go_on.wait, "work")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up())
    (work,) = [thread for thread in threading.enumerate() if thread.name == "work"]
    go_on.set()
    work.join()


def test_an_exception_is_raised_where_the_result_is_awaited() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        daemon_thread.start(fail, "work").result()
