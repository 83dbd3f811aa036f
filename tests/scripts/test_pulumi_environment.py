"""One `.venv` for `pulumi up` and `make`: Pulumi installs a subset of the packages that make installs."""

import subprocess
import sys
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent

# Runs in a separate process, with only the packages of `requirements.txt`.
PROGRAM = """
import importlib.abc, runpy, sys
from importlib.metadata import packages_distributions

allowed = set(sys.argv[1:])
distributions = packages_distributions()


class Refuser(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        owners = {each.lower().replace("_", "-").replace(".", "-") for each in distributions.get(name, ())}
        if owners and not owners & allowed:
            raise ImportError(f"{name} of {owners} is not in requirements.txt")
        return None


sys.meta_path.insert(0, Refuser())
sys.path.insert(0, ".")
runpy.run_path("__main__.py", run_name="the_program")
import backends.deployer, backends.publisher, pulumi.dynamic
"""


def pinned(name: str) -> dict[str, Requirement]:
    """The requirements of a lock file for this machine."""
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    entries = (line.partition(" --hash=")[0] for line in lines if line and not line.lstrip().startswith("#"))
    requirements = [Requirement(entry.strip()) for entry in entries]
    return {
        requirement.name: requirement
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def test_pulumi_installs_with_pip_into_the_environment_of_make() -> None:
    runtime = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["runtime"]
    assert runtime == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}


def test_pulumi_installs_the_same_versions_as_make() -> None:
    tested = pinned("requirements-dev.txt")
    for name, requirement in pinned("requirements.txt").items():
        assert requirement.specifier == tested[name].specifier, name


def test_every_package_that_pulumi_installs_has_a_hash() -> None:
    lines = (ROOT / "requirements.txt").read_text().replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert entries
    assert [entry for entry in entries if " --hash=sha256:" not in entry] == []


def test_pip_finds_nothing_to_install_in_the_environment_of_make() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "-r", "requirements.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Requirement already satisfied: pulumi-azure-native" in done.stdout
    assert "Would install" not in done.stdout


def test_the_program_imports_nothing_that_pulumi_does_not_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *pinned("requirements.txt")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
