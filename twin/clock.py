"""The clock of the twin, which tests can advance instead of waiting."""

import mmap
import os
import struct
import time
from pathlib import Path

_OFFSET = struct.Struct("d")


class Clock:
    """The wall clock plus an offset.

    Args:
        path: a file with the offset (one 8-byte double). Processes with the same file share one clock.
            None for a clock that is not shared.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._shared = mmap.mmap(-1, _OFFSET.size)
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < _OFFSET.size:
                os.ftruncate(descriptor, 0)
                os.ftruncate(descriptor, _OFFSET.size)
            self._shared = mmap.mmap(descriptor, _OFFSET.size)
        finally:
            os.close(descriptor)

    @property
    def offset(self) -> float:
        """Seconds by which this clock is ahead of the machine's."""
        return _OFFSET.unpack_from(self._shared)[0]

    def now(self) -> float:
        """The current time in POSIX seconds."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Moves the clock forward (or back, with a negative number), for every process that shares it."""
        _OFFSET.pack_into(self._shared, 0, self.offset + seconds)

    def reset(self) -> None:
        """Sets the clock to the machine's time."""
        _OFFSET.pack_into(self._shared, 0, 0.0)
