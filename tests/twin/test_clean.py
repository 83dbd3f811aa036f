"""`make clean` removes folders, unless a twin is running."""

import shutil
import subprocess
from pathlib import Path

import pytest

from twin.stack import PROJECT
from twin.state import StateFolder


def make_clean(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the project's `make clean` in a folder that has only the Makefile and this command."""
    (folder / "twin").mkdir(exist_ok=True)
    for name in ("Makefile", "twin/__init__.py", "twin/clean.py"):
        shutil.copy(PROJECT / name, folder / name)
    return subprocess.run(["make", "clean"], cwd=folder, capture_output=True, text=True, check=False)


def test_state_and_reports_are_removed(tmp_path: Path) -> None:
    with StateFolder(tmp_path / ".twin"), StateFolder(tmp_path / ".twin" / "9000"):
        pass
    (tmp_path / ".policy-coverage").mkdir()
    done = make_clean(tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".twin").exists()
    assert not (tmp_path / ".policy-coverage").exists()
    assert make_clean(tmp_path).returncode == 0


@pytest.mark.parametrize("running", [".twin", ".twin/9000"])
def test_nothing_is_removed_while_a_twin_runs(tmp_path: Path, running: str) -> None:
    with StateFolder(tmp_path / ".twin"):
        pass
    (tmp_path / ".policy-coverage").mkdir()
    with StateFolder(tmp_path / running) as state:
        state.documents.touch()
        done = make_clean(tmp_path)
        assert done.returncode != 0
        assert f"A twin is running with its state in {running}." in done.stderr
        assert "Stop the twin" in done.stderr
        assert state.documents.exists()
    assert (tmp_path / ".policy-coverage").exists()
    assert make_clean(tmp_path).returncode == 0
