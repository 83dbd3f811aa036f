"""The published package: the same bytes for the same files, and no files of a developer's environment."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from backends import package


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("host.json", "requirements.txt", "function_app.py", "snippets.py"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_same_files_give_the_same_package(source: Path) -> None:
    first = package.build(source)
    for path in source.iterdir():
        path.touch()

    assert package.build(source) == first


def test_the_host_can_read_every_file_of_the_package(source: Path) -> None:
    for entry in zipfile.ZipFile(io.BytesIO(package.build(source))).infolist():
        assert entry.create_system == 3, "not a Unix entry"
        assert entry.external_attr >> 16 & 0o444 == 0o444


@pytest.mark.parametrize(
    "name", ["local.settings.json", "local.settings.json.example", ".env", ".venv/x.py", "__pycache__/a.pyc"]
)
def test_files_of_a_developer_are_not_published(source: Path, name: str) -> None:
    before = package.digest(source)
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).write_text("secret")

    assert name not in zipfile.ZipFile(io.BytesIO(package.build(source))).namelist()
    assert package.digest(source) == before


def change(source: Path) -> None:
    (source / "snippets.py").write_text("other")


def rename(source: Path) -> None:
    (source / "snippets.py").rename(source / "notes.py")


def add(source: Path) -> None:
    (source / "more.py").write_text("")


@pytest.mark.parametrize("edit", [change, rename, add])
def test_an_edit_changes_the_digest(source: Path, edit: Callable[[Path], None]) -> None:
    before = package.digest(source)
    edit(source)

    assert package.digest(source) != before


@pytest.mark.parametrize("name", ["host.json", "requirements.txt", "function_app.py"])
def test_a_folder_without_a_required_file_is_refused(source: Path, name: str) -> None:
    (source / name).unlink()

    with pytest.raises(pulumi.RunError, match=name):
        package.digest(source)
