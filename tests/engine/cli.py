"""The Pulumi CLI that the tests run; without one they are skipped, or fail in CI."""

import os
from pathlib import Path

import pytest

from scripts import pulumi_cli


def path() -> Path:
    """Path of the CLI."""
    if (path := pulumi_cli.find()) is not None:
        return path
    reason = (
        f"needs the Pulumi CLI {pulumi_cli.pinned_version()} or newer: "
        "install it, or install Go and run `make test-engine`"
    )
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
