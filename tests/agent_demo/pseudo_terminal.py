"""Runs a program at a pseudo-terminal, and types at its prompts."""

import codecs
import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECONDS = 60


class PseudoTerminal:
    """A program at a pseudo-terminal; `shown` is all the output that was read until now."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""
        # The bytes of one character may arrive in two reads.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._read_to = 0

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the program, even if the test failed."""
        self.process.kill()
        self.process.wait(timeout=_SECONDS)

    def expect(self, text: str) -> str:
        """Waits until the terminal shows a string.

        Returns:
            the output between the string of the previous call and this string.
        """
        deadline = time.monotonic() + _SECONDS
        while (position := self.shown.find(text, self._read_to)) < 0:
            ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"waited for {text!r}; shown: {self.shown[self._read_to :]}"
            chunk = self._chunk()
            assert chunk, f"ended before {text!r}; shown: {self.shown[self._read_to :]}"
        before = self.shown[self._read_to : position]
        self._read_to = position + len(text)
        return before

    def type(self, line: str) -> None:
        """Types a line."""
        os.write(self._master, f"{line}\n".encode())

    def end(self) -> int:
        """Reads the remaining output, and returns the exit status."""
        while self._chunk():
            pass
        os.close(self._master)
        return self.process.wait(timeout=_SECONDS)

    def _chunk(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # Linux reports the end of a pseudo-terminal as an I/O error.
            return False
        self.shown = (self.shown + self._decoder.decode(data)).replace("\r\n", "\n")
        return bool(data)
