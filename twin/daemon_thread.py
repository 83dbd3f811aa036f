"""Runs a function in a daemon thread, so that the program can exit before the function returns."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def start(work: Callable[[], Result], name: str) -> Future[Result]:
    """Runs `work` in a new daemon thread; returns the future of its result.

    Unlike the threads of a pool, this thread does not delay the end of the process. Ctrl-C therefore works
    immediately.

    Args:
        work: the function to run.
        name: the thread's name.
    """
    future: Future[Result] = Future()
    # From here on, the future cannot be cancelled: if the caller stops waiting, the thread continues to run.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - the future raises it in the caller
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
