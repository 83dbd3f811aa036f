"""The display of progress while the checks run."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from verify.check import Check, Outcome

_MAX_SHOWN = 8


class Progress:
    """Lists the running checks with their durations, and prints failures as they happen.

    If the console is not a terminal, it prints only what the user has to do.

    Args:
        console: the console, which is not that of the report.
        checks: all checks.
    """

    def __init__(self, console: Console, checks: Sequence[Check]) -> None:
        self._console = console
        self._total = len(checks)
        self._ended = 0
        self._running: dict[str, tuple[Check, float]] = {}
        self._spinner = Spinner("dots")
        self._live = Live(get_renderable=self._render, console=console, transient=True, refresh_per_second=8)

    def __enter__(self) -> Self:
        """Starts the display."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the display."""
        self._live.stop()

    def listen(self, check: Check, outcome: Outcome | None) -> None:
        """Records that a check has started (`outcome` is None) or ended."""
        if outcome is None:
            self._running[check.id] = (check, time.monotonic())
            return
        self._running.pop(check.id, None)
        self._ended += 1
        if outcome.result == "failed" and self._console.is_terminal:
            self._console.print(Text.assemble(("failed  ", "bold red"), check.title))

    def ask_to_sign_in(self, purpose: str, url: str, *, opened: bool) -> None:
        """Prints the URL of the page at which the user has to sign in."""
        how = "A browser opens; if not, open" if opened else "Open"
        self._console.print(Text.assemble((f"Sign in for {purpose}. ", "bold"), f"{how} this page:"))
        # The URL is on a separate line, which is never wrapped, so that it can be copied.
        self._console.print(Text(url, style="cyan"), soft_wrap=True)

    def _render(self) -> RenderableType:
        now = time.monotonic()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        running = sorted(self._running.values(), key=lambda entry: entry[1])
        for check, since in running[:_MAX_SHOWN]:
            table.add_row(self._spinner, check.title, Text(f"{now - since:.0f} s", style="dim"))
        if len(running) > _MAX_SHOWN:
            table.add_row("", Text(f"and {len(running) - _MAX_SHOWN} more", style="dim"), "")
        bar = Table.grid(padding=(0, 2, 0, 0))
        bar.add_row(
            ProgressBar(total=self._total, completed=self._ended, width=40),
            f"{self._ended} of {self._total} checks",
        )
        return Group(bar, table)
