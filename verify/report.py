"""The report of a run, as tables or as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verify.check import Row
from verify.readings import Reading
from verify.target import Target

_MARKS = {"ok": ("ok", "green"), "failed": ("failed", "bold red"), "skipped": ("skipped", "yellow")}


def succeeded(rows: Sequence[Row]) -> bool:
    """Whether no check failed."""
    return all(row.outcome.result != "failed" for row in rows)


def as_json(target: Target, rows: Sequence[Row], readings: Sequence[Reading]) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "url": target.url,
        "stack": target.stack,
        "ok": succeeded(rows),
        "checks": [
            {
                "id": row.check.id,
                "section": row.check.section,
                "title": row.check.title,
                "result": row.outcome.result,
                "details": row.outcome.details,
                "remedy": row.outcome.remedy,
            }
            for row in rows
        ],
        "readings": [
            {
                "id": reading.question.id,
                "name": reading.question.name,
                "question": reading.question.text,
                "observed": reading.observation.option,
                "meaning": reading.meaning,
                "evidence": reading.observation.evidence,
            }
            for reading in readings
            if reading.observation is not None
        ],
    }


def show(console: Console, target: Target, rows: Sequence[Row], readings: Sequence[Reading]) -> None:
    """Prints the report.

    Args:
        console: the console.
        target: the verified stack.
        rows: all checks.
        readings: all questions.
    """
    console.print(Text.assemble((f"Verification of {target.url}", "bold"), f", stack '{target.stack}'"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(width=8, no_wrap=True)
    table.add_column(ratio=4, overflow="fold")
    table.add_column(ratio=5, overflow="fold", style="dim")
    section = ""
    for row in rows:
        if row.check.section != section:
            section = row.check.section
            table.add_row()
            table.add_row("", Text(section, style="bold"), "")
        mark, style = _MARKS[row.outcome.result]
        table.add_row(Text(mark, style=style), Text(row.check.title), Text(row.outcome.details))
    console.print(table)
    _show_readings(console, readings)
    _show_remedies(console, rows)
    console.print(_summary(rows))


def _show_readings(console: Console, readings: Sequence[Reading]) -> None:
    observed = [reading for reading in readings if reading.observation is not None]
    if not observed:
        return
    console.print()
    console.print(Text("Observed readings (docs/readings.md)", style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(no_wrap=True)
    table.add_column()
    for reading in observed:
        if reading.observation is not None:
            name = f"{reading.question.name}={reading.observation.option}"
            meaning = Text.assemble(reading.meaning, (f" Seen: {reading.observation.evidence}.", "dim"))
            table.add_row(reading.question.id, name, meaning)
    console.print(table)
    others = [reading.question.id for reading in readings if reading.observation is None]
    if others:
        console.print(Text(f"Not observed on this run: {', '.join(others)}.", style="dim"))


def _show_remedies(console: Console, rows: Sequence[Row]) -> None:
    with_remedy = [row for row in rows if row.outcome.result != "ok" and row.outcome.remedy]
    if not with_remedy:
        return
    console.print()
    console.print(Text("Remedies", style="bold"))
    for row in with_remedy:
        mark, style = _MARKS[row.outcome.result]
        text = Text.assemble((f"{row.check.title} ({mark}): ", style), row.outcome.remedy)
        console.print(Padding(text, (0, 0, 0, 2)))


def _summary(rows: Sequence[Row]) -> Text:
    counts = {
        result: sum(row.outcome.result == result for row in rows) for result in ("ok", "failed", "skipped")
    }
    style = "bold red" if counts["failed"] else "bold green"
    return Text(f"\n{counts['ok']} ok, {counts['failed']} failed, {counts['skipped']} skipped", style=style)
