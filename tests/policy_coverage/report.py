"""Renders the coverage of the policies as text for the terminal, and as an HTML page."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from tests.policy_coverage.result import LEAST_BRANCHES, Result

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def text(result: Result) -> str:
    """A table of all templates, and the missing coverage."""
    table = Table("template", "elements", "branches", title="Policies that ran")
    for file in result.files:
        if file.elements.total or file.branches.total:
            table.add_row(file.template.name, str(file.elements), str(file.branches))
    table.add_section()
    table.add_row("all", str(result.elements), str(result.branches))
    console = Console(width=110, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join([capture.get().rstrip(), *result.missed(), *result.problems])


def page(result: Result) -> str:
    """An HTML page that shows each line of each template, and whether it is covered."""
    template = _ENVIRONMENT.get_template("page.html.j2")
    return template.render(result=result, least=LEAST_BRANCHES)


def write(result: Result, folder: Path) -> None:
    """Writes the text as `report.txt` and the page as `index.html` into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "report.txt").write_text(text(result) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(page(result), encoding="utf-8")
