"""When `.venv` is created, updated or rebuilt. The environments are real, but nothing is downloaded."""

import shutil
import subprocess
import sys
import threading
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import environment
from scripts.environment import InstallationError, Stamp, ensure

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = """\
# comment
ruff==1.0 \\
    --hash=sha256:11
uv==0.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via project
"""


class Commands:
    """Records commands instead of running pip and uv, and creates environments without pip."""

    def __init__(self) -> None:
        self.run: list[tuple[str, ...]] = []
        self.pins: list[str] = []
        self.on_sync: Callable[[], object] = lambda: None

    def __call__(self, *command: str) -> None:
        self.run.append(command)
        if "venv" in command:
            venv.create(command[-1], with_pip=False, symlinks=True)
        elif "sync" in command:
            self.on_sync()
        else:
            self.pins.append(Path(command[-1]).read_text())

    @property
    def created(self) -> int:
        return sum("venv" in command for command in self.run)


run_command = environment._run


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(environment, "_run", commands)
    return commands


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / getattr(request, "param", "project")
    folder.mkdir()
    (folder / "requirements-dev.txt").write_text(REQUIREMENTS)
    return folder


def test_an_environment_is_created_once(project: Path, commands: Commands) -> None:
    assert ensure(project)
    assert not ensure(project)
    assert commands.created == 1
    python = str(project / ".venv" / "bin" / "python")
    sync = commands.run[-1]
    assert sync[0] == str(project / ".venv" / "bin" / "uv")
    assert sync[1:3] == ("pip", "sync")
    assert "--require-hashes" in sync
    assert sync[sync.index("--python") + 1] == python
    assert sync[-1] == str(project / "requirements-dev.txt")


def test_the_installer_is_installed_by_its_hashes(project: Path, commands: Commands) -> None:
    ensure(project)
    assert commands.pins == ["uv==0.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"]
    assert "--require-hashes" in commands.run[1]
    assert "--no-deps" in commands.run[1]


def test_the_pinned_requirements_contain_the_installer_with_its_hashes() -> None:
    pin = environment._pin_of("uv", ROOT / "requirements-dev.txt")
    assert pin[0].startswith("uv==")
    assert len(pin) > 2
    assert all(line.startswith("    --hash=sha256:") for line in pin[1:])


