"""`make lint` finds missing types, including generic types without arguments, which mean Any."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv" / "bin"


def findings(*command: str | Path, text: str = "") -> str:
    """The output of a linter, which gets `text` on its standard input."""
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "package", ["gateway", "backends", "configuration", "configuration/presets", "apim/policies", "verify"]
)
@pytest.mark.parametrize(
    ("function", "rule"),
    [
        ("def planted(value) -> None: ...", "ANN001"),
        ("def planted(*values) -> None: ...", "ANN002"),
        ("def planted(**values) -> None: ...", "ANN003"),
        ("def planted(value: int): ...", "ANN201"),
    ],
)
def test_a_function_without_a_type_is_found_in_every_package(package: str, function: str, rule: str) -> None:
    planted = f"{package}/planted.py"
    assert rule in findings(TOOLS / "ruff", "check", "--stdin-filename", planted, "-", text=f"{function}\n")


@pytest.mark.parametrize("typed", ["value: list", "value: 'dict[str, tuple]'", "value: Callable"])
def test_a_generic_type_without_its_arguments_is_found(typed: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f"from collections.abc import Callable\n\n\ndef planted({typed}) -> None:\n    ...\n")
    output = findings(TOOLS / "ty", "check", "--project", ROOT, "--output-format", "concise", planted)
    assert "missing-type-argument" in output
