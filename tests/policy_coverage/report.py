"""The verdict as text for terminals and as a page for people."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from tests.policy_coverage.verdict import LEAST_BRANCHES, Verdict

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def text(verdict: Verdict) -> str:
    """A table of all templates, and the missing coverage."""
    table = Table("template", "elements", "branches", title="Policies that ran")
    for file in verdict.files:
        if file.elements.total or file.branches.total:
            table.add_row(file.template.name, str(file.elements), str(file.branches))
    table.add_section()
    table.add_row("all", str(verdict.elements), str(verdict.branches))
    console = Console(width=110, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join([capture.get().rstrip(), *verdict.missed(), *verdict.problems])


def page(verdict: Verdict) -> str:
    """One page with the templates' lines."""
    template = _ENVIRONMENT.get_template("page.html.j2")
    return template.render(verdict=verdict, least=LEAST_BRANCHES)


def write(verdict: Verdict, folder: Path) -> None:
    """Writes both into a folder: `index.html` and `report.txt`."""
    folder.mkdir(exist_ok=True)
    (folder / "report.txt").write_text(text(verdict) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(page(verdict), encoding="utf-8")