def test_changed_requirements_are_installed_into_the_same_environment(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(project)
    (project / ".venv" / "kept").touch()
    (project / "requirements-dev.txt").write_text(REQUIREMENTS.replace("1.0", "1.1"))
    assert ensure(project)
    assert (project / ".venv" / "kept").exists()
    assert "Updating Python packages in .venv: requirements-dev.txt changed" in capsys.readouterr().out
    assert not ensure(project)


def test_an_installation_that_was_killed_is_repeated_from_the_start(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(project)
    (project / ".venv" / ".installed").unlink()
    (project / ".venv" / ".installing").touch()
    (project / ".venv" / "half").touch()
    assert ensure(project)
    assert not (project / ".venv" / "half").exists()
    assert not (project / ".venv" / ".installing").exists()
    assert "Rebuilding .venv: its installation did not finish" in capsys.readouterr().out


def test_an_update_that_is_killed_leaves_an_environment_that_is_rebuilt(
    project: Path, commands: Commands
) -> None:
    ensure(project)
    (project / "requirements-dev.txt").write_text(REQUIREMENTS.replace("1.0", "1.1"))
    states: list[tuple[bool, ...]] = []
    commands.on_sync = lambda: states.append(
        tuple((project / ".venv" / name).exists() for name in (".installed", ".installing"))
    )
    ensure(project)
    assert states == [(False, True)]


@pytest.fixture
def environment_of_pulumi(project: Path) -> Path:
    """A `.venv` as Pulumi's language host creates it, with pip and the packages of `requirements.txt`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project / ".venv")], check=True)
    for name in ("pip", "pulumi"):
        add_package(project / ".venv", name)
    return project / ".venv"


def add_package(environment: Path, name: str) -> Path:
    """Installs a package of two files, and returns its module."""
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / f"{name}-1.0.dist-info").mkdir()
    (packages / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (packages / f"{name}-1.0.dist-info" / "RECORD").write_text(
        f"{name}.py,,\n{name}-1.0.dist-info/RECORD,,\n"
    )
    (packages / f"{name}.py").touch()
    return packages / f"{name}.py"


def test_an_environment_that_pulumi_created_is_completed(
    project: Path, environment_of_pulumi: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    (environment_of_pulumi / "kept").touch()
    assert ensure(project)
    assert commands.created == 0
    assert (environment_of_pulumi / "kept").exists()
    assert "sync" in commands.run[-1]
    assert "Adding Python packages to .venv, which `pulumi` created" in capsys.readouterr().out
    assert not ensure(project)


@pytest.mark.parametrize("project", ["my project"], indirect=True)
def test_an_environment_of_pulumi_in_a_folder_with_a_space_is_completed(
    project: Path, environment_of_pulumi: Path, commands: Commands
) -> None:
    assert " " in str(environment_of_pulumi)
    assert ensure(project)
    assert commands.created == 0


def test_an_environment_with_packages_of_two_python_versions_is_rebuilt(
    project: Path, environment_of_pulumi: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    (environment_of_pulumi / "lib" / "python3.99" / "site-packages").mkdir(parents=True)
    assert ensure(project)
    assert commands.created == 1
    assert "it has no packages, or those of several versions" in capsys.readouterr().out


def test_an_environment_that_pulumi_began_to_create_is_rebuilt(
    project: Path, environment_of_pulumi: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    add_package(environment_of_pulumi, "grpcio").unlink()
    assert ensure(project)
    assert commands.created == 1
    assert "Rebuilding .venv: its package grpcio is incomplete" in capsys.readouterr().out


def test_an_environment_whose_package_has_no_list_of_files_is_rebuilt(
    project: Path, environment_of_pulumi: Path, commands: Commands
) -> None:
    next(environment_of_pulumi.glob("lib/python*/site-packages/pulumi-*/RECORD")).unlink()
    assert ensure(project)
    assert commands.created == 1


def test_an_environment_that_pulumi_created_elsewhere_is_rebuilt(
    project: Path, environment_of_pulumi: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    other = project.parent / "other"
    shutil.copytree(project, other, symlinks=True)
    assert ensure(other)
    assert commands.created == 1
    assert f"it was copied or moved from {environment_of_pulumi}" in capsys.readouterr().out


def test_an_environment_of_another_python_that_pulumi_created_is_rebuilt(
    project: Path, environment_of_pulumi: Path, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (environment_of_pulumi / "bin" / "python").exists()
    pretend_version(project, "3.10")
    assert ensure(project)
    assert commands.created == 1
    assert "it uses Python 3.10" in capsys.readouterr().out


def test_a_folder_that_is_not_an_environment_is_replaced(project: Path, commands: Commands) -> None:
    (project / ".venv").mkdir()
    assert ensure(project)
    assert commands.created == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InstallationError("no network")])
def test_the_environment_is_removed_when_its_installation_fails(
    project: Path, commands: Commands, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    commands.on_sync = fail
    with pytest.raises(type(error)):
        ensure(project)
    assert not (project / ".venv").exists()


def test_an_environment_with_an_empty_stamp_is_rebuilt(project: Path, commands: Commands) -> None:
    ensure(project)
    (project / ".venv" / ".installed").write_text("")
    assert ensure(project)
    assert commands.created == 2


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_the_environment_of_a_moved_or_copied_folder_is_rebuilt(
    project: Path, move: Callable[[str, str], object], capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(project)
    other = project.parent / "other"
    move(str(project), str(other))
    assert ensure(other)
    assert f"it was copied or moved from {project / '.venv'}" in capsys.readouterr().out
    assert Stamp.read(other / ".venv") == Stamp.expected(other)


def pretend_version(project: Path, version: str) -> None:
    """Replaces the environment's Python with another version."""
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)


def test_the_environment_of_another_python_is_rebuilt(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(project)
    pretend_version(project, "3.10")
    expected = Stamp.expected(project)
    Stamp("3.10", expected.folder, expected.requirements).write()
    assert ensure(project)
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"it uses Python 3.10 instead of Python {ours}" in capsys.readouterr().out
    assert environment._version_of(project / ".venv" / "bin" / "python") == ours


def test_an_environment_whose_python_was_upgraded_is_rebuilt(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(project)
    pretend_version(project, "3.99")
    assert ensure(project)
    assert "and its Python is now 3.99" in capsys.readouterr().out


def test_an_environment_whose_python_was_removed_is_rebuilt(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(project)
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(project / "gone")
    assert ensure(project)
    assert "its Python no longer runs" in capsys.readouterr().out


def test_only_the_link_of_a_linked_environment_is_removed(project: Path) -> None:
    ensure(project)
    elsewhere = project.parent / "elsewhere"
    shutil.move(project / ".venv", elsewhere)
    (project / ".venv").symlink_to(elsewhere)
    assert ensure(project)
    assert not (project / ".venv").is_symlink()
    assert (elsewhere / ".installed").exists()


def test_a_link_to_a_missing_folder_is_replaced(project: Path) -> None:
    (project / ".venv").symlink_to(project / "gone")
    assert ensure(project)
    assert not (project / ".venv").is_symlink()


def test_two_calls_at_the_same_time_install_once(project: Path, commands: Commands) -> None:
    other = threading.Thread(target=ensure, args=(project,))
    commands.on_sync = other.start
    assert ensure(project)
    other.join()
    assert commands.created == 1
    assert len(commands.run) == 3


def test_the_error_about_a_failed_command_contains_its_output() -> None:
    with pytest.raises(InstallationError, match=r"ended with status 3.*reached(.|\n)*no route"):
        run_command("sh", "-c", "echo no route >&2; exit 3")


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements-mcp-atlassian.txt"]
)
def test_macos_on_intel_uses_the_last_cryptography_with_a_wheel(name: str) -> None:
    """Without a wheel an installation needs a Rust compiler and OpenSSL."""
    lines = (ROOT / name).read_text().splitlines()
    pins = [line.removesuffix(" \\") for line in lines if line.startswith("cryptography==")]
    assert any(
        pin.startswith("cryptography==48.")
        and "platform_machine == 'x86_64'" in pin
        and "sys_platform == 'darwin'" in pin
        for pin in pins
    )
    assert len(pins) == 2
