"""What the documents say is so: commands exist, links lead somewhere, files and tests are there."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from settings import KEYS
from twin.cli import app

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """Every line of every shell block, without its comment."""
    blocks = [
        block for page in DOCUMENTS for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    return sorted({line.partition("#")[0].strip() for block in blocks for line in block.splitlines()} - {""})


@pytest.mark.parametrize("command", commands())
def test_a_command_can_be_given_as_it_stands(command: str) -> None:
    words = command.split()
    if words[0] == "make":
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[:3] == [".venv/bin/python", "-m", "twin"]:
        assert words[3] in get_command(app).commands  # ty: ignore[missing-attribute] -- a group of commands
    elif words[:3] == ["pulumi", "config", "set"]:
        assert next(word for word in words[3:] if not word.startswith("--")) in KEYS
    else:
        assert command in {"pulumi stack init dev", "pulumi up"}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(
        r"`((?:gateway|backends|policies|twin|tests|functions_app)/[\w./-]*)`", page.read_text()
    ):
        assert (ROOT / name).exists(), name


def test_each_attack_in_the_table_has_the_test_that_it_names() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "authorization.md").read_text())
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert [name for name in named if f"def {name}(" not in written] == []


def test_make_lists_every_target_that_the_readme_promises() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for target in ("up", "test", "lint", "format", "check", "clean"):
        assert re.search(rf"^  make {target} ", listed, re.MULTILINE), target
