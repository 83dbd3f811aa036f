"""The choice of Python by `make`, and the message if there is no suitable one."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts import environment

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "scripts" / "python.sh"
TOOLS = ("sh", "sed", "cut", "head", "uname", "make", "awk", "env", "touch", "rm")


class Machine:
    """A project's folder and a PATH with only POSIX tools and the interpreters that a test adds."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.bin = folder / "bin"
        self.bin.mkdir()
        shutil.copytree(SCRIPT.parent, self.project / "scripts")
        for name in ("Makefile", "requirements-dev.txt"):
            shutil.copy(ROOT / name, self.project)
        for name in TOOLS:
            path = shutil.which(name)
            assert path
            (self.bin / name).symlink_to(path)

    def add(self, name: str, script: str) -> None:
        """Adds a program."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def add_python(self, name: str, version: str, *, has_venv: bool = True) -> None:
        """Adds an interpreter that prints its version, and otherwise its arguments."""
        self.add(
            name,
            f'case "$1" in --version) echo "Python {version}" ;; -c) exit {0 if has_venv else 1} ;;'
            f' *) echo "{name} runs $*" ;; esac',
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.project,
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            check=False,
        )

    def find(self, python: str = "python3", origin: str = "file", goals: str = "up"):
        return self.run("sh", "scripts/python.sh", python, origin, goals)

    def problem(self, python: str = "python3", origin: str = "file", goals: str = "up") -> str:
        """The error message when no suitable Python is found; it has one line, and no `.venv` is created."""
        done = self.find(python, origin, goals)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert not (self.project / ".venv").exists()
        return done.stderr.removeprefix("error: ").strip()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("version", ["3.11.0", "3.12.9", "3.13.1", "3.13.0rc2"])
def test_a_supported_python_sets_up_the_environment(machine: Machine, version: str) -> None:
    machine.add_python("python3", version)
    assert machine.find().stdout == "python3 runs scripts/environment.py\n"


@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.10.13", "3.14.0", "3.14.0a1+", "4.0.0"])
def test_a_python_that_is_too_old_or_too_new_is_reported_on_one_line(machine: Machine, version: str) -> None:
    machine.add_python("python3", version)
    number = version.partition("a")[0]
    assert machine.problem().startswith(
        f"`python3` is Python {number}, and this project needs Python 3.11, 3.12 or 3.13: "
    )


def test_python_2_which_prints_its_version_as_an_error_is_recognised(machine: Machine) -> None:
    machine.add("python3", 'echo "Python 2.7.18" >&2')
    assert "is Python 2.7.18" in machine.problem()


def test_a_missing_python_is_reported_on_one_line(machine: Machine) -> None:
    assert machine.problem().startswith("`python3` was not found or does not run; this project needs")


def test_a_python_that_fails_is_reported_on_one_line(machine: Machine) -> None:
    machine.add("python3", 'echo "xcode-select: no developer tools were found" >&2; exit 1')
    assert machine.problem().startswith("`python3` was not found or does not run")


def test_the_error_about_a_python_without_venv_names_the_package_that_has_it(machine: Machine) -> None:
    machine.add_python("python3", "3.12.3", has_venv=False)
    assert machine.problem() == (
        "`python3` (Python 3.12.3) lacks the modules venv or ensurepip, which create .venv: "
        "run `sudo apt install python3.12-venv` (Debian, Ubuntu), then `make up`."
    )


def test_the_remedy_is_another_python_that_works(machine: Machine) -> None:
    machine.add_python("python3", "3.10.12")
    machine.add("python3.13", 'echo "pyenv: python3.13: command not found" >&2; exit 127')
    machine.add_python("python3.12", "3.12.3", has_venv=False)
    machine.add_python("python3.11", "3.11.7")
    assert machine.problem(goals="test").endswith("3.13: run `make test PYTHON=python3.11`.")


def test_the_remedy_is_a_package_that_the_system_can_install(machine: Machine) -> None:
    machine.add_python("python3", "3.10.12")
    machine.add("apt-cache", '[ "$2" = python3.11-venv ]')
    assert machine.problem().endswith(
        ": run `sudo apt install python3.11 python3.11-venv`, then `make up PYTHON=python3.11`."
    )


def test_the_remedy_on_macos_is_homebrew(machine: Machine) -> None:
    machine.add("uname", "echo Darwin")
    assert machine.problem().endswith(": run `brew install python@3.13`, then `make up PYTHON=python3.13`.")


def test_the_remedy_on_other_systems_is_to_install_a_supported_python(machine: Machine) -> None:
    assert "install one with its module venv" in machine.problem()


@pytest.mark.parametrize("name", ["MINGW64_NT-10.0-26100", "MSYS_NT-10.0", "CYGWIN_NT-10.0"])
def test_the_error_on_windows_names_wsl(machine: Machine, name: str) -> None:
    machine.add("uname", f"echo {name}")
    machine.add_python("python3", "3.12.3")
    assert "only in WSL" in machine.problem()


def add_environment(machine: Machine, *, folder: str | None = None) -> None:
    """Adds a `.venv` of a supported Python, with the stamp of a complete installation."""
    venv = machine.project / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    expected = environment.Stamp.expected(machine.project)
    lines = (expected.python, folder or expected.folder, expected.requirements)
    (venv / environment.STAMP).write_text("".join(f"{line}\n" for line in lines))


def test_a_working_environment_needs_no_other_python(machine: Machine) -> None:
    machine.add_python("python3", "3.10.12")
    add_environment(machine)
    done = machine.find()
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unsupported_python_is_reported_although_a_copied_environment_exists(machine: Machine) -> None:
    machine.add_python("python3", "3.10.12")
    add_environment(machine, folder="/elsewhere/.venv")
    done = machine.find()
    assert done.returncode == 1
    assert "is Python 3.10.12" in done.stderr


@pytest.mark.parametrize("origin", ["command", "environment"])
def test_a_requested_python_is_not_replaced(machine: Machine, origin: str) -> None:
    machine.add_python("python3.10", "3.10.12")
    add_environment(machine)
    done = machine.find("python3.10", origin)
    assert done.returncode == 1
    assert "`python3.10` is Python 3.10.12" in done.stderr


def test_make_shows_the_error_and_creates_no_environment(machine: Machine) -> None:
    machine.add_python("python3", "3.9.2")
    for goal in ("up", "test", "lint", "format", "check", "lock"):
        done = machine.run("make", goal)
        assert done.returncode == 2
        first, *rest = done.stderr.splitlines()
        assert first.startswith("error: `python3` is Python 3.9.2, and this project needs Python")
        assert all(line.startswith("make: ***") for line in rest)
        assert not (machine.project / ".venv").exists()


def test_make_uses_the_requested_python(machine: Machine) -> None:
    machine.add_python("python3", "3.12.3")
    machine.add_python("python3.10", "3.10.12")
    done = machine.run("make", "lint", "PYTHON=python3.10")
    assert "error: `python3.10` is Python 3.10.12" in done.stderr


def test_make_lists_its_targets_without_python(machine: Machine) -> None:
    done = machine.run("make")
    assert done.returncode == 0
    assert "make up " in done.stdout


def test_the_supported_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    script = SCRIPT.read_text()
    listed = next(line for line in script.splitlines() if line.startswith("supported="))
    versions = listed.partition("=")[2].strip('"').split()
    newest, oldest = versions[0], versions[-1]
    following = f"3.{int(newest.partition('.')[2]) + 1}"
    assert project["requires-python"] == f">={oldest},<{following}"
    assert f'words="{oldest}, ' in script
    assert f'or {newest}"' in script
