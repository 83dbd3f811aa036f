"""The choice of the Pulumi CLI for the tests with Pulumi's engine, and the behaviour without a CLI."""

import subprocess
from pathlib import Path

import pytest

from scripts import pulumi_cli
from tests.engine import cli


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, in a checkout where nothing was built."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pulumi_cli, "BUILT", tmp_path / "built" / "pulumi")
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def program(folder: Path, name: str, prints: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho {prints}\n")
    file.chmod(0o755)
    return file


def test_a_new_enough_cli_on_path_is_used(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installed = program(path, "pulumi", f"v{pulumi_cli.pinned_version()}")
    assert cli.path() == installed
    assert pulumi_cli.main() == 0
    assert str(installed) in capsys.readouterr().out


def test_an_old_cli_on_path_is_not_used(path: Path) -> None:
    program(path, "pulumi", "v3.0.1")
    assert pulumi_cli.find() is None


def test_without_go_nothing_is_built_and_the_reason_is_printed(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for go in (None, "go version go1.19.8 linux/amd64"):
        if go:
            program(path, "go", go)
        assert pulumi_cli.main() == 0
        assert "Go 1.21 or newer" in capsys.readouterr().out
    assert not pulumi_cli.BUILT.exists()


def test_with_go_the_pinned_version_is_built(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path, "go", "go version go1.26.8 linux/amd64")
    builds: list[list[str]] = []
    run = subprocess.run

    def recorded(command: list[str], **options: object) -> object:
        if "build" not in command:
            return run(command, **options)  # ty: ignore[no-matching-overload]  passed on unchanged
        builds.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", recorded)
    assert pulumi_cli.main() == 0
    (command,) = builds
    assert str(pulumi_cli.BUILT) in command
    assert any(f"v{pulumi_cli.pinned_version()}" in word for word in command)


def test_tests_without_a_cli_are_skipped_and_fail_in_ci(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path.exists()
    with pytest.raises(pytest.skip.Exception, match="make test-engine"):
        cli.path()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="make test-engine"):
        cli.path()


def test_the_pinned_cli_is_at_least_as_new_as_the_sdk() -> None:
    sdk = (pulumi_cli.ROOT / "pyproject.toml").read_text(encoding="utf-8").partition('"pulumi==')[2]
    numbers = [int(number) for number in sdk.partition('"')[0].split(".")]
    assert [int(number) for number in pulumi_cli.pinned_version().split(".")] >= numbers
