"""Readings that all processes of a twin share; the control API can change them while the twin runs."""

import json
import os
from pathlib import Path

from apim.readings import Readings


class SharedReadings:
    """Readings in a file. Each process reads the file again after it was changed.

    Args:
        path: path of the file; None for readings that are not shared.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._current = Readings.default()
        self._version: tuple[int, int] | None = None

    @property
    def current(self) -> Readings:
        """The current readings."""
        if self._path is not None:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                return self._current
            version = (status.st_mtime_ns, status.st_ino)
            if version != self._version:
                self._current = Readings.default().choose(json.loads(self._path.read_text("utf-8")))
                self._version = version
        return self._current

    def choose(self, readings: Readings) -> None:
        """Sets the readings for all processes that share the file."""
        if self._path is None:
            self._current = readings
            return
        written = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(written, flags, 0o600), "w", encoding="utf-8") as opened:
            json.dump(readings.as_dict(), opened)
        written.replace(self._path)
