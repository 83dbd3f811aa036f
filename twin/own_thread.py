"""Work in a thread of its own, which nobody has to wait for when the program ends."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def start(work: Callable[[], Result], name: str) -> Future[Result]:
    """Runs `work` in a new daemon thread.

    Unlike a thread pool's, this thread does not hold up the end of the process, so Ctrl-C works at once.

    Args:
        work: what to do.
        name: the thread's name.
    """
    future: Future[Result] = Future()
    # From here on nobody can cancel it: who stops waiting leaves the thread to end by itself.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
