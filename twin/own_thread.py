"""Runs work in a daemon thread, so that the program can exit before the work is done."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def start(work: Callable[[], Result], name: str) -> Future[Result]:
    """Runs `work` in a new daemon thread.

    Unlike a thread pool's, this thread does not delay the end of the process, so Ctrl-C works immediately.

    Args:
        work: the function to run.
        name: the thread's name.
    """
    future: Future[Result] = Future()
    # It cannot be cancelled from here on: if a caller stops waiting, the thread continues to run.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
