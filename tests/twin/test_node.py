"""Node.js and the lock file of its packages."""

import json
import subprocess

import pytest

from twin.node import ROOT, NodeError, node, npm, script


def test_the_version_of_node_is_22_or_newer():
    version = subprocess.run([node(), "--version"], capture_output=True, text=True, check=True).stdout
    assert int(version.removeprefix("v").partition(".")[0]) >= 22


def test_npm_is_that_of_the_node_package():
    version = subprocess.run(
        [*npm(), "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert int(version.partition(".")[0]) >= 10


def test_the_lock_pins_every_package_and_names_no_registry():
    lock = json.loads((ROOT / "package-lock.json").read_text())
    manifest = json.loads((ROOT / "package.json").read_text())
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert lock["packages"][""]["devDependencies"] == manifest["devDependencies"]
    assert all("resolved" not in entry for entry in packages.values())
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    for name, version in manifest["devDependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version


def test_the_error_of_a_missing_package_has_the_command(tmp_path):
    with pytest.raises(NodeError, match=r"python -m twin\.node"):
        script("azurite", "dist/src/blob/main.js", root=tmp_path)
