"""The workflows of GitHub Actions, checked by actionlint, which is built with Go like the Pulumi CLI."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))


def test_actionlint_has_no_findings() -> None:
    go = shutil.which("go")
    if go is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs Go to build actionlint")
    # Without shellcheck and pyflakes: the result does not depend on what is installed.
    done = subprocess.run(
        [go, "tool", "actionlint", "-shellcheck=", "-pyflakes=", *WORKFLOWS],
        cwd=ROOT / "tools" / "actionlint",
        env={"GOTOOLCHAIN": "auto", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
