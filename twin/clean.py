"""Removes folders of the twin unless a twin is using one: `python -m twin.clean FOLDER...` (make clean).

It needs only Python, no installed packages.
"""

import fcntl
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

LOCK = "lock"
"""The file in a state folder that a running twin locks."""


class InUseError(Exception):
    """A twin is running; the message names its folder."""


def remove(folders: "list[Path]") -> None:
    """Removes all folders, or none.

    Raises:
        InUseError: a twin is using one of them, or a folder in one of them.
    """
    with ExitStack() as locks:
        for folder in folders:
            for lock in sorted(folder.glob(f"**/{LOCK}")):
                if lock.is_file():
                    _lock(lock, locks)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _lock(lock: Path, locks: ExitStack) -> None:
    descriptor = os.open(lock, os.O_RDWR)
    locks.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUseError(
            f"A twin is running with its state in {lock.parent}. Nothing was removed. Stop the twin (Ctrl-C "
            "in its terminal), then run make clean again."
        ) from None


if __name__ == "__main__":
    try:
        remove([Path(name) for name in sys.argv[1:]])
    except InUseError as error:
        sys.exit(f"error: {error}")
