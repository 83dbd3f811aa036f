"""Runs the program of an MCP client, and signs a person in at the pages that it opens.

The program is started with the URL of the MCP server and a transport. It writes one JSON object per line:

    {"open": URL}                  opens a page; it then reads the URL to which the browser returned
    {"tools": [NAME, ...]}         the tools that the server lists
    {"tool": NAME, "text": TEXT}   the result of a call
    {"waiting": true}              waits for a line: the seconds that have passed, or a new bearer token

If a client opens the system's browser itself, it starts a script of this module instead, which records the
URL. The person signs in, and the browser then opens the URL of the client's own listener. Such a client
listens at CALLBACK_PORT, because its default port is the same for all runs on a machine.
"""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.children import free_port_block
from tests.e2e.person import Person

_BROWSERS = ("browser", "xdg-open", "open", "x-www-browser", "www-browser", "sensible-browser")
_SCRIPT = '#!/bin/sh\nfor address; do :; done\nprintf "%s\\n" "$address" >>"{visits}"\n'


class Conversation:
    """One run of a program.

    Attributes:
        pages: the number of pages that it opened for its user.
        written: the objects that it wrote, without those that open a page.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        home: Path,
        person: Person,
        variables: Mapping[str, str],
    ) -> None:
        self.pages = 0
        self.written: list[dict[str, Any]] = []
        self._person = person
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._visits = home / "visits"
        self._visited = 0
        self._log = home / "stderr.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**self._environment(home), **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, key: str, seconds: float = 90) -> list[dict[str, Any]]:
        """Serves the program until it writes an object with a key; returns the objects before it.

        With the key "end" it waits until the program ends.
        """
        deadline = time.monotonic() + seconds
        before: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            self._serve_browser()
            try:
                line = self._lines.get(timeout=0.02)
            except queue.Empty:
                continue
            if line is None:
                assert key == "end", self._problem("ended too early")
                assert self._process.wait(timeout=60) == 0, self._problem("failed")
                return before
            if not line.startswith("{"):
                continue
            fact = json.loads(line)
            if "open" in fact:
                self.write(self._sign_in(fact["open"]))
            elif key in fact:
                return before
            else:
                before.append(fact)
                self.written.append(fact)
        raise AssertionError(self._problem(f"did not write {key!r} within {seconds:.0f} s"))

    def write(self, line: str) -> None:
        """Writes a line to the program's input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """Ends the program and all processes that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=60)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _environment(self, home: Path) -> dict[str, str]:
        folder = home / "bin"
        folder.mkdir()
        for name in _BROWSERS:
            script = folder / name
            script.write_text(_SCRIPT.format(visits=self._visits))
            script.chmod(0o755)
        return {
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "BROWSER": str(folder / "browser"),
            "LANG": "C.UTF-8",
            "CALLBACK_PORT": str(free_port_block()),
        }

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _serve_browser(self) -> None:
        addresses = self._visits.read_text().splitlines() if self._visits.exists() else []
        for address in addresses[self._visited :]:
            self._visited += 1
            end = self._sign_in(address)
            deadline = time.monotonic() + 60
            while True:
                try:
                    httpx.get(end, timeout=30)
                    break
                except httpx.ConnectError:
                    # Some clients open the page before they listen.
                    assert time.monotonic() < deadline, self._problem(
                        f"does not listen at {end.partition('?')[0]}"
                    )
                    time.sleep(0.02)

    def _sign_in(self, address: str) -> str:
        self.pages += 1
        return self._person.sign_in(address)

    def _problem(self, failure: str) -> str:
        return f"the client {failure}; it wrote {self.written} and\n{self._log.read_text()[-6000:]}"
