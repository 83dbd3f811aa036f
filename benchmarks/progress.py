"""Progress output and tables of the benchmarks."""

import os
import sys

from rich.console import Console
from rich.table import Table

_CONSOLE = Console(highlight=False, width=118)


def say(text: str) -> None:
    """Prints one line of progress to standard error, separately from the tables."""
    print(f"  {text} ...", file=sys.stderr, flush=True)


def show(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]], note: str = "") -> None:
    """Prints a table; its first column is text, the others are numbers."""
    table = Table(title=title, caption=note, title_justify="left", caption_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    _CONSOLE.print(table)


def machine() -> str:
    """The number of processors and the load of the machine, on which every result depends."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"{os.cpu_count()} processors, load {load:.1f} before the run"
