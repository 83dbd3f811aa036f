"""`pulumi up` in a fresh folder: the commands of Pulumi's toolchain `pip`, and `make` before and after them.

The commands are those of `InstallDependencies` in sdk/python/toolchain/pip.go of pulumi/pulumi. The language
host runs them when the folder `virtualenv` does not exist, and for `pulumi install`. They download packages.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts import environment
from tests.scripts.test_pulumi_environment import ROOT, pinned

PROGRAM = """
import runpy

runpy.run_path("__main__.py", run_name="program")
import backends.deployer, backends.publisher
"""


class Project:
    """A clone of the project without an environment."""

    def __init__(self, folder: Path) -> None:
        files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in files.stdout.splitlines():
            if (ROOT / name).is_file() and not name.startswith("tests/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self.folder = folder
        options = yaml.safe_load((folder / "Pulumi.yaml").read_text())["runtime"]["options"]
        self.virtualenv = folder / options["virtualenv"]

    def pulumi_installs(self) -> str:
        """Runs the commands of the toolchain, and returns what the last one printed."""
        self._run(Path(sys.base_prefix) / "bin" / "python3", "-m", "venv", self.virtualenv)
        pip = (self.virtualenv / "bin" / "python", "-m", "pip", "install")
        self._run(*pip, "--upgrade", "pip", "setuptools", "wheel")
        return self._run(*pip, "-r", "requirements.txt")

    def make_installs(self) -> str:
        """Runs the script with which make installs."""
        return self._run(Path(sys.base_prefix) / "bin" / "python3", "scripts/environment.py")

    def python(self, *arguments: str) -> str:
        return self._run(self.virtualenv / "bin" / "python", *arguments)

    def _run(self, *command: str | Path) -> str:
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
        path = f"{self.virtualenv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={**inherited, "VIRTUAL_ENV": str(self.virtualenv), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("clone"))
    project.pulumi_installs()
    return project


def test_pulumi_installs_the_pinned_packages_and_nothing_else(project: Project) -> None:
    installed = json.loads(project.python("-m", "pip", "list", "--format", "json"))
    versions = {package["name"].lower().replace("_", "-"): package["version"] for package in installed}
    expected = {
        name: next(iter(requirement.specifier)).version
        for name, requirement in pinned("requirements.txt").items()
    }
    # Pulumi installs the latest versions of these packages, so their versions are not compared.
    assert versions.keys() - expected.keys() <= {"pip", "setuptools", "wheel"}
    assert {name: versions[name] for name in expected} == expected
    project.python("-c", PROGRAM)


def test_make_completes_pulumis_installation_and_pulumi_then_changes_nothing(project: Project) -> None:
    (project.virtualenv / "kept").touch()
    assert "Adding Python packages to .venv, which `pulumi` created" in project.make_installs()
    assert (project.virtualenv / "kept").exists()
    assert (project.virtualenv / "bin" / "pytest").exists()
    printed = project.pulumi_installs()
    assert "Requirement already satisfied: pulumi-azure-native" in printed
    assert "Installing collected packages" not in printed
    assert environment.Stamp.read(project.virtualenv) == environment.Stamp.expected(project.folder)
    assert project.make_installs() == ""
    project.python("-c", PROGRAM)
